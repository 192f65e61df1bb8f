/**
 * `deno task bench [--json] [--rounds N]`: what terway costs, as ratios
 * against a peer that ran in between. Nothing here passes or fails.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { buildLauncher } from "../../deploy/launcher/build.ts";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import { askDaemon } from "../stage/daemon.ts";
import { openStage, type Stage } from "../stage/stage.ts";
import { contenders, measureVerbs, type VerbFigures } from "./add.ts";
import { percentile, round } from "./figures.ts";
import { Runner } from "./runner.ts";

/** 7 ENIs for pods, 30 addresses each. */
const INSTANCE_TYPE = "ecs.g7.4xlarge";

/** Two ADDs a round, and released addresses rest for 30 s. */
const POOL_COUNT = 200;

/** How many pods stand on the node when its memory is read. */
const POD_COUNT = 100;

const COMPILED = new URL("../../dist/terway", import.meta.url).pathname;

/** All that one run found. */
interface Report {
  readonly verbs: VerbFigures;
  readonly ratioToPtp: Record<string, number>;
  readonly daemonShareOfAddMs: { readonly p50: number; readonly p95: number };
  readonly memoryMb: { readonly idle: number; readonly pods100: number };
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    boolean: ["json"],
    string: ["rounds"],
    default: { rounds: "60" },
  });
  if (!(await buildLauncher()).ok) say("the launcher can't be built: skipped");
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    instanceType: INSTANCE_TYPE,
    config: { min_pool_size: POOL_COUNT, max_pool_size: POOL_COUNT },
  });
  await untilIdle(stage, POOL_COUNT);
  const idle = await memoryMb(stage);
  const [node] = stage.description.nodes;
  if (node === undefined) throw new Error("the stage has no node");
  const beside = `${node.netns}-ptp`;
  createNamespace(beside);
  try {
    bringLoopbackUp(beside);
    const who = await contenders(stage, COMPILED);
    const verbs = await measureVerbs(who, {
      roundCount: Number(flags.rounds),
      warmUpCount: 5,
      dir: stage.dir,
    });
    const share = await daemonShare(stage);
    const pods100 = await withPods(stage, () => memoryMb(stage));
    report({
      verbs,
      ratioToPtp: ratios(verbs),
      daemonShareOfAddMs: share,
      memoryMb: { idle, pods100 },
    }, flags.json);
  } finally {
    removeNamespace(beside);
  }
}

function ratios(verbs: VerbFigures): Record<string, number> {
  const peer = verbs.ptp?.add?.p50Ms ?? NaN;
  return Object.fromEntries(
    Object.entries(verbs).map((
      [name, figures],
    ) => [name, round((figures.add?.p50Ms ?? NaN) / peer, 2)]),
  );
}

/** The daemon writes what each ADD took into its log. */
async function daemonShare(
  stage: Stage,
): Promise<{ p50: number; p95: number }> {
  const text = await Deno.readTextFile(stage.daemon("n1").log);
  const took = text.split("\n")
    .filter((line) => line.includes('"msg":"attached"'))
    .map((line): number => JSON.parse(line).took_ms);
  return { p50: percentile(took, 0.5), p95: percentile(took, 0.95) };
}

async function withPods<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  const [launcher] = await contenders(stage, COMPILED);
  if (launcher === undefined) throw new Error("there is no launcher");
  await untilIdle(stage, POD_COUNT);
  const { plugin, netns: node, conf } = launcher;
  const file = `${stage.dir}/pods.json`;
  await Deno.writeTextFile(file, JSON.stringify(conf));
  await using runner = new Runner({
    netns: node,
    dir: stage.dir,
    cniPath: "/usr/lib/cni",
  });
  const pods = Array.from({ length: POD_COUNT }, (_, at) => `${node}-pod${at}`);
  const call = async (verb: string, netns: string): Promise<void> => {
    const containerId = netns.slice(netns.lastIndexOf("-") + 1);
    const ran = await runner.run({
      plugin,
      verb,
      containerId,
      netns,
      conf: file,
    });
    if (ran.status !== 0) throw new Error(`${verb} failed: ${ran.said}`);
  };
  try {
    for (const netns of pods) {
      createNamespace(netns);
      await call("ADD", netns);
    }
    return await work();
  } finally {
    for (const netns of pods) {
      await call("DEL", netns);
      removeNamespace(netns);
    }
  }
}

async function untilIdle(stage: Stage, count: number): Promise<void> {
  const deadlineMs = performance.now() + 120_000;
  while (performance.now() < deadlineMs) {
    const { pool } = await status(stage);
    if ((pool as { slots: { idle: number } }).slots.idle >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the pool never had ${count} idle addresses`);
}

async function memoryMb(stage: Stage): Promise<number> {
  const { memory } = await status(stage);
  return round((memory as { rssBytes: number }).rssBytes / 2 ** 20, 1);
}

function status(stage: Stage): Promise<Readonly<Record<string, unknown>>> {
  const socket = stage.description.nodes[0]?.socket ?? "";
  return askDaemon(socket, "status", AbortSignal.timeout(5_000));
}

function report(found: Report, asJson: boolean): void {
  if (asJson) return say(JSON.stringify(found));
  for (const [name, verbs] of Object.entries(found.verbs)) {
    for (const [verb, { p50Ms, p95Ms, count }] of Object.entries(verbs)) {
      if (count === 0) continue;
      say(
        `${name.padEnd(9)} ${verb.padEnd(6)} p50 ${p50Ms} ms, p95 ${p95Ms} ` +
          `ms, n ${count}`,
      );
    }
  }
  for (const [name, ratio] of Object.entries(found.ratioToPtp)) {
    say(`${name.padEnd(9)} add    ${ratio} x ptp`);
  }
  const { p50, p95 } = found.daemonShareOfAddMs;
  say(`daemon's share of an ADD: p50 ${p50} ms, p95 ${p95} ms`);
  say(
    `daemon's memory: idle ${found.memoryMb.idle} MiB, with ${POD_COUNT} ` +
      `pods ${found.memoryMb.pods100} MiB`,
  );
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
}

if (import.meta.main) await main();
