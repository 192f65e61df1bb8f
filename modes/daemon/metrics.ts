/**
 * What Prometheus reads. Figures of the pool are read off its state when they
 * are asked for, so none can drift from it; only how long things took is
 * counted as they happen.
 *
 * Loaded by {@linkcode openMetrics} alone, and only where health is served.
 *
 * @module
 */
import { Gauge, Histogram, Registry } from "prom-client";
import type { Keeper, PoolStatus } from "../../pool/contract.ts";
import type { Meter } from "./meter.ts";

/** What is told of a pool. */
export type MeteredStatus = Pick<
  PoolStatus,
  "mode" | "capacity" | "slots" | "enis" | "claims" | "calls" | "full" | "lost"
>;

/** A pod with an idle address takes milliseconds, one with a new ENI seconds. */
const VERB_SECONDS = [0.002, 0.005, 0.01, 0.05, 0.25, 1, 5, 15, 60];

/** A cloud's API takes a good part of a second. */
const CALL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

/** Labels that callers choose must not fill the memory. */
const VERBS: ReadonlySet<string> = new Set(
  ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "status", "explain"],
);

/** A pool whose figures are told. */
export type MeteredPool = Pick<Keeper, "status"> | {
  status(): MeteredStatus;
};

/**
 * Makes the meter; see `openMeter` of `meter.ts`.
 *
 * @returns The meter.
 */
export function openMetrics(): Meter {
  let pool: MeteredPool | undefined;
  const status = (): MeteredStatus | undefined => pool?.status();
  const registry = new Registry();
  const registers = [registry];
  const gauge = (
    name: string,
    help: string,
    read: (status: MeteredStatus) => number,
  ) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        const seen = status();
        if (seen !== undefined) this.set(read(seen));
      },
    });
  const labelled = (
    { name, help, label }: { name: string; help: string; label: string },
    read: (status: MeteredStatus) => Iterable<readonly [string, number]>,
  ) =>
    new Gauge({
      ...{ name, help, labelNames: [label], registers },
      collect() {
        this.reset();
        const seen = status();
        if (seen === undefined) return;
        for (const [value, count] of read(seen)) {
          this.set(Object.fromEntries([[label, value]]), count);
        }
      },
    });
  poolGauges(gauge, labelled);
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the daemon",
    registers,
    collect() {
      this.set(Deno.memoryUsage().rss);
    },
  });
  const { verbs, calls } = histograms(registers);
  return {
    text: () => registry.metrics(),
    follow: (given) => {
      pool = given;
    },
    contentType: registry.contentType,
    verbEnded: ({ name, outcome, seconds }) => {
      const verb = VERBS.has(name) ? name : "other";
      verbs.observe({ verb, outcome }, seconds);
    },
    callEnded: ({ api, kind: outcome = "ok", seconds }) =>
      calls.observe({ api, outcome }, seconds),
  };
}

function histograms(registers: Registry[]): {
  readonly verbs: Histogram<"verb" | "outcome">;
  readonly calls: Histogram<"api" | "outcome">;
} {
  const verbs = new Histogram({
    name: "terway_verb_seconds",
    help: "How long verbs of CNI and of operators took",
    labelNames: ["verb", "outcome"],
    buckets: VERB_SECONDS,
    registers,
  });
  const calls = new Histogram({
    name: "terway_cloud_call_seconds",
    help: "How long calls of the cloud took, by what came of them",
    labelNames: ["api", "outcome"],
    buckets: CALL_SECONDS,
    registers,
  });
  return { verbs, calls };
}

/** Makes a gauge of one figure. */
type MakeGauge = (
  name: string,
  help: string,
  read: (status: MeteredStatus) => number,
) => unknown;

/** Makes a gauge of several. */
type MakeLabelled = (
  gauge: { name: string; help: string; label: string },
  read: (status: MeteredStatus) => Iterable<readonly [string, number]>,
) => unknown;

function poolGauges(gauge: MakeGauge, labelled: MakeLabelled): void {
  gauge(
    "terway_pool_serving",
    "Whether pods can be attached",
    ({ mode }) => mode === "serving" ? 1 : 0,
  );
  gauge(
    "terway_pool_capacity",
    "Addresses that pods may have",
    ({ capacity }) => capacity,
  );
  labelled({
    name: "terway_pool_addresses",
    help: "Addresses by how they are used",
    label: "state",
  }, ({ slots }) => Object.entries(slots));
  labelled({
    name: "terway_pool_enis",
    help: "ENIs by phase",
    label: "phase",
  }, ({ enis }) =>
    [...Map.groupBy(enis, ({ phase }) => phase)]
      .map(([phase, some]) => [phase, some.length]));
  gauge(
    "terway_pool_waiting_pods",
    "Pods that wait for an address",
    ({ claims }) => claims.length,
  );
  gauge(
    "terway_pool_lost_addresses",
    "Leased addresses that are gone",
    ({ lost }) => lost.length,
  );
  gauge(
    "terway_cloud_calls",
    "Calls of the cloud in flight",
    ({ calls }) => calls.length,
  );
  gauge(
    "terway_pool_full",
    "Whether the cloud allows no further ENI",
    ({ full }) => full === undefined ? 0 : 1,
  );
}
