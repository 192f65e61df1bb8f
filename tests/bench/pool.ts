/**
 * What operators trust a pool for: few calls, a quick start, a quick way back
 * after a crash, cheap plans, and nothing left behind by leases.
 *
 * @module
 */
import { poolLimits } from "../../pool/limits.ts";
import { plan } from "../../pool/plan.ts";
import {
  claimsOf,
  eniWith,
  NOW_MS,
  poolOf,
} from "../../pool/testing/states.ts";
import { type Figures, figuresOf, round } from "./figures.ts";
import { NETWORK_PACKAGES } from "../packages.ts";
import type { Part, PartOptions } from "./part.ts";
import {
  type CyclesLeft,
  leaseCycles,
  type PodsCost,
  podsCost,
} from "./pool_life.ts";
import { type ColdStart, coldStart, recovery } from "./pool_stage.ts";

/** What `plan()` may take for 10 ENIs of 20 addresses. */
const PLAN_GOAL_MS = 0.2;

/** Plans in a sample: one alone is too short for the clock. */
const PLANS_A_SAMPLE = 20;

/** The pool. */
export const pool: Part = {
  name: "pool",
  title: "the pool: calls, cold start, recovery, plans, lease cycles",
  needs: NETWORK_PACKAGES,
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, unknown>> {
  const planMs = planFigures(roundCount);
  say(
    `plan() for 10 ENIs x 20 addresses: p5 ${planMs.p5Ms} ms, p50 ` +
      `${planMs.p50Ms} ms, p95 ${planMs.p95Ms} ms (goal ${PLAN_GOAL_MS} ms)`,
  );
  const thousandPods = await podsCost();
  for (const cost of thousandPods) sayCost(cost, say);
  const cycles = await leaseCycles();
  sayCycles(cycles, say);
  const cold = await coldStart();
  sayCold(cold, say);
  const back = await recovery();
  say(
    `after kill -9 with ${back.leaseCount} leases (real clock): answers ` +
      `after ${back.answersMs} ms, serves after ${back.servesMs} ms, a new ` +
      `pod is up after ${back.firstAddMs} ms; ${back.changes} calls that ` +
      "change something",
  );
  return {
    pool: {
      planMs: { ...planMs, goalMs: PLAN_GOAL_MS },
      thousandPods,
      leaseCycles: cycles,
      coldStart: cold,
      recovery: back,
    },
  };
}

/** Half of the addresses leased, half cooling, and 20 pods that wait. */
function planFigures(roundCount: number): Figures {
  const kinds = Array.from(
    { length: 20 },
    (_, i) => i % 2 === 0 ? "leased" as const : "cooling" as const,
  );
  const enis = Array.from({ length: 10 }, (_, i) => eniWith(i, kinds));
  const limits = poolLimits({
    instance: { eniCount: 11, ipv4PerEniCount: 20 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/16" }],
  });
  const state = poolOf(enis, { claims: claimsOf(20) });
  const sample = (): number => {
    const startMs = performance.now();
    for (let i = 0; i < PLANS_A_SAMPLE; i++) plan(state, limits, NOW_MS);
    return (performance.now() - startMs) / PLANS_A_SAMPLE;
  };
  for (let i = 0; i < 100; i++) sample();
  return figuresOf(Array.from({ length: 10 * roundCount }, sample));
}

type Say = PartOptions["say"];

function sayCost(cost: PodsCost, say: Say): void {
  const { how, virtualMinutes, calls, changesPerPod } = cost;
  const text = Object.entries(calls).map(([api, n]) => `${api} ${n}`);
  say(
    `1,000 pods, ${how} (${virtualMinutes} virtual min): ${text.join(", ")}; ` +
      `${changesPerPod} changes a pod`,
  );
}

function sayCycles({ cycleCount, before, after }: CyclesLeft, say: Say): void {
  const kib = (bytes: number): string => `${round(bytes / 1024, 1)} KiB`;
  const pair = (name: "journalBytes" | "heapBytes" | "rssBytes"): string =>
    `${kib(before[name])} -> ${kib(after[name])}`;
  const same = before.cloud.join() === after.cloud.join();
  say(
    `${cycleCount} lease cycles (virtual time, real disk): journal ` +
      `${pair("journalBytes")}, heap ${pair("heapBytes")}, rss ` +
      `${pair("rssBytes")}; cloud ${same ? "the same" : "CHANGED"}: ` +
      `${after.cloud.length} ENIs, ${after.changes - before.changes} calls ` +
      "that change something",
  );
}

function sayCold(cold: ColdStart, say: Say): void {
  const text = Object.entries(cold.calls).map(([api, n]) => `${api} ${n}`);
  say(
    `${cold.podCount} pods at once on an empty pool (real clock, ` +
      `${cold.attachMs} ms an attach, ${cold.replyMs} ms an answer): first ` +
      `after ${cold.firstMs} ms, all after ${cold.allMs} ms; ` +
      text.join(", "),
  );
}
