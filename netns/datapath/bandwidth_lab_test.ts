/** Every datapath's limits in a kernel: made, compared, and gone with the pod. */
import { assertEquals } from "@std/assert";
import { applyPlan } from "../apply.ts";
import type { Bandwidth } from "../bandwidth.ts";
import { comparePlan } from "../compare.ts";
import { livingObjectCount } from "../ffi.ts";
import { Lab, type Room, testWhere } from "../lab.ts";
import { findLinkByMac, listLinks } from "../link.ts";
import { probe } from "../probe.ts";
import { removePlan } from "../remove.ts";
import type { Plan } from "../step.ts";
import { exclusivePlan } from "./exclusive.ts";
import { podPlan } from "./veth.ts";
import { vpcPlan } from "./vpc.ts";

const { tbf, redirect } = probe();
const needs = [tbf, redirect];

const CYCLE_COUNT = 20;
const LIMITS: Bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };

/** What each datapath makes of the limits: on the node, in the pod. */
const DATAPATHS = {
  "veth/1": { node: [10e6], pod: [20e6] },
  "vpc/1": { node: [10e6], pod: [20e6] },
  // By card, by veth1, and the ifb of both.
  "exclusive/1": { node: [], pod: [10e6, 20e6, 20e6] },
} as const;

type Recipe = keyof typeof DATAPATHS;

function planOf(recipe: Recipe, lab: Lab, pod: Room): Plan {
  const bandwidth = LIMITS;
  const { owner, netns, mtu } = lab.attachment(pod);
  switch (recipe) {
    case "veth/1":
      return podPlan({ ...lab.attachment(pod), bandwidth }, lab.eni);
    case "vpc/1":
      return vpcPlan({
        ...{ recipe, owner, netns, mtu, bandwidth },
        ip: "172.30.0.4",
        podCidr: "172.30.0.0/24",
      });
    case "exclusive/1": {
      const card = findLinkByMac(lab.node.routes, lab.eni.mac) ?? lab.eni;
      return exclusivePlan({ ...lab.exclusive(pod, card), bandwidth });
    }
  }
}

/** The buckets' rates in bits per second, the slowest first. */
function rates(room: Room): number[] {
  const qdiscs = JSON.parse(room.run("tc", "-j", "qdisc", "show"));
  return qdiscs.filter(({ kind }: { kind: string }) => kind === "tbf")
    .map(({ options }: { options: { rate: number } }) => options.rate * 8)
    .sort((a: number, b: number) => a - b);
}

for (const recipe of Object.keys(DATAPATHS) as Recipe[]) {
  testWhere({
    needs,
    name: `${recipe} limits a pod both ways, and its limits go with it`,
    fn: async () => {
      using lab = new Lab();
      const { node } = lab;
      const pod = lab.pod();
      const turn = async (): Promise<void> => {
        const plan = planOf(recipe, lab, pod);
        applyPlan(plan, node.routes);
        assertEquals(comparePlan(plan, node.routes), []);
        const { node: onNode, pod: inPod } = DATAPATHS[recipe];
        assertEquals([rates(node), rates(pod)], [[...onNode], [...inPod]]);
        await removePlan(plan, node.routes).done;
        assertEquals([rates(node), rates(pod)], [[], []]);
        const left = listLinks(pod.routes).map(({ name }) => name);
        assertEquals(left, ["lo"]);
      };
      await turn();
      const living = livingObjectCount();
      for (let i = 0; i < CYCLE_COUNT; i++) await turn();
      assertEquals(livingObjectCount(), living);
    },
  });
}
