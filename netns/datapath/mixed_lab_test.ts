/**
 * Pods of every datapath on one node: whatever the order of applying, damaging
 * and removing, the kernel holds what was asked for last, and nothing else.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { applyPlan } from "../apply.ts";
import { comparePlan } from "../compare.ts";
import { dumpNamespace, type NamespaceDump } from "../dump.ts";
import { Lab, type Room } from "../lab.ts";
import { deleteLink, findLinkByMac, setLink } from "../link.ts";
import { removePlan } from "../remove.ts";
import type { RouteSocket } from "../socket.ts";
import type { Plan } from "../step.ts";
import { exclusivePlan } from "./exclusive.ts";
import { vpcNodePlan, vpcPlan } from "./vpc.ts";

const POD_CIDR = "172.30.0.0/24";

/** A node, two cards for a pod each, and a pod of every kind. */
class Scene implements Disposable {
  readonly lab: Lab = new Lab();
  readonly host: RouteSocket = this.lab.node.routes;
  readonly pods: readonly Room[] = [0, 1, 2, 3].map(() => this.lab.pod());
  readonly plans: readonly Plan[];

  constructor() {
    const { lab } = this;
    const card = lab.attach("eth2", "00:16:3e:00:00:02");
    applyPlan(lab.eniPlan(undefined, [4, 6]), this.host);
    applyPlan(vpcNodePlan(POD_CIDR), this.host);
    const [routed, alone, mixed, third] = this.pods as [Room, Room, Room, Room];
    const owner = { ...lab.network(mixed, 2).owner, ifName: "net1" };
    this.plans = [
      lab.plan(routed, 0, [4, 6]),
      exclusivePlan(lab.exclusive(alone, card, [4, 6], 3)),
      vpcPlan({
        recipe: "vpc/1",
        ...lab.network(mixed, 1),
        ip: "172.30.0.4",
        podCidr: POD_CIDR,
      }),
      vpcPlan({
        recipe: "vpc/1",
        ...lab.network(third, 2),
        owner,
        ip: "172.30.0.5",
        podCidr: POD_CIDR,
        podTable: 1001,
      }),
    ];
  }

  dumps(): NamespaceDump[] {
    return [this.lab.node, ...this.pods].map(({ routes }) => {
      const dump = dumpNamespace(routes);
      // A card that comes home may get another index.
      const links = dump.links.toSorted((a, b) => a.name < b.name ? -1 : 1);
      return { ...dump, links };
    });
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/** Takes a pod's pair away, or its card home, behind the plan's back. */
function cut(plan: Plan, { host, lab, pods }: Scene): void {
  for (const step of plan.steps) {
    if (step.kind === "veth") {
      const link = findLinkByMac(host, step.host.mac);
      if (link !== undefined) deleteLink(host, link.ifIndex);
    }
    if (step.kind !== "moveLink") continue;
    const pod = pods.find(({ path }) => path === plan.netns)?.routes;
    const link = pod && findLinkByMac(pod, step.mac);
    if (pod === undefined || link === undefined) continue;
    const { namespace } = lab.node;
    setLink(pod, link.ifIndex, { namespace, name: "stray0" });
  }
}

Deno.test("pods of every datapath, in any order, leave exactly what was asked for last", async () => {
  using scene = new Scene();
  const { host, plans } = scene;
  const empty = scene.dumps();
  const operation = fc.record({
    verb: fc.constantFrom("apply", "remove", "cut"),
    plan: fc.constantFrom(...plans),
  });
  const operations = fc.array(operation, { maxLength: 8 });
  const holds = fc.asyncProperty(operations, async (operations) => {
    const wanted = new Set<Plan>();
    for (const { verb, plan } of operations) {
      if (verb === "apply") applyPlan(plan, host);
      else if (verb === "remove") await removePlan(plan, host).done;
      else cut(plan, scene);
      if (verb === "apply") wanted.add(plan);
      if (verb === "remove") wanted.delete(plan);
    }
    for (const plan of wanted) {
      applyPlan(plan, host); // the sweep
      assertEquals(comparePlan(plan, host), []);
    }
    await Promise.all(plans.map((plan) => removePlan(plan, host).done));
    assertEquals(scene.dumps(), empty);
  });
  await fc.assert(holds, { numRuns: 12 });
});

Deno.test("a pod with a card and a pair, and one with two cards, route by source", async () => {
  using lab = new Lab();
  const { node } = lab;
  const host = node.routes;
  const cards = ["02", "03"].map((last, i) =>
    lab.attach(`eth${2 + i}`, `00:16:3e:00:00:${last}`)
  );
  const [first, second] = cards as [typeof lab.eni, typeof lab.eni];
  const pod = lab.pod();
  const eth0 = exclusivePlan(lab.exclusive(pod, first));
  const { hostPeer: _, ...beside } = lab.exclusive(pod, second);
  const net1 = exclusivePlan({
    ...beside,
    owner: { ...beside.owner, ifName: "net1" },
    ip: "10.0.0.30",
    podTable: 1001,
  });
  const third = lab.attachment(pod, 3);
  const net2 = vpcPlan({
    ...third,
    recipe: "vpc/1",
    owner: { ...third.owner, ifName: "net2" },
    ip: "172.30.0.9",
    podCidr: POD_CIDR,
    podTable: 1002,
  });
  const before = dumpNamespace(pod.routes);
  const plans = [eth0, net1, net2];
  for (const plan of plans) applyPlan(plan, host);
  for (const plan of plans) assertEquals(comparePlan(plan, host), []);
  const way = (words: string): string =>
    /dev (\w+)/.exec(pod.ip(...`route get ${words}`.split(" ")))?.[1] ?? "";
  assertEquals(way("8.8.8.8"), "eth0");
  assertEquals(way("10.0.0.77"), "eth0");
  assertEquals(way("8.8.8.8 from 10.0.0.30"), "net1");
  assertEquals(way("10.0.0.77 from 10.0.0.30"), "net1");
  assertEquals(way("8.8.8.8 from 172.30.0.9"), "net2");
  assertEquals(way("8.8.8.8 oif net2"), "net2");
  assertEquals(way("10.0.0.10"), "veth1");
  assertEquals(way("172.16.0.1"), "veth1");
  await removePlan(net1, host).done;
  assertEquals(way("8.8.8.8 from 172.30.0.9"), "net2");
  assertEquals(comparePlan(eth0, host), []);
  for (const plan of plans) await removePlan(plan, host).done;
  assertEquals(dumpNamespace(pod.routes), before);
});
