/**
 * A daemon in a cluster: what it writes to its node, what it says of mistakes,
 * and what goes on while the API server is away.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ipOf, Sandbox } from "./daemon/harness.ts";
import { KINDS, openInCluster } from "./daemon/in_cluster.ts";

const TAINT = "k8s.aliyun.com/terway-not-ready";

function conditionsOf(node: unknown): Record<string, string> {
  const { status } = node as {
    status?: { conditions?: { type: string; status: string }[] };
  };
  const conditions = status?.conditions ?? [];
  return Object.fromEntries(
    conditions.map(({ type, status }) => [type, status]),
  );
}

Deno.test("terway daemon tells its node what it is good for, and takes the startup taint away", async () => {
  await using cluster = await openInCluster({
    node: {
      spec: { taints: [{ key: TAINT, effect: "NoSchedule" }, { key: "mine" }] },
      status: { allocatable: { pods: "110" } },
    },
  });
  const { caller, server } = cluster;
  // No providerID: nothing goes by it.
  await caller.until(() =>
    JSON.stringify(cluster.node()?.["spec"]) ===
      '{"taints":[{"key":"mine"}]}'
  );
  await caller.until(() =>
    conditionsOf(cluster.node())["SufficientIP"] === "True"
  );
  await caller.until(() => cluster.events("MaxPodsTooHigh").length === 1);
  const [told = ""] = cluster.events("MaxPodsTooHigh");
  assertStringIncludes(told, "allows 110 pods, but the network serves 45");
  assertStringIncludes(told, "--max-pods=45");
  await caller.until(() =>
    cluster.node()?.metadata["annotations"] !== undefined
  );
  assertEquals(
    cluster.node()?.metadata["annotations"],
    Object.fromEntries([["k8s.aliyun.com/max-available-ip", "45"]]),
  );

  server.put(KINDS.services, {
    metadata: { name: "kubernetes", namespace: "default" },
    spec: { clusterIPs: ["10.96.0.1"] },
  });
  await caller.until(() => cluster.events("ConfigError").length === 1);
  const [wrong = ""] = cluster.events("ConfigError");
  assertStringIncludes(wrong, "10.96.0.1");
  assertStringIncludes(wrong, "172.21.0.0/20");
  await caller.until(() =>
    conditionsOf(cluster.node())["ServiceCIDR"] === "False"
  );
});

Deno.test("terway daemon serves known pods while the API server is away, and says what others wait for", async () => {
  await using cluster = await openInCluster();
  const { caller, server, stage } = cluster;
  using old = new Sandbox(stage, "old");
  using known = new Sandbox(stage, "known");
  using stranger = new Sandbox(stage, "stranger");
  cluster.addPod("old");
  cluster.addPod("known");
  await caller.ok("ADD", old.env);
  await caller.until(() =>
    server.list(KINDS.pods).some(({ metadata }) =>
      metadata.name === "old" && metadata["annotations"] !== undefined
    )
  );
  server.front.slam();
  await caller.ok("CHECK", old.env);
  await caller.ok("ADD", known.env);
  await caller.refused("ADD", stranger.env, {
    code: 11,
    includes: ["waiting for the API server", "default/stranger"],
  });
  await caller.ok("DEL", stranger.env);
  await caller.ok("DEL", old.env);
  await server.front.open();
  cluster.addPod("stranger");
  await caller.until(async () =>
    (await caller.call("ADD", stranger.env)).status === 0
  );
});

Deno.test("terway daemon goes on with the last good eni-config, also after a restart, and its node says why", async () => {
  await using cluster = await openInCluster({ config: { max_pool_size: 4 } });
  const { caller, stage } = cluster;
  await cluster.configure('{ "max_pool_size": -1, "nonsense": 1 }');
  await caller.until(
    () => cluster.events("ConfigError").length > 0,
    40_000,
  );
  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  using pod = new Sandbox(stage, "pod");
  cluster.addPod("pod");
  await caller.ok("ADD", pod.env);
  const said = await cluster.log();
  assertStringIncludes(
    said,
    "the configuration can't be used: the last good one holds",
  );
  for (const message of cluster.events("ConfigError")) {
    assertStringIncludes(message, "nonsense");
    assertStringIncludes(message, "max_pool_size");
  }
});

Deno.test("terway daemon serves health and metrics where it is told to", async () => {
  await using cluster = await openInCluster({
    daemonFlags: ["--http", "127.0.0.1:9479"],
  });
  const { caller, stage } = cluster;
  using pod = new Sandbox(stage, "pod");
  cluster.addPod("pod");
  await caller.ok("ADD", pod.env);
  const read = async (path: string): Promise<string> => {
    const code = `const r = await fetch("http://127.0.0.1:9479${path}");` +
      "console.log(r.status, await r.text());";
    const { stdout } = await new Deno.Command("nsenter", {
      args: [`--net=${caller.node.netns}`, Deno.execPath(), "eval", code],
    }).output();
    return new TextDecoder().decode(stdout);
  };
  assertEquals(await read("/healthz"), "200 ok\n\n");
  assertEquals(await read("/readyz"), "200 ok\n\n");
  const text = await read("/metrics");
  for (
    const line of [
      'terway_pool_addresses{state="leased"} 1',
      'terway_verb_seconds_count{verb="ADD",outcome="ok"} 1',
      'terway_cloud_call_seconds_count{api="CreateNetworkInterface",outcome="ok"} 1',
    ]
  ) assertStringIncludes(text, line);
});

Deno.test("terway daemon leaves pods alone that aren't its business, and annotates none where that is switched off", async () => {
  await using cluster = await openInCluster({
    config: { enable_patch_pod_ips: false },
  });
  const { caller, server, stage } = cluster;
  using ignored = new Sandbox(stage, "ignored");
  using plain = new Sandbox(stage, "plain");
  const labels = Object.fromEntries([
    ["k8s.aliyun.com/ignore-by-terway", "true"],
  ]);
  cluster.addPod("ignored", { metadata: { name: "ignored", labels } });
  cluster.addPod("plain");
  await caller.ok("ADD", ignored.env);
  await caller.ok("ADD", plain.env);
  await caller.until(() => cluster.events("AllocIPSucceed").length === 1);
  const annotated = server.list(KINDS.pods).filter(({ metadata }) =>
    metadata["annotations"] !== undefined
  );
  assertEquals(annotated, []);
});

Deno.test("terway daemon refuses to run beside another one, and the node says so", async () => {
  await using cluster = await openInCluster();
  const { caller, stage } = cluster;
  const { socket } = caller.node;
  const dir = await Deno.makeTempDir({ prefix: "terway-second-" });
  const second = async (stateDir: string): Promise<string> => {
    const { code, stderr } = await new Deno.Command("nsenter", {
      args: [
        `--net=${caller.node.netns}`,
        ...[Deno.execPath(), "run", "-A", "--quiet"],
        new URL("../main.ts", import.meta.url).pathname,
        ...["daemon", "--socket", socket, "--state-dir", stateDir],
        ...["--config", `${stage.dir}/n1/eni.json`],
        ...["--node", "n1", "--kubeconfig", `${stage.dir}/kubeconfig`],
      ],
    }).output();
    assertEquals(code, 1);
    return new TextDecoder().decode(stderr);
  };
  try {
    const said = await second(dir);
    assertStringIncludes(said, `Cannot serve on ${socket}`);
    assertStringIncludes(said, "two daemons can't share a node");
    assert(cluster.events("TerwayFailed").length === 1);
    using pod = new Sandbox(stage, "pod");
    cluster.addPod("pod");
    await caller.ok("ADD", pod.env);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

const DB = {
  metadata: {
    name: "db-0",
    ownerReferences: [{ kind: "StatefulSet", name: "db" }],
  },
};

for (
  const [mode, flags] of [
    ["ENIMultiIP", []],
    ["VPC", ["--daemon-mode", "VPC", "--pod-cidr", "172.30.1.0/24"]],
  ] as const
) {
  Deno.test(`terway daemon gives a StatefulSet's pod its address again, also after a restart, in mode ${mode}`, async () => {
    await using cluster = await openInCluster({ daemonFlags: flags });
    const { caller, stage } = cluster;
    using first = new Sandbox(stage, "first");
    using second = new Sandbox(stage, "second");
    using third = new Sandbox(stage, "third");
    using other = new Sandbox(stage, "other");
    const args = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=db-0";
    const named = ({ env }: Sandbox) => ({ ...env, CNI_ARGS: args });
    cluster.addPod("db-0", DB);
    cluster.addPod("other");
    const ip = ipOf(await caller.ok("ADD", named(first)));
    await caller.ok("DEL", named(first));
    assertEquals(await caller.leases(), []);
    assert(ipOf(await caller.ok("ADD", other.env)) !== ip);
    assertEquals(ipOf(await caller.ok("ADD", named(second))), ip);
    await caller.ok("CHECK", named(second));
    await caller.ok("DEL", named(first)); // late, and again
    await caller.ok("CHECK", named(second));

    await caller.ok("DEL", named(second));
    await stage.killDaemon("n1");
    await stage.restartDaemon("n1");
    assertEquals(ipOf(await caller.ok("ADD", named(third))), ip);
    await caller.ok("CHECK", named(third));
    await caller.ok("DEL", named(third));
    await caller.ok("DEL", other.env);
    await stage.drain(); // what is kept for nobody holds nothing up
  });
}
