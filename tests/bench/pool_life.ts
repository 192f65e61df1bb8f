/**
 * The pool in virtual time, where the real clock isn't the point: what pods
 * cost in calls of the cloud, and what 10,000 leases leave behind.
 *
 * The keeper, the journal and the adapter are the daemon's own; the cloud is
 * the emulator without its wire, answering after 100 ms.
 *
 * @module
 */
import { join } from "node:path";
import v8 from "node:v8";
import vm from "node:vm";
import { fill, on, type Rig } from "../../pool/testing/rig.ts";
import { round } from "./figures.ts";

/** A node of 7 ENIs of 30 addresses for pods. */
const NODE = {
  eniCount: 8,
  addressesPerEni: 30,
  cloud: { instanceType: "ecs.g7.8xlarge" },
} as const;

const POD_COUNT = 1_000;

const MINUTE_MS = 60_000;

/** By API, how often it was called. */
export type CallCounts = Readonly<Record<string, number>>;

/** What some pods' lives cost. */
export interface PodsCost {
  /** How pods come and go. */
  readonly how: string;
  /** From the first pod to the last one's end. */
  readonly virtualMinutes: number;
  /** Calls by API, from the daemon's start on. */
  readonly calls: CallCounts;
  /** Those that change something, for a pod. */
  readonly changesPerPod: number;
}

/**
 * Counts the calls for 1,000 pods made and deleted, with the stock that the
 * defaults ask for.
 *
 * @returns The figures of pods one by one, and of pods in waves.
 */
export async function podsCost(): Promise<readonly PodsCost[]> {
  return [
    await costOf("one a second, each for a minute", oneByOne),
    await costOf("200 at once, gone after a minute, 5 times", inWaves),
  ];
}

/** What is held, before or after. */
export interface Held {
  /** The journal's files, once they are folded together. */
  readonly journalBytes: number;
  /** What is in use after everything is collected that can be. */
  readonly heapBytes: number;
  /** The process's resident memory. */
  readonly rssBytes: number;
  /** ENIs in the cloud, as id and count of addresses. */
  readonly cloud: readonly string[];
  /** Calls so far that change something. */
  readonly changes: number;
}

/** What cycles left. */
export interface CyclesLeft {
  /** Leases that were given and ended between both. */
  readonly cycleCount: number;
  /** Once the pool was warm. */
  readonly before: Held;
  /** At the end. */
  readonly after: Held;
}

/** Cycles go by in waves, and so many before anything is measured. */
const WAVE_COUNT = 50;

const WARM_UP_WAVES = 40;

/**
 * Leases and releases 10,000 addresses, on a journal of a real disk.
 *
 * @returns What was held before and after.
 */
export async function leaseCycles(): Promise<CyclesLeft> {
  const cycleCount = 10_000;
  const dir = await Deno.makeTempDir({ prefix: "terway-bench-" });
  const journalPath = join(dir, "journal.db");
  try {
    let [before, after]: (Held | undefined)[] = [];
    const options = { ...NODE, maxIdle: 2 * WAVE_COUNT, journalPath };
    await on(options, async (rig) => {
      for (let i = 0; i < WARM_UP_WAVES; i++) await wave(rig, WAVE_COUNT);
      before = await heldBy(rig, journalPath);
      const waveCount = cycleCount / WAVE_COUNT;
      for (let i = 0; i < waveCount; i++) await wave(rig, WAVE_COUNT);
      after = await heldBy(rig, journalPath);
    });
    if (before === undefined || after === undefined) throw new Error("no rig");
    return { cycleCount, before, after };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function costOf(
  how: string,
  live: (rig: Rig) => Promise<void>,
): Promise<PodsCost> {
  let cost: PodsCost | undefined;
  await on(NODE, async (rig) => {
    const startMs = rig.clock.nowMs();
    await live(rig);
    const virtualMinutes = (rig.clock.nowMs() - startMs) / MINUTE_MS;
    const calls = countsOf(rig.calls);
    const changesPerPod = round(changesIn(rig.calls) / POD_COUNT, 3);
    cost = {
      how,
      virtualMinutes: round(virtualMinutes, 1),
      calls,
      changesPerPod,
    };
  });
  if (cost === undefined) throw new Error("no rig");
  return cost;
}

async function oneByOne(rig: Rig): Promise<void> {
  const lifeCount = 60;
  for (let at = 0; at < POD_COUNT + lifeCount; at++) {
    const nextMs = rig.clock.nowMs() + 1_000;
    if (at >= lifeCount) await rig.keeper.release(`pod-${at - lifeCount}`);
    if (at < POD_COUNT) await rig.lease(`pod-${at}`);
    await rig.clock.advance(Math.max(0, nextMs - rig.clock.nowMs()));
  }
}

async function inWaves(rig: Rig): Promise<void> {
  const count = 200;
  for (let at = 0; at < POD_COUNT / count; at++) {
    await fill(rig, count);
    await rig.clock.advance(MINUTE_MS);
    for (let i = 0; i < count; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(MINUTE_MS);
  }
}

async function wave(rig: Rig, count: number): Promise<void> {
  await fill(rig, count);
  for (let i = 0; i < count; i++) await rig.keeper.release(`pod-${i}`);
  await rig.clock.advance(MINUTE_MS);
  rig.news.length = 0;
}

async function heldBy(rig: Rig, journalPath: string): Promise<Held> {
  const { cloudEnis, calls } = rig;
  return {
    journalBytes: await bytesOf(journalPath),
    heapBytes: heapBytes(),
    rssBytes: Deno.memoryUsage().rss,
    cloud: cloudEnis.map(({ id, ips }) => `${id} ${ips}`),
    changes: changesIn(calls),
  };
}

/** The file and what stands beside it: the write-ahead log is part of it. */
async function bytesOf(path: string): Promise<number> {
  let bytes = 0;
  for (const name of [path, `${path}-wal`]) {
    try {
      bytes += (await Deno.stat(name)).size;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return bytes;
}

function countsOf(calls: readonly string[]): CallCounts {
  const groups = Object.entries(Object.groupBy(calls, (call) => call));
  return Object.fromEntries(
    groups.map(([api, all = []]) => [api, all.length] as const)
      .toSorted(([, a], [, b]) => b - a),
  );
}

function changesIn(calls: readonly string[]): number {
  return calls.filter((call) => !call.startsWith("Describe")).length;
}

function heapBytes(): number {
  v8.setFlagsFromString("--expose_gc");
  const collect = vm.runInNewContext("gc") as () => void;
  collect();
  return Deno.memoryUsage().heapUsed;
}
