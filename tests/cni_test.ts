/**
 * CNI as a runtime lives it: every version of the spec by the real launcher
 * and a real daemon, lists of several plugins, GC and STATUS.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createNamespace, removeNamespace } from "../netns/namespace.ts";
import {
  RefusedError,
  Runtime,
  type Sandbox,
  type Tree,
} from "./cni/runtime.ts";
import { Caller, CONF, NOBODY } from "./daemon/harness.ts";
import { runIn, seenBy } from "./fabric/inside.ts";
import { bringLoopbackUp } from "./fabric/kernel.ts";
import { findMissing, TEST_PACKAGES } from "./packages.ts";
import type { StageNode } from "./stage/description.ts";
import { openStage, type Stage } from "./stage/stage.ts";

/** Where Debian has the plugins that come after ours. */
const PLUGINS = "/usr/lib/cni";

const OURS = { type: "terway", capabilities: { bandwidth: true } };

const missing = (await findMissing(TEST_PACKAGES)).map(({ name }) => name);

/** A sandbox of this test, its namespace removed at the end. */
class Pod implements Sandbox, Disposable {
  readonly containerId: string;
  readonly netns: string;
  readonly runtimeConfig: Tree;

  constructor(node: StageNode, id: string, runtimeConfig: Tree = {}) {
    this.containerId = id;
    this.netns = `${node.netns}-${id}`;
    this.runtimeConfig = runtimeConfig;
    createNamespace(this.netns);
    bringLoopbackUp(this.netns);
  }

  [Symbol.dispose](): void {
    removeNamespace(this.netns);
  }
}

function runtimeOn(
  node: StageNode,
  cniVersion: string,
  plugins: readonly Tree[] = [OURS],
): Runtime {
  return new Runtime({
    netns: node.netns,
    path: [node.cniBinDir, PLUGINS],
    conflist: { cniVersion, name: "terway", plugins },
  });
}

function nodeOf(stage: Stage, at = 0): StageNode {
  const node = stage.description.nodes[at];
  assert(node !== undefined);
  return node;
}

Deno.test("cni: every version of the spec gets its own result, and its verbs", async (t) => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const node = nodeOf(stage);
  for (const version of ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
    await t.step(version, async () => {
      const runtime = runtimeOn(node, version);
      using pod = new Pod(node, `v${version.replaceAll(".", "")}`);
      const result = await runtime.add(pod);
      assertResult(result, { version, netns: pod.netns });
      assertEquals(await runtime.add(pod), result);
      if (version.startsWith("0.3")) {
        const error = await assertRejects(
          () => runtime.check(pod),
          RefusedError,
        );
        assertEquals(error.code, 1);
      } else await runtime.check(pod);
      await runtime.delete(pod);
      await runtime.delete(pod);
    });
  }
  assertEquals(await new Caller(stage).leases(), []);
});

/** Source: CNI spec of each version, "Result". */
function assertResult(
  result: Tree,
  { version, netns }: { version: string; netns: string },
): void {
  assertEquals(Object.keys(result).sort(), [
    ...["cniVersion", "dns", "interfaces", "ips", "routes"],
  ]);
  const { cniVersion, interfaces, ips, routes } = result as Record<
    string,
    Tree[]
  >;
  assertEquals(String(cniVersion), version);
  const isNew = version === "1.1.0";
  const mtu = isNew ? { mtu: 1500 } : {};
  const [host, pod] = interfaces ?? [];
  const mac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
  assert(mac.test(String(host?.mac)) && mac.test(String(pod?.mac)));
  assertEquals(host, { name: host?.name, mac: host?.mac, ...mtu });
  assertEquals(pod, { name: "eth0", mac: pod?.mac, sandbox: netns, ...mtu });
  const old = version.startsWith("0.") ? { version: "4" } : {};
  const gateway = "169.254.1.1";
  const [ip] = ips ?? [];
  assertEquals(ips, [
    { ...old, address: ip?.address, gateway, interface: 1 },
  ]);
  assert(/^\d+\.\d+\.\d+\.\d+\/32$/.test(String(ip?.address)));
  const detail = isNew ? { table: 254, scope: 0 } : {};
  assertEquals(routes, [{ dst: "0.0.0.0/0", gw: gateway, ...detail }]);
}

Deno.test("cni: CHECK knows a result that isn't of this pod", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using pod = new Pod(caller.node, "own");
  const env = {
    CNI_CONTAINERID: "own",
    CNI_NETNS: pod.netns,
    CNI_IFNAME: "eth0",
  };
  const own = JSON.parse(await caller.ok("ADD", env));
  await caller.ok("CHECK", env, { ...CONF, prevResult: own });
  const other = [{ address: "10.9.9.9/32", interface: 1 }];
  await caller.refused("CHECK", env, {
    code: 100,
    includes: ["terway/own/eth0", "10.9.9.9", own.ips[0].address.split("/")[0]],
  }, { ...CONF, prevResult: { ...own, ips: other } });
  await caller.refused("CHECK", env, {
    code: 7,
    includes: ["prevResult.ips.0.address", "prevResult.interfaces"],
  }, { ...CONF, prevResult: { ips: [{ address: "x" }], interfaces: 3 } });
  // What no ADD would take must not keep a DEL from its work.
  await caller.ok("DEL", env, { ...CONF, mtu: 3, prevResult: "gone bad" });
  assertEquals(await caller.leases(), []);
});

