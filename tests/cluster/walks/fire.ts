/**
 * Life under fire: parts of the cluster are renewed, killed and taken away
 * while 40 pods hold TCP connections and others come and go.
 *
 * After each the cloud, the journals, the kernels and the API server agree on
 * which addresses there are and who has them. Run by `deno task test:cluster`.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Churn } from "../churn.ts";
import type { Cluster } from "../cluster.ts";
import { TimeoutError, until } from "../command.ts";
import { type Flows, openFlows } from "../flows.ts";
import { podsOn, runPod, waitForReadyPods } from "../pods.ts";
import { disagreements } from "../sets.ts";
import type { Tree } from "../tree.ts";
import { say, SOON_MS, walk } from "../walk.ts";

/** 20 flows, of two pods each; the last are of n1 alone. */
const FLOWS = [
  ...Array.from({ length: 10 }, () => ({ from: "n1", to: "n2" })),
  ...Array.from({ length: 5 }, () => ({ from: "n2", to: "n1" })),
  ...Array.from({ length: 5 }, () => ({ from: "n1", to: "n1" })),
];

/** The flows of n1 alone. */
const OF_N1 = FLOWS.flatMap(({ from, to }, number) =>
  from === "n1" && to === "n1" ? [number] : []
);

/** Cooling addresses are told of by nobody; an API server's view lags. */
const PEACE_DEADLINE_MS = 120_000;

const DAEMONS = ["-n", "kube-system", "rollout"];
const DAEMON_SET = "ds/terway-eniip";

walk(
  "no flow is cut and no address lost, whatever is renewed, killed or taken away",
  { network: "terway" },
  async (t, cluster) => {
    const { kubectl, trees } = cluster;
    const flows = await openFlows(kubectl, FLOWS);
    say(`${flows.podCount} pods hold TCP connections`);
    const step = async (name: string, work: () => Promise<unknown>) => {
      await t.step(name, () => underFire({ cluster, flows, work }));
    };
    await step("the DaemonSet is rolled", async () => {
      await kubectl([...DAEMONS, "restart", DAEMON_SET]);
      const status = [...DAEMONS, "status", DAEMON_SET, "--timeout=170s"];
      await kubectl(status, { signal: AbortSignal.timeout(180_000) });
    });
    await step("a daemon is killed", () => killDaemon(cluster, "n1"));
    for (const name of ["kubelet", "containerd"]) {
      await step(`${name} is killed`, async () => {
        await trees.get("n2")?.restart(name);
      });
    }
    await step("the API server is killed", async () => {
      await trees.get("cp")?.restart("kube-apiserver");
      await until(
        "the API server",
        { deadlineMs: SOON_MS },
        async () => await kubectl(["get", "--raw", "/readyz"]) === "ok",
      );
      await everyDaemonFollows(cluster);
    });
    await t.step("a pod is deleted by force", async () => {
      await runPod(kubectl, { name: "forced", nodeName: "n1" });
      const force = ["--force", "--grace-period=0"];
      await kubectl(["delete", "pod", "forced", ...force]);
      await untilPeace(cluster);
    });
    await t.step("a sandbox dies, and is made anew", async () => {
      await runPod(kubectl, { name: "reborn", nodeName: "n1" });
      await killSandbox(cluster, { node: "n1", pod: "reborn" });
      await untilPeace(cluster);
    });
    await t.step(
      "a node is drained, deleted and added",
      () => replaceNode(cluster, { flows, node: "n2" }),
    );
  },
);

/** Pods come and go before, while and after something happens. */
async function underFire(
  { cluster, flows, work }: {
    readonly cluster: Cluster;
    readonly flows: Flows;
    readonly work: () => Promise<unknown>;
  },
): Promise<void> {
  const churn = new Churn(cluster.kubectl, {
    name: crypto.randomUUID().slice(0, 8),
    nodeNames: cluster.description.nodes.map(({ name }) => name),
    podCount: 6,
  });
  await work();
  say(`${await churn.end()} pods came and went meanwhile`);
  await flows.check();
  await untilPeace(cluster);
}

async function untilPeace(cluster: Cluster): Promise<void> {
  let last: readonly string[] = [];
  try {
    await until("agreement", { deadlineMs: PEACE_DEADLINE_MS }, async () => {
      last = await disagreements(cluster);
      return last.length === 0;
    });
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    throw new Error(`${error.message}\n${last.join("\n")}`, { cause: error });
  }
}

