/**
 * Nothing leaks: plans by the thousand on bare sockets, in a process of its
 * own, whose memory and descriptors are nobody else's.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { exclusivePlan } from "./datapath/exclusive.ts";
import { livingObjectCount } from "./ffi.ts";
import { openKernel } from "./kernel.ts";
import { Lab } from "./lab.ts";
import { removePlan } from "./remove.ts";

const PLAN_COUNT = 2_000;
/** Of the process: V8 and the allocator keep pages in steps of 10 to 20 MB. */
const GROWTH_MB = 32;
/** Of JavaScript's own objects, after a collection: 500 bytes a plan. */
const HEAP_GROWTH_MB = 1;
const POD_COUNT = 40;

interface Figures {
  readonly growthMb: number;
  readonly heapGrowthMb: number;
  readonly fdGrowth: number;
  readonly livingGrowth: number;
  readonly differenceCount: number;
  readonly kernelFdGrowth: number;
}

/** Applies, compares and removes; measures after the first tenth. */
async function endure(): Promise<Figures> {
  using lab = new Lab();
  const host = lab.node.routes;
  const pods = Array.from({ length: POD_COUNT }, () => lab.pod());
  const alone = lab.pod();
  const card = lab.attach("eth2", "00:16:3e:00:00:02");
  let differenceCount = 0;
  const turn = async (): Promise<void> => {
    const plans = pods.map((pod, i) => lab.plan(pod, i));
    for (const plan of plans) applyPlan(plan, host);
    for (const plan of plans) differenceCount += comparePlan(plan, host).length;
    const moved = exclusivePlan(lab.exclusive(alone, card, [4], POD_COUNT));
    applyPlan(moved, host);
    const all = [...plans, moved];
    await Promise.all(all.map((plan) => removePlan(plan, host).done));
  };
  const turnCount = PLAN_COUNT / POD_COUNT;
  for (let i = 0; i < turnCount / 10; i++) await turn();
  const before = measure();
  for (let i = 0; i < turnCount; i++) await turn();
  const after = measure();
  return {
    growthMb: (after.rss - before.rss) / 1e6,
    heapGrowthMb: (after.heapUsed - before.heapUsed) / 1e6,
    fdGrowth: after.fdCount - before.fdCount,
    livingGrowth: after.living - before.living,
    differenceCount,
    kernelFdGrowth: await openAndClose(lab),
  };
}

/** Opens and closes kernels: how many descriptors are left over. */
async function openAndClose(lab: Lab): Promise<number> {
  const plan = lab.plan(lab.pod());
  const round = async (): Promise<void> => {
    await using kernel = await openKernel({ netns: lab.node.path });
    await kernel.apply(plan);
    await kernel.remove(plan);
  };
  await round();
  const before = measure().fdCount;
  for (let i = 0; i < 5; i++) await round();
  // The runtime closes its own of an ended Worker when it likes.
  for (let i = 0; i < 100 && measure().fdCount > before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return Math.max(0, measure().fdCount - before);
}

interface Measure {
  readonly rss: number;
  readonly heapUsed: number;
  readonly fdCount: number;
  readonly living: number;
}

/** `--expose-gc`, which the child is started with. */
declare const gc: () => void;

function measure(): Measure {
  gc();
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    rss,
    heapUsed,
    fdCount: [...Deno.readDirSync("/proc/self/fd")].length,
    living: livingObjectCount(),
  };
}

if (Deno.args[0] === "endure") {
  const bytes = new TextEncoder().encode(JSON.stringify(await endure()));
  Deno.stdout.writeSync(bytes);
}

Deno.test(`applyPlan() and removePlan() ${PLAN_COUNT} times leave memory and descriptors flat`, async (t) => {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--expose-gc",
      import.meta.filename ?? "",
      "endure",
    ],
    stderr: "inherit",
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  const figures: Figures = JSON.parse(text);
  const { growthMb, heapGrowthMb } = figures;
  const said = `${growthMb.toFixed(1)} MB, its heap by ${
    heapGrowthMb.toFixed(2)
  } MB`;
  await t.step(`the process grew by ${said}`, () => {
    assertLess(growthMb, GROWTH_MB);
    assertLess(heapGrowthMb, HEAP_GROWTH_MB);
  });
  assertEquals(figures.fdGrowth, 0);
  assertEquals(figures.livingGrowth, 0);
  assertEquals(figures.differenceCount, 0);
  assertEquals(figures.kernelFdGrowth, 0);
});
