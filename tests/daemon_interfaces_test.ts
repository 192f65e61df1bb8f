/**
 * What a pod's interfaces are given besides an address, by a real daemon: ways
 * of their own, bytes in a packet, and one beside another.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Caller, CONF, ipOf, Sandbox } from "./daemon/harness.ts";
import { ping, runIn } from "./fabric/inside.ts";
import { openStage, type Stage } from "./stage/stage.ts";

/** A change of the configuration counts after two looks, 5 s apart. */
const WITHIN_MS = 40_000;

async function ip(netns: string, words: string): Promise<string> {
  const { success, stdout } = await runIn(netns, ["ip", ...words.split(" ")]);
  assert(success, `ip ${words}`);
  return stdout;
}

/** The MTU of a link. */
async function mtuOf(netns: string, link: string): Promise<number> {
  const [seen] = JSON.parse(await ip(netns, `-j link show dev ${link}`));
  return seen.mtu;
}

function addressOf(document: string): string {
  return ipOf(document).replace(/\/.*/, "");
}

/** The name of the node's card for pods. */
function cardOf(stage: Stage, caller: Caller): string {
  const { mac } = stage.region.cloud.dump().enis
    .find(({ type }) => type === "Secondary") ?? { mac: "" };
  return caller.kernel().links.find((link) => link.mac === mac)?.name ?? "";
}

Deno.test("terway daemon gives a pod a second interface, with a table of its own", async () => {
  await using stage = await openStage({
    nodeCount: 2,
    zoneCount: 2,
    config: { extra_routes: [{ dst: "10.9.0.0/16" }] },
  });
  const [caller, other] = [new Caller(stage), new Caller(stage, "n2")];
  using sandbox = new Sandbox(stage, "two");
  using far = new Sandbox(stage, "far");
  const one = sandbox.env;
  const two = { ...one, CNI_IFNAME: "net1" };
  const conf = { ...CONF, cniVersion: "1.1.0" };
  const target = addressOf(await other.ok("ADD", far.env));
  const first = await caller.ok("ADD", one, conf);
  const prevResult = JSON.parse(first);
  const second = await caller.ok("ADD", two, { ...conf, prevResult });
  const { interfaces, ips, routes } = JSON.parse(second);
  assertEquals(
    interfaces.flatMap(({ name, sandbox }: Record<string, string>) =>
      sandbox === undefined ? [] : [name]
    ),
    ["eth0", "net1"],
  );
  assertEquals(
    ips.map(({ interface: at }: { interface: number }) => interfaces[at].name),
    ["eth0", "net1"],
  );
  assertEquals(
    routes.map(({ dst, table }: Record<string, unknown>) => `${dst} ${table}`),
    ["0.0.0.0/0 254", "10.9.0.0/16 254", "0.0.0.0/0 1001"],
  );
  const [own = "", beside = ""] = ips.map(({ address }: { address: string }) =>
    address.replace(/\/.*/, "")
  );
  for (const source of [own, beside]) {
    assertEquals(await ping(sandbox.netns, target, ["-I", source]), 3);
    assertEquals(await ping(far.netns, source), 3);
  }
  assertStringIncludes(
    await ip(sandbox.netns, `route get ${target} from ${beside}`),
    "dev net1",
  );
  for (const env of [one, two]) await caller.ok("CHECK", env, conf);
  assertEquals(
    await caller.ok("ADD", two, { ...conf, prevResult }),
    second,
    "twice is once",
  );
  await caller.ok("DEL", two, conf);
  await caller.ok("CHECK", one, conf);
  assertEquals(await ping(far.netns, own), 3);
  await caller.ok("DEL", one, conf);
  await other.ok("DEL", far.env);
  await stage.drain();
});

