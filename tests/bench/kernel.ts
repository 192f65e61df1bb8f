/**
 * The kernel's part of ADD, CHECK and DEL: what the daemon waits for when it
 * asks its kernel thread to apply, compare and remove a pod's plan.
 *
 * `settled` is when a removed pod's last link is gone, which nobody waits for.
 * `thread` is the way to the kernel thread and back alone, after a rest as long
 * as that before `apply`: a part of `apply` in which nothing is done.
 *
 * @module
 */
import { vpcPlan } from "../../netns/datapath/vpc.ts";
import { exclusivePlan } from "../../netns/datapath/exclusive.ts";
import type { Family } from "../../netns/ip.ts";
import { type Kernel, openKernel } from "../../netns/kernel.ts";
import { Lab, type Room } from "../../netns/lab.ts";
import { findLinkByMac } from "../../netns/link.ts";
import type { Plan } from "../../netns/step.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { NETWORK_PACKAGES } from "../packages.ts";
import type { Part, PartOptions } from "./part.ts";
import { quiet } from "./rig.ts";

const WARM_UP_COUNT = 10;

/** How a pod of each datapath is planned. */
const DATAPATHS: Readonly<Record<string, (lab: Lab, pod: Room) => Plan>> = {
  policyRouting: (lab, pod) => lab.plan(pod),
  policyRoutingDualStack: (lab, pod) => lab.plan(pod, 1, [4, 6]),
  vpcRoute: (lab, pod) =>
    vpcPlan({
      ...lab.network(pod, 2),
      recipe: "vpc/1",
      podCidr: "10.0.0.0/24",
    }),
  exclusiveEni: (lab, pod) => exclusive(lab, pod, [4]),
  exclusiveEniDualStack: (lab, pod) => exclusive(lab, pod, [4, 6]),
};

/** In the order in which a pod meets them. */
const DEEDS: Readonly<
  Record<string, (kernel: Kernel, plan: Plan) => Promise<unknown>>
> = {
  apply: (kernel, plan) => kernel.apply(plan),
  compare: (kernel, plan) => kernel.compare(plan),
  remove: (kernel, plan) => kernel.remove(plan),
  settled: (kernel) => kernel.settled(),
};

/** The kernel's part. */
export const kernelWork: Part = {
  name: "kernelMs",
  title: "the kernel's part of ADD, CHECK and DEL",
  needs: NETWORK_PACKAGES,
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, unknown>> {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  await kernel.apply(lab.eniPlan(lab.eni.mac, [4, 6]));
  lab.attach("eth2", EXCLUSIVE_MAC);
  const series = new Map<string, number[]>();
  const threadMs: number[] = [];
  for (let round = -WARM_UP_COUNT; round < roundCount; round++) {
    const beganMs = performance.now();
    await kernel.settled();
    if (round >= 0) threadMs.push(performance.now() - beganMs);
    await quiet();
    for (const [name, planOf] of Object.entries(DATAPATHS)) {
      const plan = planOf(lab, lab.pod());
      for (const [deed, work] of Object.entries(DEEDS)) {
        const startMs = performance.now();
        await work(kernel, plan);
        const tookMs = performance.now() - startMs;
        if (round < 0) continue;
        const key = `${name} ${deed}`;
        series.set(key, [...series.get(key) ?? [], tookMs]);
      }
      await quiet();
    }
  }
  const kernelMs = Object.fromEntries(
    Object.keys(DATAPATHS).map((name) => [
      name,
      Object.fromEntries(
        Object.keys(DEEDS).map((deed): [string, Figures] => [
          deed,
          figuresOf(series.get(`${name} ${deed}`) ?? []),
        ]),
      ),
    ]),
  );
  const thread = figuresOf(threadMs);
  say(`thread                 p50 ${thread.p50Ms} (p5 ${thread.p5Ms}) ms`);
  for (const [name, deeds] of Object.entries(kernelMs)) {
    const told = Object.entries(deeds).map(([deed, { p5Ms, p50Ms, p95Ms }]) =>
      `${deed} p50 ${p50Ms} (p5 ${p5Ms}, p95 ${p95Ms})`
    );
    say(`${name.padEnd(22)} ${told.join(", ")} ms`);
  }
  return { kernelMs: { thread, ...kernelMs } };
}

const EXCLUSIVE_MAC = "00:16:3e:00:00:02";

/** The card comes home under another index each time. */
function exclusive(lab: Lab, pod: Room, families: readonly Family[]): Plan {
  const card = findLinkByMac(lab.node.routes, EXCLUSIVE_MAC);
  if (card === undefined) throw new Error("the card hasn't come home");
  return exclusivePlan(lab.exclusive(pod, card, families));
}