Deno.test("cni: a plugin before ours keeps its part of the result", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using pod = new Pod(caller.node, "second");
  const env = {
    CNI_CONTAINERID: "second",
    CNI_NETNS: pod.netns,
    CNI_IFNAME: "eth0",
  };
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "lo", sandbox: pod.netns }],
    ips: [{ address: "127.0.0.1/8", interface: 0 }],
  };
  const text = await caller.ok("ADD", env, { ...CONF, prevResult });
  const { interfaces, ips } = JSON.parse(text);
  assertEquals(interfaces.map(({ name }: Tree) => name).toSpliced(1, 1), [
    ...["lo", "eth0"],
  ]);
  assertEquals(ips[0], prevResult.ips[0]);
  assertEquals(ips[1].interface, 2);
  await caller.ok("DEL", env);
});

Deno.test("cni: GC takes both spellings, and an empty list for nobody", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  const runtime = runtimeOn(caller.node, "1.1.0");
  const pods = ["a", "b", "c"].map((id) => new Pod(caller.node, id));
  using stack = new DisposableStack();
  for (const pod of pods) await runtime.add(stack.use(pod));
  const valid = ["a", "b"].map((containerID) => ({
    containerID,
    ifname: "eth0",
  }));
  await caller.refused(
    "GC",
    {},
    { code: 7, includes: ["nothing was removed"] },
    {
      ...CONF,
      cniVersion: "1.1.0",
    },
  );
  assertEquals((await caller.leases()).length, 3);
  // One on each list: both stay.
  await runtime.tell("GC", {
    "cni.dev/valid-attachments": valid.slice(0, 1),
    "cni.dev/attachments": valid.slice(1),
  });
  assertEquals((await caller.leases()).length, 2);
  await runtime.tell("GC", { "cni.dev/attachments": valid.slice(1) });
  assertEquals((await caller.leases()).length, 1);
  await runtime.tell("GC", { "cni.dev/valid-attachments": valid.slice(1) });
  assertEquals((await caller.leases()).length, 1);
  await runtime.tell("GC", { "cni.dev/valid-attachments": [] });
  assertEquals(await caller.leases(), []);
  await runtime.tell("GC", NOBODY);
});

Deno.test("cni: STATUS is 50 until pods can be served, and without a daemon", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const node = nodeOf(stage);
  const runtime = runtimeOn(node, "1.1.0");
  await runtime.tell("STATUS");
  await stage.drain();
  const draining = await assertRejects(
    () => runtime.tell("STATUS"),
    RefusedError,
  );
  assertEquals(draining.code, 50);
  assertStringIncludes(draining.message, "the pool of this node is");
  await stage.killDaemon("n1");
  const absent = await assertRejects(
    () => runtime.tell("STATUS"),
    RefusedError,
  );
  assertEquals(absent.code, 50);
});

Deno.test({
  name:
    "cni: portmap, bandwidth and tuning after ours, and their ports answer" +
    (missing.length === 0 ? "" : ` (skipped: ${missing.join()} not installed)`),
  ignore: missing.length > 0,
  fn: async () => {
    await using stage = await openStage({ nodeCount: 2, zoneCount: 1 });
    const [node, other] = [nodeOf(stage), nodeOf(stage, 1)];
    const caller = new Caller(stage);
    // As every node of Kubernetes has it.
    await runIn(node.netns, ["sysctl", "net.ipv4.ip_forward=1"]);
    const runtime = runtimeOn(node, "1.0.0", [
      { type: "terway", capabilities: { portMappings: true } },
      { type: "portmap", capabilities: { portMappings: true } },
      {
        type: "tuning",
        sysctl: { "net.core.somaxconn": "500" },
      },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ]);
    const rate = { ingressRate: 100e6, ingressBurst: 10e6 };
    using pod = new Pod(node, "web", {
      portMappings: [{ hostPort: 8081, containerPort: 8080, protocol: "tcp" }],
      bandwidth: { ...rate, egressRate: 100e6, egressBurst: 10e6 },
    });
    const result = await runtime.add(pod);
    // 1.1.1 wants its rules for IPv6 too, of a pod that has none.
    await runtime.check(pod, "portmap");
    const [{ address }] = result.ips as [{ address: string }];
    const server = { netns: pod.netns, ip: address.split("/")[0] ?? "" };
    assertEquals(await seenBy(server, other.netns), other.primaryIp);
    assertEquals(
      await seenBy(server, other.netns, { ip: node.primaryIp, port: 8081 }),
      other.primaryIp,
    );
    await runIn(node.netns, ["ip", "rule", "del", "priority", "1024"]);
    const isBack = () =>
      caller.kernel().rules.some(({ priority }) => priority === 1024);
    await caller.until(isBack);
    const tuned = ["sysctl", "-n", "net.core.somaxconn"];
    assertEquals((await runIn(pod.netns, tuned)).stdout, "500\n");
    const shaped = await runIn(node.netns, ["tc", "qdisc", "show"]);
    assertStringIncludes(shaped.stdout, "tbf");
    await runtime.delete(pod);
    const after = await runIn(node.netns, ["iptables-save", "-t", "nat"]);
    assert(!after.stdout.includes("8081"), after.stdout);
    assertEquals(await caller.leases(), []);
    await stage.drain();
    assert(!isBack());
    const tables = await runIn(node.netns, ["nft", "list", "tables"]);
    assert(!tables.stdout.includes("terway"), tables.stdout);
  },
});
