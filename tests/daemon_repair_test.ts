/**
 * A daemon whose node is changed by somebody else, or whose disk is full: what
 * was removed is put back, and no pod hangs on the daemon's troubles.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { hostLinkName } from "../netns/attachment.ts";
import { probe } from "../netns/probe.ts";
import { openStage, type Stage } from "./stage/stage.ts";
import { Caller, CONF, ipOf, Sandbox } from "./daemon/harness.ts";

/** Runs a command on the stage's first node. */
async function onNode(stage: Stage, ...args: string[]): Promise<string> {
  const netns = stage.description.nodes[0]?.netns;
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, ...args],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("terway daemon puts back what somebody removed, and says which command that was", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "mended");
  const ip = ipOf(await caller.ok("ADD", sandbox.env)).replace(/\/.*/, "");
  const link = hostLinkName({
    network: "terway",
    containerId: "mended",
    ifName: "eth0",
  });
  const whole = caller.kernel();
  const rules = whole.rules;
  const table = rules.find((rule) => rule.from === `${ip}/32`)?.table;
  const mac = stage.region.cloud.dump().enis
    .find(({ type }) => type === "Secondary")?.mac;
  const eni = whole.links.find((one) => one.mac === mac);

  const breaks: readonly (readonly string[])[] = [
    ["ip", "rule", "del", "from", ip],
    ["ip", "rule", "del", "to", ip],
    ["ip", "route", "del", ip, "dev", link],
    ["ip", "route", "flush", "table", String(table)],
    ["ip", "link", "set", eni?.name ?? "", "down"],
    ["ip", "link", "set", link, "down"],
    ["ip", "link", "del", link],
  ];
  for (const command of breaks) {
    await onNode(stage, ...command);
    await caller.until(async () =>
      (await caller.call("CHECK", sandbox.env)).status === 0
    );
  }
  const log = await Deno.readTextFile(stage.daemon("n1").log);
  assertStringIncludes(
    log,
    `missing: ip rule add priority 2048 from ${ip}/32 lookup ${table}`,
  );
  assertStringIncludes(log, `missing: ip route add ${ip}`);
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});

Deno.test("terway daemon survives a reboot: an empty kernel, and the journal", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using after = new Sandbox(stage, "after");
  const old = new Sandbox(stage, "old");
  const lost = ipOf(await caller.ok("ADD", old.env));

  await stage.killDaemon("n1");
  old[Symbol.dispose]();
  await onNode(stage, "ip", "rule", "flush");
  await onNode(
    stage,
    "ip",
    "rule",
    "add",
    "priority",
    "32766",
    "lookup",
    "main",
  );
  const { mac } = stage.region.cloud.dump().enis
    .find(({ type }) => type === "Secondary") ?? { mac: "" };
  const eni = caller.kernel().links.find((link) => link.mac === mac)?.name;
  await onNode(stage, "ip", "link", "set", eni ?? "", "down");
  await onNode(stage, "ip", "address", "flush", "dev", eni ?? "");
  await stage.restartDaemon("n1");

  const fresh = ipOf(await caller.ok("ADD", after.env));
  assert(
    fresh !== lost,
    "the old pod's address isn't given out before its DEL",
  );
  await caller.ok("CHECK", after.env);
  await caller.ok("DEL", { ...old.env, CNI_NETNS: "" });
  assertEquals((await caller.leases()).length, 1);
  await caller.ok("DEL", after.env);
  await stage.drain();
});

Deno.test("terway daemon refuses a damaged journal, says what to do, and no DEL waits for that", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using first = new Sandbox(stage, "first");
  using second = new Sandbox(stage, "second");
  await caller.ok("ADD", first.env);
  const ip = ipOf(await caller.ok("ADD", second.env));
  await stage.killDaemon("n1");
  const journal = `${caller.node.stateDir}/journal.db`;
  await Deno.remove(`${journal}-wal`).catch(() => {});
  await Deno.writeTextFile(journal, "this is no journal");

  const why = await assertRejects(() => stage.restartDaemon("n1"), Error);
  assertStringIncludes(why.message, "it is no SQLite database");
  assertStringIncludes(why.message, "move it away");
  const relay = `${caller.node.cniBinDir}/terway`;
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `printf '%s' "$CONF" | ${relay}`],
    env: { ...first.env, CNI_COMMAND: "DEL", CONF: JSON.stringify(CONF) },
  }).output();
  assert(success, "a DEL is written down");

  await Deno.rename(journal, `${journal}.damaged`);
  await stage.restartDaemon("n1");
  // The first one's may be there before its DEL is carried out.
  await caller.until(async () => {
    const leases = await caller.leases();
    return leases.length === 1 && ip.startsWith(`${leases[0]?.ip}/`);
  });
  await caller.ok("CHECK", second.env);
  await caller.ok("DEL", second.env);
  await stage.drain();
});

