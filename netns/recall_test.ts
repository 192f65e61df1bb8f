import { assertEquals, assertStringIncludes } from "@std/assert";
import { applyPlan } from "./apply.ts";
import type { Bandwidth } from "./bandwidth.ts";
import type { PodNetwork } from "./attachment.ts";
import { podPlan } from "./datapath/veth.ts";
import { Lab, testWhere } from "./lab.ts";
import { findLinkByName } from "./link.ts";
import { probe } from "./probe.ts";
import { lookForRoom, recall, type Recalled } from "./recall.ts";
import { removeNamespace } from "./namespace.ts";

const { tbf } = probe();

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
    return recall({ ifIndex, mtu: 1500, netns, ifName: "eth0", ips }, routes);
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
