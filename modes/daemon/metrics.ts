/**
 * The pool's state as Prometheus reads it: every figure is read off the state
 * when it is asked for, so none can drift from it.
 *
 * Source of the form: Prometheus' text-based exposition format 0.0.4.
 *
 * @module
 */
import type { PoolStatus } from "../../pool/contract.ts";

/** A figure with its labels. */
interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What is told of a pool. */
export type MeteredStatus = Pick<
  PoolStatus,
  "mode" | "capacity" | "slots" | "enis" | "claims" | "calls" | "full" | "lost"
>;

/**
 * Writes a pool's figures.
 *
 * @param status The pool.
 * @returns The text.
 */
export function metricsText(status: MeteredStatus): string {
  const phases = Map.groupBy(status.enis, ({ phase }) => phase);
  const lines = [
    ...gauge("terway_pool_serving", "Whether pods can be attached", [
      { value: status.mode === "serving" ? 1 : 0 },
    ]),
    ...gauge("terway_pool_capacity", "Addresses that pods may have", [
      { value: status.capacity },
    ]),
    ...gauge(
      "terway_pool_addresses",
      "Addresses by how they are used",
      Object.entries(status.slots).map(([state, value]) => ({
        labels: { state },
        value,
      })),
    ),
    ...gauge(
      "terway_pool_enis",
      "ENIs by phase",
      [...phases].map(([phase, enis]) => ({
        labels: { phase },
        value: enis.length,
      })),
    ),
    ...gauge("terway_pool_waiting_pods", "Pods that wait for an address", [
      { value: status.claims.length },
    ]),
    ...gauge("terway_pool_lost_addresses", "Leased addresses that are gone", [
      { value: status.lost.length },
    ]),
    ...gauge("terway_cloud_calls", "Calls of the cloud in flight", [
      { value: status.calls.length },
    ]),
    ...gauge("terway_pool_full", "Whether the cloud allows no further ENI", [
      { value: status.full === undefined ? 0 : 1 },
    ]),
  ];
  return lines.join("\n") + "\n";
}

function gauge(
  name: string,
  help: string,
  samples: readonly Sample[],
): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...samples.map(({ labels = {}, value }) => {
      const pairs = Object.entries(labels)
        .map(([key, text]) => `${key}="${text}"`).join(",");
      return `${name}${pairs === "" ? "" : `{${pairs}}`} ${value}`;
    }),
  ];
}