Deno.test("terway daemon rebuilds a lost journal from cloud, kernel and pods", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using first = new Sandbox(stage, "first");
  using second = new Sandbox(stage, "second");
  using third = new Sandbox(stage, "third");
  const one = await caller.ok("ADD", first.env);
  const two = await caller.ok("ADD", second.env);
  const whole = caller.kernel();

  await stage.killDaemon("n1");
  for (const name of ["journal.db", "journal.db-wal", "journal.db-shm"]) {
    await Deno.remove(`${caller.node.stateDir}/${name}`).catch(() => {});
  }
  await stage.restartDaemon("n1");
  await caller.until(async () => (await caller.leases()).length === 2);

  assertEquals(caller.kernel().links, whole.links, "no pod was touched");
  await caller.ok("CHECK", first.env);
  assertEquals(await caller.ok("ADD", second.env), two);
  assert(ipOf(await caller.ok("ADD", third.env)) !== ipOf(one));
  for (const { env } of [first, second, third]) await caller.ok("DEL", env);
  assertEquals(await caller.leases(), []);
  await stage.drain();
});

const { conntrack } = probe();

Deno.test(
  `terway daemon forgets the flows of an address with its pod${
    conntrack.can ? "" : ` (skipped: ${conntrack.reason})`
  }`,
  { ignore: !conntrack.can },
  async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using sandbox = new Sandbox(stage, "flows");
    const ip = ipOf(await caller.ok("ADD", sandbox.env)).replace(/\/.*/, "");
    const flow = `-I -p tcp -s ${ip} -d 10.9.0.1 --sport 1 --dport 80 ` +
      "--timeout 600 --state ESTABLISHED";
    const flows = (): Promise<string> => onNode(stage, "conntrack", "-L");
    await onNode(stage, "conntrack", ...flow.split(" "));
    assertStringIncludes(await flows(), ip);
    await caller.ok("DEL", sandbox.env);
    await caller.until(async () => !(await flows()).includes(ip));
    await stage.drain();
  },
);

Deno.test("terway daemon answers a DEL while its disk is full, and frees the address later", async () => {
  const dir = await Deno.makeTempDir({ prefix: "terway-full-" });
  const run = async (command: string, ...args: string[]): Promise<boolean> =>
    (await new Deno.Command(command, { args, stderr: "null" }).output())
      .success;
  assert(await run("mount", "-t", "tmpfs", "-o", "size=24m", "none", dir));
  try {
    await using stage = await openStage({
      nodeCount: 1,
      zoneCount: 1,
      dir: `${dir}/stage`,
      daemonFlags: ["--add-deadline", "5"],
    });
    const caller = new Caller(stage);
    using first = new Sandbox(stage, "first");
    using second = new Sandbox(stage, "second");
    const before = caller.kernel();
    await caller.ok("ADD", first.env);
    await fill(`${dir}/ballast`);

    await caller.refused("ADD", second.env, {
      code: 11,
      includes: ["disk is full: free some space"],
    });
    await caller.ok("DEL", first.env);
    assertEquals(caller.kernel().rules.length, before.rules.length);
    assertEquals((await caller.leases()).length, 1);

    await Deno.remove(`${dir}/ballast`);
    await caller.until(async () => (await caller.leases()).length === 0);
    await caller.ok("ADD", second.env);
    await caller.ok("DEL", second.env);
    await stage.drain();
  } finally {
    await run("umount", "--lazy", dir);
    await Deno.remove(dir, { recursive: true });
  }
});

/** Writes until the disk takes no more. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let size = 1 << 20; size >= 512; size >>= 1) {
    const block = new Uint8Array(size);
    try {
      for (;;) file.writeSync(block);
    } catch (error) {
      if (!(error instanceof Error && error.message.includes("space"))) {
        throw error;
      }
    }
  }
}
