/**
 * A daemon under bad input, bad luck and kill -9: what the caller hears, and
 * that nothing is left in kernel, journal or cloud.
 */
import {
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { statusProblems } from "../modes/status_schema.ts";
import { ask, encodeBody, type Reply } from "../modes/wire.ts";
import { dumpNamespace, type NamespaceDump } from "../netns/dump.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "../netns/namespace.ts";
import { openRoutes } from "../netns/socket.ts";
import { FAULTS } from "./emulators/alibaba/faults.ts";
import { askDaemon } from "./stage/daemon.ts";
import type { StageNode } from "./stage/description.ts";
import { openStage, type Stage } from "./stage/stage.ts";

/** A GC's list that nobody is on. */
const NOBODY = {
  cniVersion: "1.1.0",
  name: "terway",
  type: "terway",
  "cni.dev/valid-attachments": [],
};

const CONF = { cniVersion: "1.0.0", name: "terway", type: "terway" };

/** A sandbox of this test, its namespace removed at the end. */
class Sandbox implements Disposable {
  readonly netns: string;
  readonly env: Record<string, string>;

  constructor(stage: Stage, id: string) {
    this.netns = `${stage.description.nodes[0]?.netns}-${id}`;
    createNamespace(this.netns);
    this.env = {
      CNI_CONTAINERID: id,
      CNI_NETNS: this.netns,
      CNI_IFNAME: "eth0",
      CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${id}`,
    };
  }

  [Symbol.dispose](): void {
    removeNamespace(this.netns);
  }
}

/** Speaks to the daemon of a stage's first node as a relay does. */
class Caller {
  readonly node: StageNode;

  constructor(stage: Stage) {
    const [node] = stage.description.nodes;
    if (node === undefined) throw new Error("the stage has no node");
    this.node = node;
  }

  async call(
    verb: string,
    env: Record<string, string>,
    conf: unknown = CONF,
    signal: AbortSignal = AbortSignal.timeout(30_000),
  ): Promise<Reply> {
    const text = typeof conf === "string" ? conf : JSON.stringify(conf);
    return await ask(this.node.socket, {
      variables: new Map(Object.entries({ CNI_COMMAND: verb, ...env })),
      stdin: new TextEncoder().encode(text),
    }, signal);
  }

  async ok(
    verb: string,
    env: Record<string, string>,
    conf: unknown = CONF,
  ): Promise<string> {
    const { status, document } = await this.call(verb, env, conf);
    assertEquals([status, status === 0 ? "" : document], [0, ""]);
    return document;
  }

  /** The call fails with this code, and its text has all of these. */
  async refused(
    verb: string,
    env: Record<string, string>,
    expected: { code: number; includes: readonly string[] },
    conf: unknown = CONF,
  ): Promise<void> {
    const { status, document } = await this.call(verb, env, conf);
    assertEquals(status, 1, document);
    const { cniVersion, code, msg, details } = JSON.parse(document);
    assertEquals([code, typeof details], [expected.code, "string"], document);
    assertMatch(cniVersion, /^\d\.\d\.\d$/);
    for (const part of expected.includes) {
      assertStringIncludes(`${msg} ${details}`, part);
    }
  }

  async leases(): Promise<readonly { ip: string }[]> {
    const { leases } = await askDaemon(
      this.node.socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    return leases as { ip: string }[];
  }

  async waitingCount(): Promise<number> {
    const { pool } = await askDaemon(
      this.node.socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    return (pool as { claims: unknown[] }).claims.length;
  }

  kernel(): NamespaceDump {
    using namespace = openNamespace(this.node.netns);
    using routes = openRoutes(namespace);
    return dumpNamespace(routes);
  }

  /** Until a condition holds; the test's own deadline is 20 s. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + 20_000;
    while (!await holds()) {
      if (performance.now() > deadlineMs) throw new Error("it never held");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function dumpOf(netns: string): NamespaceDump {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  return dumpNamespace(routes);
}

function bodyOf(
  env: Record<string, string>,
  conf: unknown,
): Uint8Array<ArrayBuffer> {
  return encodeBody({
    variables: new Map(Object.entries(env)),
    stdin: new TextEncoder().encode(JSON.stringify(conf)),
  });
}

function ipOf(document: string): string {
  return JSON.parse(document).ips[0].address;
}

Deno.test("terway daemon refuses what no call can mean, and leaves nothing", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "bad");
  const before = [
    caller.kernel(),
    dumpOf(sandbox.netns),
    stage.region.cloud.dump(),
  ];
  const { env } = sandbox;

  await caller.refused("ADD", env, { code: 6, includes: ["JSON"] }, "{{");
  await caller.refused("ADD", env, { code: 1, includes: ["7.7.7"] }, {
    ...CONF,
    cniVersion: "7.7.7",
  });
  await caller.refused("FROB", env, { code: 4, includes: ["CNI_COMMAND"] });
  await caller.refused("ADD", {}, {
    code: 4,
    includes: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  });
  await caller.refused("ADD", { ...env, CNI_IFNAME: "a/b" }, {
    code: 4,
    includes: ["CNI_IFNAME", "a/b"],
  });
  await caller.refused("ADD", { ...env, CNI_NETNS: "/run/netns/no-such" }, {
    code: 4,
    includes: ["/run/netns/no-such"],
  });
  await caller.refused("ADD", { ...env, CNI_NETNS: "/etc/passwd" }, {
    code: 4,
    includes: ["/etc/passwd"],
  });
  await caller.refused("ADD", { ...env, CNI_NETNS: caller.node.netns }, {
    code: 4,
    includes: [caller.node.netns],
  });
  await caller.refused("CHECK", env, {
    code: 100,
    includes: ["terway/bad/eth0"],
  });
  await caller.ok("DEL", env);
  await caller.ok("DEL", { ...env, CNI_NETNS: "" });

  assertEquals(await caller.leases(), []);
  assertEquals(
    [caller.kernel(), dumpOf(sandbox.netns), stage.region.cloud.dump()],
    before,
  );
});

Deno.test("terway daemon gives one owner one address, and CHECK names what is amiss", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "one");
  const { env } = sandbox;

  const first = await caller.ok("ADD", env);
  const signal = AbortSignal.timeout(5_000);
  const status = await askDaemon(caller.node.socket, "status", signal);
  assertEquals(statusProblems(status), []);
  assertEquals(await caller.ok("ADD", env), first);
  assertEquals((await caller.leases()).length, 1);
  await caller.ok("CHECK", env, { ...CONF, prevResult: JSON.parse(first) });

  const ip = ipOf(first).split("/")[0];
  const deleted = await new Deno.Command("nsenter", {
    args: [`--net=${caller.node.netns}`, "ip", "rule", "del", "from", `${ip}`],
  }).output();
  assertEquals(deleted.code, 0);
  await caller.refused("CHECK", env, {
    code: 100,
    includes: ["missing", `ip rule add priority 2048 from ${ip}/32`],
  });
  assertEquals(await caller.ok("ADD", env), first);
  await caller.ok("CHECK", env);

  await caller.ok("DEL", env);
  await caller.ok("DEL", env);
  assertEquals(await caller.leases(), []);
});

Deno.test("terway daemon collects what a GC's list doesn't name", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using stays = new Sandbox(stage, "stays");
  using goes = new Sandbox(stage, "goes");
  const kept = await caller.ok("ADD", stays.env);
  await caller.ok("ADD", goes.env);
  const list = { containerID: "stays", ifname: "eth0" };
  await caller.ok("GC", {}, { ...NOBODY, name: "another" });
  assertEquals((await caller.leases()).length, 2);
  await caller.ok("GC", {}, { ...NOBODY, "cni.dev/valid-attachments": [list] });
  assertEquals((await caller.leases()).map(({ ip }) => `${ip}/32`), [
    ipOf(kept),
  ]);
  await caller.ok("GC", {}, NOBODY);
  assertEquals(await caller.leases(), []);
  await caller.ok("STATUS", {}, { ...CONF, cniVersion: "1.1.0" });
});

Deno.test("terway daemon leaves an interface that is somebody else's alone", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "taken");
  await new Deno.Command("nsenter", {
    args: [
      `--net=${sandbox.netns}`,
      ...["ip", "link", "add", "eth0", "type", "veth", "peer", "x1"],
    ],
  }).output();
  const before = dumpOf(sandbox.netns);
  await caller.refused("ADD", sandbox.env, { code: 102, includes: ["eth0"] });
  await caller.ok("DEL", sandbox.env);
  assertEquals(dumpOf(sandbox.netns), before);
  assertEquals(await caller.leases(), []);
  await caller.until(() =>
    caller.kernel().links.every((link) => !link.name.startsWith("cali"))
  );
});

Deno.test("terway daemon says why there is no address, and tries on", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    daemonFlags: ["--add-deadline", "1"],
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "wait");
  const { cloud } = stage.region;

  cloud.faults.add(FAULTS.denied, { action: "CreateNetworkInterface" });
  await caller.refused("ADD", sandbox.env, {
    code: 11,
    includes: ["CreateNetworkInterface", "Forbidden.RAM"],
  });
  assertEquals(await caller.leases(), []);
});

Deno.test("terway daemon fills a node exactly, then refuses at once", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    instanceType: "ecs.g6.large", // 2 ENIs of 6 addresses
  });
  const caller = new Caller(stage);
  using pods = new DisposableStack();
  const ips = new Set<string>();
  for (const name of ["f1", "f2", "f3", "f4", "f5", "f6"]) {
    const pod = pods.use(new Sandbox(stage, name));
    ips.add(ipOf(await caller.ok("ADD", pod.env)));
  }
  assertEquals(ips.size, 6);
  using more = new Sandbox(stage, "f7");
  await caller.refused("ADD", more.env, { code: 11, includes: ["6 of 6"] });
  assertEquals((await caller.leases()).length, 6);
});

Deno.test("terway daemon leaves ENIs as they are when it may not plug", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { hot_plug: false, min_pool_size: 2 },
    daemonFlags: ["--add-deadline", "1"],
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "noplug");
  const before = stage.region.cloud.dump();
  await caller.refused("ADD", sandbox.env, {
    code: 11,
    includes: ["hot_plug"],
  });
  assertEquals(stage.region.cloud.dump(), before);
});

Deno.test("terway daemon outlives a cloud that times out or answers garbage", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "luck");
  const { cloud } = stage.region;
  for (const fault of [FAULTS.garbage, FAULTS.lost, FAULTS.internal]) {
    cloud.faults.add(fault, { action: "CreateNetworkInterface" });
  }
  cloud.faults.add(FAULTS.timeout, { action: "AttachNetworkInterface" });
  await caller.ok("ADD", sandbox.env);
  const secondaries = cloud.dump().enis.filter((eni) =>
    eni.type === "Secondary"
  );
  assertEquals(secondaries.length, 1, "the token makes a repeated call safe");
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});

Deno.test("terway daemon undoes an ADD whose caller dies, waiting or served", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "gone");
  const before = caller.kernel();
  await caller.call("ADD", sandbox.env, CONF, AbortSignal.timeout(30))
    .catch(() => {});
  await caller.until(async () => (await caller.waitingCount()) === 0);
  assertEquals(await caller.leases(), []);
  assertEquals(caller.kernel().rules, before.rules);
});

Deno.test("terway daemon ends an ADD that waits when its DEL comes", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "crossed");
  stage.region.cloud.faults.add(
    { kind: "slow", ms: 5_000 },
    { action: "CreateNetworkInterface" },
  );
  const adding = caller.call("ADD", sandbox.env);
  await caller.until(async () => (await caller.waitingCount()) === 1);
  await caller.ok("DEL", sandbox.env);
  const { status, document } = await adding;
  assertEquals([status, JSON.parse(document).code], [1, 11]);
  assertStringIncludes(document, "crossed");
  assertEquals(await caller.leases(), []);
});

Deno.test("terway daemon finds its leases after kill -9, and settles what relays wrote down", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using stays = new Sandbox(stage, "stays");
  using leaves = new Sandbox(stage, "leaves");
  const earlyMs = Date.now();
  const kept = await caller.ok("ADD", stays.env);
  const lost = await caller.ok("ADD", leaves.env);
  assertNotEquals(ipOf(kept), ipOf(lost));

  await stage.killDaemon("n1");
  const tombstones = `${caller.node.stateDir}/tombstones`;
  await Deno.writeFile(
    `${tombstones}/1`,
    bodyOf({ CNI_COMMAND: "DEL", ...leaves.env }, CONF),
  );
  await Deno.writeTextFile(`${tombstones}/2`, "nonsense");
  // A list of the time before both pods doesn't know them, and says nothing.
  await Deno.writeFile(
    `${tombstones}/${String(earlyMs).padStart(15, "0")}-1-1`,
    bodyOf({ CNI_COMMAND: "GC" }, NOBODY),
  );
  await stage.restartDaemon("n1");

  await caller.until(async () => (await caller.leases()).length === 1);
  assertEquals(await caller.ok("ADD", stays.env), kept);
  await caller.ok("CHECK", stays.env);
  const left = (await Array.fromAsync(Deno.readDir(tombstones)))
    .map(({ name }) => name);
  assertEquals(left, ["2.rejected"]);
  await caller.ok("DEL", stays.env);
  await stage.drain();
});
