/**
 * A daemon under bad input, bad luck and kill -9: what the caller hears, and
 * that nothing is left in kernel, journal or cloud.
 */
import {
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { statusProblems } from "../modes/status_schema.ts";
import { askDaemon } from "./stage/daemon.ts";
import { openStage } from "./stage/stage.ts";
import {
  bodyOf,
  Caller,
  CONF,
  dumpOf,
  ipOf,
  NOBODY,
  Sandbox,
} from "./daemon/harness.ts";

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
