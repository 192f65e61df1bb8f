/**
 * `terway explain` as a process, about pods of a real daemon: what it prints
 * is true, and the commands it prints do what the daemon did.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Caller, Sandbox } from "./daemon/harness.ts";
import { probe } from "../netns/probe.ts";
import { runIn } from "./fabric/inside.ts";
import { openStage } from "./stage/stage.ts";

const ROOT = new URL("../", import.meta.url).pathname;

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function explain(
  caller: Caller,
  ...args: readonly string[]
): Promise<Outcome> {
  const compiled = Deno.env.has("TERWAY_COMPILED");
  const [program, ...first] = compiled
    ? [`${ROOT}dist/terway`]
    : [Deno.execPath(), "run", "-A", "--quiet", `${ROOT}main.ts`];
  const { code, stdout, stderr } = await new Deno.Command(program ?? "", {
    args: [...first, "explain", ...args, "--socket", caller.node.socket],
    stdin: "null",
  }).output();
  const [out = "", err = ""] = [stdout, stderr]
    .map((bytes) => new TextDecoder().decode(bytes));
  return { status: code, stdout: out, stderr: err };
}

Deno.test("terway explain tells a pod's plan, its truth and its history", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "web");
  const { env, netns } = sandbox;
  const result = JSON.parse(await caller.ok("ADD", env));
  await caller.ok("CHECK", env);
  const ip = result.ips[0].address.split("/")[0];
  for (const what of ["web", "default/web", netns, ip, "terway/web/eth0"]) {
    const { status, stdout, stderr } = await explain(caller, what);
    assertEquals([status, stderr], [0, ""]);
    for (
      const part of [
        "default/web",
        `${ip} on eni-`,
        "as planned",
        `ip rule add priority 2048 from ${ip}/32`,
        `leased: ${ip}`,
        "CHECK",
      ]
    ) assertStringIncludes(stdout, part);
  }

  // Nobody tells of what happens inside a pod: it is found by looking.
  await runIn(netns, ["ip", "neigh", "flush", "all", "nud", "permanent"]);
  const damaged = await explain(caller, "web");
  assertStringIncludes(damaged.stdout, "missing: nsenter --net=");
  await caller.refused("CHECK", env, { code: 100, includes: ["neighbour"] });
  await runIn(caller.node.netns, ["ip", "rule", "del", "from", ip]);
  await caller.until(async () =>
    (await explain(caller, "web")).stdout.includes("repaired")
  );

  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  await caller.ok("DEL", env);
  const { status, stdout } = await explain(caller, "web", "--json");
  assertEquals(status, 0);
  const { kind, pod } = JSON.parse(stdout);
  assertEquals([kind, pod.state, pod.plan], ["pod", "gone", undefined]);
  const deeds = pod.history.map(({ what }: { what: string }) => what);
  assertEquals(deeds, [
    ...["ADD", "leased", "attached", "CHECK", "CHECK failed", "repaired"],
    "released",
  ]);
});

Deno.test("terway explain prints commands that do what the daemon did", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "web");
  const { env } = sandbox;
  const bandwidth = { ingressRate: 10e6, egressRate: 20e6 };
  const conf = {
    cniVersion: "1.0.0",
    name: "terway",
    type: "terway",
    runtimeConfig: {
      bandwidth,
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    },
  };
  await caller.ok("ADD", env, conf);
  const { stdout } = await explain(caller, "web", "--json");
  const { pod: commands, shared } = JSON.parse(stdout).pod.plan as {
    pod: string[];
    shared: string[];
  };
  const script = await explain(caller, "web", "--as-commands");
  assertEquals(script.stdout.trimEnd().split("\n"), [...shared, ...commands]);
  // The way back of its hostPort is for all pods.
  assertEquals(
    shared.includes("nft add table inet terway_way_back"),
    probe().nft.can,
  );

  await stage.killDaemon("n1");
  const link = /ip link add (cali\w+)/.exec(commands.join())?.[1] ?? "";
  await runIn(caller.node.netns, ["ip", "link", "del", link]);
  for (const priority of ["512", "2048"]) {
    await runIn(caller.node.netns, ["ip", "rule", "del", "priority", priority]);
  }
  const done = await runIn(caller.node.netns, [
    ...["sh", "-exc", commands.join("\n")],
  ]);
  assert(done.success, commands.join("\n"));
  await stage.restartDaemon("n1");
  // Once the daemon has found its card again.
  await caller.until(async () =>
    (await caller.call("CHECK", env)).status === 0
  );
  const { log } = stage.daemon("n1");
  const told = await Deno.readTextFile(log);
  assert(!told.includes("it was put back"), "the commands left something");
  await caller.ok("DEL", env);
});

Deno.test("terway explain lets choose among several, and says what it knows", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  const none = await explain(caller, "web");
  assertEquals([none.status, none.stdout], [1, ""]);
  assertStringIncludes(none.stderr, "knows no web");
  assertStringIncludes(none.stderr, "kubectl get pod -o wide");
  using one = new Sandbox(stage, "c0ffee01");
  using two = new Sandbox(stage, "c0ffee02");
  const named = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web";
  for (const { env } of [one, two]) {
    await caller.ok("ADD", { ...env, CNI_ARGS: named });
  }
  for (const what of ["web", "c0ffee"]) {
    const { status, stderr } = await explain(caller, what);
    assertEquals(status, 1);
    assertStringIncludes(stderr, "terway/c0ffee01/eth0  default/web");
    assertStringIncludes(stderr, "terway/c0ffee02/eth0  default/web");
  }
  await caller.ok("DEL", one.env);
  // One is gone: the other is meant, and the first is named.
  const { status, stdout } = await explain(caller, "web");
  assertEquals(status, 0);
  assertStringIncludes(stdout, "sandbox    terway/c0ffee02/eth0");
  assertStringIncludes(stdout, "  terway explain terway/c0ffee01/eth0");
  const unknown = await explain(caller, "db");
  assertStringIncludes(unknown.stderr, "terway/c0ffee02/eth0");
  await caller.ok("DEL", two.env);
});

Deno.test("terway explain says what a pod waits for", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "late");
  stage.region.cloud.faults.add(
    { kind: "slow", ms: 5_000 },
    { action: "CreateNetworkInterface" },
  );
  const adding = caller.call("ADD", sandbox.env);
  await caller.until(async () => (await caller.waitingCount()) === 1);
  const { status, stdout } = await explain(caller, "default/late");
  assertEquals(status, 0);
  assertStringIncludes(stdout, "waits      for an address, since");
  const plan = await explain(caller, "late", "--as-commands");
  assertEquals([plan.status, plan.stdout], [1, ""]);
  await caller.ok("DEL", sandbox.env);
  await adding;
});
