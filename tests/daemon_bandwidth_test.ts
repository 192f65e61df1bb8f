/**
 * A pod's bandwidth from what the runtime says to the kernel's queues, through
 * a daemon.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { hostLinkName } from "../netns/attachment.ts";
import { Caller, CONF, dumpOf, Sandbox } from "./daemon/harness.ts";
import { testWhere } from "../netns/lab.ts";
import { probe } from "../netns/probe.ts";
import { openStage } from "./stage/stage.ts";

const { tbf } = probe();

/** What containerd gives for `ingress-bandwidth: 10M`, `egress-bandwidth: 20M`. */
const LIMITED = {
  ...CONF,
  runtimeConfig: {
    bandwidth: {
      ingressRate: 10_000_000,
      ingressBurst: 4294967295,
      egressRate: 20_000_000,
      egressBurst: 4294967295,
    },
  },
};

async function tc(netns: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, "tc", ...args],
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  return text.decode(stdout);
}

/** The rates of a namespace's buckets in bits per second, by `tc`. */
async function rates(netns: string): Promise<number[]> {
  const qdiscs = JSON.parse(await tc(netns, "-j", "qdisc", "show"));
  return qdiscs.filter(({ kind }: { kind: string }) => kind === "tbf")
    .map(({ options }: { options: { rate: number } }) => options.rate * 8);
}

testWhere({
  needs: [tbf],
  name:
    "terway daemon limits a pod as its runtime asks, and CHECK finds a limit gone",
  fn: async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using sandbox = new Sandbox(stage, "slow");
    const { env, netns } = sandbox;
    const seen = async (): Promise<number[][]> => [
      await rates(caller.node.netns),
      await rates(netns),
    ];

    const first = await caller.ok("ADD", env, LIMITED);
    assertEquals(await seen(), [[10e6], [20e6]]);
    await caller.ok("CHECK", env, LIMITED);

    await tc(netns, "qdisc", "delete", "dev", "eth0", "root");
    const command = `nsenter --net=${netns} tc qdisc replace dev eth0 root ` +
      "handle 1: tbf rate 20000000bit burst 10000b limit 72500b";
    const expected = { code: 100, includes: ["missing", command] };
    await caller.refused("CHECK", env, expected, CONF);
    // The lease remembers it, whatever a retried ADD says.
    assertEquals(await caller.ok("ADD", env, CONF), first);
    assertEquals(await seen(), [[10e6], [20e6]]);

    await caller.ok("DEL", env, LIMITED);
    await caller.until(async () =>
      (await rates(caller.node.netns)).length === 0
    );
    assertEquals(dumpOf(netns).links.map(({ name }) => name), ["lo"]);
  },
});

testWhere({
  needs: [tbf],
  name:
    "terway daemon puts a limit back that somebody took off or raised, and says so",
  fn: async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using sandbox = new Sandbox(stage, "slow");
    const { env, netns } = sandbox;
    const seen = async (): Promise<string> =>
      JSON.stringify([await rates(caller.node.netns), await rates(netns)]);
    const whole = "[[10000000],[20000000]]";
    await caller.ok("ADD", env, LIMITED);
    const { containerId, ifName } = {
      containerId: env.CNI_CONTAINERID ?? "",
      ifName: env.CNI_IFNAME ?? "",
    };
    const link = hostLinkName({ network: "terway", containerId, ifName });
    const root = ["dev", link, "root"];
    const raised = "handle 1: tbf rate 1gbit burst 1mb limit 2mb".split(" ");
    for (
      const damage of [
        ["qdisc", "delete", ...root],
        ["qdisc", "change", ...root, ...raised],
      ]
    ) {
      await tc(caller.node.netns, ...damage);
      await caller.until(async () => await seen() === whole);
    }
    // Nobody tells of what happens in a pod: each look at all finds it.
    await stage.killDaemon("n1");
    await tc(netns, "qdisc", "delete", "dev", "eth0", "root");
    await stage.restartDaemon("n1");
    await caller.until(async () => await seen() === whole);
    const log = await Deno.readTextFile(stage.daemon("n1").log);
    for (
      const part of [
        `missing: tc qdisc replace dev ${link} root handle 1: tbf rate`,
        `changed: tc qdisc replace dev ${link} root handle 1: tbf rate`,
        `missing: nsenter --net=${netns} tc qdisc replace dev eth0 root`,
      ]
    ) assertStringIncludes(log, part);
    await caller.ok("DEL", env, LIMITED);
  },
});

testWhere({
  needs: [tbf],
  name: "terway daemon knows a pod's limits after its journal was lost",
  fn: async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using sandbox = new Sandbox(stage, "slow");
    const { env, netns } = sandbox;
    await caller.ok("ADD", env, LIMITED);
    await stage.killDaemon("n1");
    for (const name of ["journal.db", "journal.db-wal", "journal.db-shm"]) {
      await Deno.remove(`${caller.node.stateDir}/${name}`).catch(() => {});
    }
    await stage.restartDaemon("n1");
    await caller.until(async () => (await caller.leases()).length === 1);
    await caller.ok("CHECK", env, LIMITED);
    await tc(netns, "qdisc", "delete", "dev", "eth0", "root");
    const includes = ["missing", "tbf rate 20000000bit burst 10000b"];
    await caller.refused("CHECK", env, { code: 100, includes }, LIMITED);
    await caller.ok("ADD", env, CONF);
    assertEquals(await rates(netns), [20e6]);
    await caller.ok("DEL", env, LIMITED);
  },
});

Deno.test("terway daemon refuses a pod with a bad bandwidth, and lets it go", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "bad");
  const bandwidth = { ingressRate: 10, egressRate: "10M" };
  const conf = { ...CONF, runtimeConfig: { bandwidth } };
  await caller.refused("ADD", sandbox.env, {
    code: 7,
    includes: [
      "runtimeConfig.bandwidth.ingressRate",
      "from 1000 to 1000000000000000 (1k to 1P): it is 10",
      "runtimeConfig.bandwidth.egressRate: must be 0 (no limit)",
      'it is "10M"',
    ],
  }, conf);
  assertEquals(await caller.leases(), []);
  await caller.ok("DEL", sandbox.env, conf);
});
