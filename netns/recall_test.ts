import { assertEquals, assertStringIncludes } from "@std/assert";
import { applyPlan } from "./apply.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { PodNetwork } from "./attachment.ts";
import { exclusivePlan } from "./datapath/exclusive.ts";
import { podPlan } from "./datapath/veth.ts";
import { hostCidr } from "./ip.ts";
import { Lab, testWhere } from "./lab.ts";
import { findLinkByName } from "./link.ts";
import { findPodCard } from "./pods.ts";
import { probe } from "./probe.ts";
import { lookForRoom, recall, type Recalled } from "./recall.ts";
import { removeNamespace } from "./namespace.ts";

const { tbf, redirect } = probe();

const HOST_LINK = "cali73291bf21a5";

/** A pod whose record is lost. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly pod = this.lab.pod();

  constructor(more: Partial<PodNetwork>) {
    const { node, eni } = this.lab;
    applyPlan(this.lab.eniPlan(undefined, [4, 6]), node.routes);
    const attachment = this.lab.attachment(this.pod, 0, [4, 6]);
    applyPlan(podPlan({ ...attachment, ...more }, eni), node.routes);
  }

  recall(netns: string = this.pod.path): Recalled {
    const { node: { routes } } = this.lab;
    const { ifIndex = 0 } = findLinkByName(routes, HOST_LINK) ?? {};
    const ips = ["10.0.0.20", "fd00::20"];
    const { owner } = this.lab.attachment(this.pod, 0, [4, 6]);
    return recall({ ifIndex, mtu: 1500, netns, owner, ips }, routes);
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

const LIMITS: readonly Bandwidth[] = [
  { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 },
  { ingressBitsPerSec: 1e9 },
  { egressBitsPerSec: 1_000, egressBurstBits: 800_000 },
  { ingressBitsPerSec: 100e9, ingressBurstBits: 8e6, egressBitsPerSec: 64_000 },
];

for (const bandwidth of LIMITS) {
  testWhere({
    needs: [tbf],
    name: `recall() reads ${JSON.stringify(bandwidth)} off the kernel`,
    fn: () => {
      using scene = new Scene({ bandwidth });
      assertEquals(scene.recall(), { bandwidth });
    },
  });
}

Deno.test("recall() reads routes and rules that a plan made, of both families", () => {
  const more = {
    extraRoutes: ["192.168.7.0/24", "fd07::/64"],
    hostStackCidrs: ["169.254.20.10/32", "fd00:20::10/128"],
    podTable: 1001,
  };
  using scene = new Scene(more);
  assertEquals(scene.recall(), more);
});

testWhere({
  needs: [tbf],
  name: "recall() leaves what others made, and says what it can't look into",
  fn: () => {
    using scene = new Scene({ bandwidth: { ingressBitsPerSec: 10e6 } });
    const { lab: { node }, pod } = scene;
    pod.ip("route", "add", "192.168.9.0/24", "dev", "eth0");
    pod.run("tc", ..."qdisc add dev eth0 root handle 2: tbf".split(" "), ...[
      ..."rate 1mbit burst 10kb latency 50ms".split(" "),
    ]);
    node.ip(
      ..."rule add priority 1024 from 10.0.0.99 to 10.9.0.0/16 lookup main"
        .split(" "),
    );
    const bandwidth = { ingressBitsPerSec: 10e6 };
    assertEquals(scene.recall(), { bandwidth });
    assertEquals(scene.recall(""), {
      bandwidth,
      problem: "its namespace isn't known",
    });
    removeNamespace(pod.path);
    const { problem = "", ...found } = scene.recall();
    assertEquals(found, { bandwidth });
    assertStringIncludes(problem, pod.path);
  },
});

const OF_OWN_CARD: readonly Partial<PodNetwork>[] = [
  {},
  {
    extraRoutes: ["192.168.7.0/24", "fd07::/64"],
    hostStackCidrs: ["169.254.20.10/32", "fd00:20::10/128"],
  },
  { bandwidth: { egressBitsPerSec: 20e6 } },
  {
    bandwidth: { ingressBitsPerSec: 10e6, egressBitsPerSec: 1e9 },
    extraRoutes: ["192.168.7.0/24"],
  },
];

for (const more of OF_OWN_CARD) {
  testWhere({
    needs: [tbf, ...more.bandwidth?.ingressBitsPerSec ? [redirect] : []],
    name: `recall() reads ${JSON.stringify(more)} of a pod with its own card`,
    fn: () => {
      using lab = new Lab();
      const { node: { routes }, eni } = lab;
      const pod = lab.pod();
      const attachment = { ...lab.exclusive(pod, eni, [4, 6]), ...more };
      applyPlan(exclusivePlan(attachment), routes);
      const { owner, ips = [] } = attachment;
      const { ifIndex = 0 } = findLinkByName(routes, HOST_LINK) ?? {};
      const wish = { ifIndex, mtu: 1500, netns: pod.path, owner, ips };
      const { byPair = [], ...found } = recall(wish, routes);
      const { hostStackCidrs = [], ...rest } = more;
      assertEquals(found, rest);
      const { nodeIps = [], serviceCidrs = [] } = attachment.hostPeer ?? {};
      const ways = [
        ...[...hostStackCidrs, ...serviceCidrs],
        ...nodeIps.map(hostCidr),
      ];
      assertEquals(byPair.toSorted(), ways.toSorted());
    },
  });
}

Deno.test("findPodCard() finds a card by its MAC in the pod that has it", async () => {
  using lab = new Lab();
  const { node: { routes: host }, eni } = lab;
  const pod = lab.pod();
  const othersTurn = (): Promise<void> => Promise.resolve();
  const find = () =>
    findPodCard(eni.mac, { host, pairedOnly: true, othersTurn });
  assertEquals(await find(), undefined, "it is on the node");
  applyPlan(exclusivePlan(lab.exclusive(pod, eni)), host);
  const { name, mac } = await find() ?? {};
  assertEquals([name, mac], ["eth0", eni.mac]);
});

Deno.test("lookForRoom() sees another interface's default route, and the tables in use", () => {
  using scene = new Scene({});
  const { pod: { path: netns } } = scene;
  const room = (netns: string, ifName: string) => {
    const { hasDefaultRoute, tables } = lookForRoom({ netns, ifName });
    return [ifName, hasDefaultRoute, tables.includes(1001)];
  };
  assertEquals(room(netns, "eth0"), ["eth0", false, false]);
  assertEquals(room(netns, "net1"), ["net1", true, false]);
  using second = new Scene({ podTable: 1001 });
  assertEquals(room(second.pod.path, "net2"), ["net2", false, true]);
});