Deno.test("terway daemon gives new pods the ways that are configured, and old ones keep theirs", async () => {
  const hostStack = { ...CONF, "host_stack_cidrs": ["169.254.20.10/32"] };
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { extra_routes: [{ dst: "10.9.0.0/16" }] },
  });
  const caller = new Caller(stage);
  using old = new Sandbox(stage, "old");
  using fresh = new Sandbox(stage, "fresh");
  const self = addressOf(await caller.ok("ADD", old.env, hostStack));
  const way = "via 169.254.1.1 dev eth0 onlink";
  assertStringIncludes(
    await ip(old.netns, "route show"),
    `10.9.0.0/16 ${way}`,
  );
  assertStringIncludes(
    await ip(caller.node.netns, "rule show"),
    `1024:\tfrom ${self} to 169.254.20.10 lookup main`,
  );

  const path = `${stage.dir}/n1/eni.json`;
  const conf = JSON.parse(await Deno.readTextFile(path));
  const log = (): Promise<string> => Deno.readTextFile(stage.daemon("n1").log);
  const put = (dst: string): Promise<void> =>
    Deno.writeTextFile(
      path,
      JSON.stringify({ ...conf, "extra_routes": [{ dst }] }),
    );
  await put("0.0.0.0/0");
  await caller.until(
    async () =>
      (await log()).includes(
        "extra_routes[0].dst must be longer than /0, which is the default " +
          "route's",
      ),
    WITHIN_MS,
  );
  await put("169.254.20.10/32");
  await caller.until(
    async () => (await log()).includes('"field":"extraRoutes"'),
    WITHIN_MS,
  );
  await caller.refused("ADD", fresh.env, {
    code: 7,
    includes: [
      "host_stack_cidrs.0: must not be in extra_routes of eni_conf",
      'it is "169.254.20.10/32"',
    ],
  }, hostStack);
  await caller.ok("ADD", fresh.env);
  assertStringIncludes(
    await ip(fresh.netns, "route show"),
    `169.254.20.10 ${way}`,
  );
  await caller.ok("CHECK", old.env, hostStack);
  await caller.ok("CHECK", fresh.env);

  // A lost journal: both are read off the kernel.
  await stage.killDaemon("n1");
  for (const name of ["journal.db", "journal.db-wal", "journal.db-shm"]) {
    await Deno.remove(`${caller.node.stateDir}/${name}`).catch(() => {});
  }
  await stage.restartDaemon("n1");
  await caller.until(async () => (await caller.leases()).length === 2);
  await ip(old.netns, "route del 10.9.0.0/16");
  await ip(caller.node.netns, `rule del from ${self} to 169.254.20.10`);
  await caller.until(async () =>
    (await ip(caller.node.netns, "rule show")).includes("to 169.254.20.10")
  );
  assertStringIncludes(
    await ip(old.netns, "route show"),
    `10.9.0.0/16 ${way}`,
  );
  for (const { env } of [old, fresh]) await caller.ok("DEL", env);
  assert(!(await ip(caller.node.netns, "rule show")).includes("169.254.20"));
  await stage.drain();
});

Deno.test("terway daemon gives pods the ENI's MTU, or what the configuration says", async () => {
  for (const mtu of [undefined, 1400]) {
    await using stage = await openStage({
      nodeCount: 1,
      zoneCount: 1,
      config: mtu === undefined ? {} : { mtu },
    });
    const caller = new Caller(stage);
    using one = new Sandbox(stage, "one");
    using two = new Sandbox(stage, "two");
    using own = new Sandbox(stage, "own");
    const conf = { ...CONF, cniVersion: "1.1.0" };
    await caller.ok("ADD", one.env, conf);
    const card = cardOf(stage, caller);
    assertEquals(await mtuOf(caller.node.netns, card), mtu ?? 1500);
    assertEquals(await mtuOf(one.netns, "eth0"), mtu ?? 1500);

    // As an instance with jumbo frames has it, or somebody's configuration.
    await stage.killDaemon("n1");
    await ip(caller.node.netns, `link set ${card} mtu 1450`);
    await stage.restartDaemon("n1");
    const { interfaces } = JSON.parse(await caller.ok("ADD", two.env, conf));
    const wanted = mtu ?? 1450;
    assertEquals(
      interfaces.map(({ mtu }: { mtu: number }) => mtu),
      [wanted, wanted],
    );
    assertEquals(await mtuOf(two.netns, "eth0"), wanted);
    assertEquals(await mtuOf(caller.node.netns, card), wanted);
    // A network may say less.
    await caller.ok("ADD", own.env, { ...conf, mtu: 1300 });
    assertEquals(await mtuOf(own.netns, "eth0"), 1300);
    // A pod that is there keeps what it was made with.
    await caller.ok("CHECK", one.env, conf);
    for (const { env } of [one, two, own]) await caller.ok("DEL", env, conf);
    await stage.drain();
  }
});