/** What a crash is: the runtime starts another container of the same pod. */
async function killDaemon(cluster: Cluster, node: string): Promise<void> {
  const tree = treeOf(cluster, node);
  const said = await tree.run(["ps", "-eo", "pid=,args="]);
  const line = said.split("\n").find((one) => one.includes("--daemon-mode="));
  const [pid = ""] = line?.trim().split(" ") ?? [];
  const before = await restartsOn(cluster, node);
  await tree.run(["kill", "-9", pid]);
  await until(
    "the daemon's successor",
    { deadlineMs: SOON_MS },
    async () => await restartsOn(cluster, node) === before + 1,
  );
}

async function restartsOn({ kubectl }: Cluster, node: string): Promise<number> {
  const of = [
    "-l",
    "app=terway-eniip",
    `--field-selector=spec.nodeName=${node}`,
  ];
  const path = "jsonpath={.items[0].status.containerStatuses[0].restartCount}";
  const words = ["-n", "kube-system", "get", "pod", ...of, "-o", path];
  return Number(await kubectl(words));
}

/** It was told that it went, and that it is back. */
async function everyDaemonFollows({ kubectl }: Cluster): Promise<void> {
  const of = ["-n", "kube-system", "-l", "app=terway-eniip", "-c", "terway"];
  const said = await kubectl(["logs", ...of, "--tail=200"]);
  assert(said.includes("the API server can't be followed"), said);
}

/** The kubelet finds it dead, ends what is left of it and makes another. */
async function killSandbox(
  cluster: Cluster,
  { node, pod }: { readonly node: string; readonly pod: string },
): Promise<void> {
  const { kubectl } = cluster;
  const tree = treeOf(cluster, node);
  const ctr = ["ctr", "-n", "k8s.io"] as const;
  const find = async (): Promise<string> => {
    const filter = `labels."io.kubernetes.pod.name"==${pod},` +
      'labels."io.cri-containerd.kind"==sandbox';
    const said = await tree.run([...ctr, "containers", "ls", "-q", filter]);
    // The newest isn't the last: the old one is there for a while.
    return said.trim();
  };
  const old = await find();
  await tree.run([...ctr, "tasks", "kill", "-s", "SIGKILL", old]);
  await until("another sandbox", { deadlineMs: SOON_MS }, async () => {
    const now = (await find()).split("\n").filter((id) => id !== old);
    return now.length === 1;
  });
  await waitForReadyPods(kubectl, [`pod/${pod}`]);
  const address = await kubectl(["exec", pod, "--", "ip", "address"]);
  const path = ["-o", "jsonpath={.status.podIP}"];
  const ip = await kubectl(["get", "pod", pod, ...path]);
  assert(address.includes(`inet ${ip}/32`), address);
}

async function replaceNode(
  cluster: Cluster,
  { flows, node }: { readonly flows: Flows; readonly node: string },
): Promise<void> {
  const { kubectl, description } = cluster;
  const how = ["--ignore-daemonsets", "--force", "--delete-emptydir-data"];
  const signal = AbortSignal.timeout(SOON_MS);
  await kubectl(["drain", node, ...how], { signal });
  await untilPeace(cluster);
  assertEquals(await podsOn(kubectl, node), []);
  await kubectl(["delete", "node", node]);
  await flows.check(OF_N1);
  await treeOf(cluster, node).restart("kubelet");
  await until(`${node} to be there`, { deadlineMs: SOON_MS }, async () => {
    const words = [`node/${node}`, "--for=condition=Ready", "--timeout=1s"];
    await kubectl(["wait", ...words]);
    return true;
  });
  const [{ name } = { name: "" }] = description.nodes;
  const near = await runPod(kubectl, { name: "near", nodeName: name });
  const anew = await runPod(kubectl, { name: "anew", nodeName: node });
  const said = await kubectl(["exec", near.name, "--", "ping", "-c2", anew.ip]);
  assertMatch(said, /2 packets received/);
  await flows.check(OF_N1);
  await untilPeace(cluster);
}

function treeOf({ trees }: Cluster, name: string): Tree {
  const tree = trees.get(name);
  if (tree === undefined) throw new Error(`There is no ${name}`);
  return tree;
}
