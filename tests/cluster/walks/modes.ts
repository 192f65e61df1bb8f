/**
 * The other two manifests in a real cluster, as seed 003 verifies them, and an
 * API server that is killed under pods.
 *
 * Run by `deno task test:cluster`; without Go it is skipped aloud.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { contains } from "../../../netns/ip.ts";
import type { Network } from "../arguments.ts";
import { findTools } from "../build.ts";
import { type Cluster, openCluster } from "../cluster.ts";
import { until } from "../command.ts";
import { createPod, type PodSeen, runPod, waitForPod } from "../pods.ts";
import { CLUSTER_TOOLS } from "../tools.ts";

const tools = await findTools(CLUSTER_TOOLS, {
  mayBuild: false,
  onStep: () => {},
});

const say = (line: string): void => {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
};

if (!tools.ok) say(`skipped: a cluster's walks: ${tools.reason}`);

/** What a daemon may take to be whole again. */
const SOON_MS = 90_000;

function walk(
  name: string,
  network: Network,
  fn: (t: Deno.TestContext, cluster: Cluster) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !tools.ok,
    // The daemons of a cluster outlive a test's steps.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (t) => {
      const dir = await Deno.makeTempDir({ prefix: "terway-cluster-" });
      await using cluster = await openCluster({
        dir,
        nodeCount: 2,
        zoneCount: 2,
        network,
        proxy: "nftables",
        onStep: say,
      });
      await fn(t, cluster);
    },
  });
}

walk(
  "kubectl apply -f deploy/terway.yml gives pods addresses of their node's pod CIDR",
  "terway-vpc",
  async (t, cluster) => {
    const { kubectl } = cluster;
    const pods = await pair(cluster);
    await t.step("each is of its node's", async () => {
      for (const { ip, nodeName } of pods) {
        const path = "jsonpath={.spec.podCIDR}";
        const cidr = await kubectl(["get", "node", nodeName, "-o", path]);
        assert(contains(cidr, ip), `${ip} of ${cidr}`);
      }
    });
    await t.step("they ping each other", () => ping(cluster, pods));
    await t.step(
      "the scheduler counts ENIs for those that ask",
      () => enisAreCounted(cluster),
    );
    await t.step(
      "a kubelet gives ENIs out after its restart",
      () => kubeletIsRestarted(cluster),
    );
  },
);

walk(
  "kubectl apply -f deploy/terway-eni.yml gives every pod an ENI to itself",
  "terway-eni",
  async (t, cluster) => {
    const pods = await pair(cluster);
    await t.step("its primary address is the pod's", () => {
      const enis = [...cluster.region.cloud.model.enis.values()];
      for (const { ip } of pods) {
        assertEquals(
          enis.filter(({ primaryIp }) => primaryIp === ip).length,
          1,
        );
      }
    });
    await t.step("they ping each other", () => ping(cluster, pods));
  },
);

walk(
  "pods go on while the API server is killed, and new ones come once it is back",
  "terway",
  async (t, cluster) => {
    const { kubectl, trees } = cluster;
    const pods = await pair(cluster);
    const log = ["-n", "kube-system", "logs", "-l", "app=terway-eniip"];
    await t.step(
      "it is killed, and every daemon follows it again",
      async () => {
        await trees.get("cp")?.restart("kube-apiserver");
        await until(
          "the API server",
          { deadlineMs: SOON_MS },
          async () => await kubectl(["get", "--raw", "/readyz"]) === "ok",
        );
        const said = await kubectl([...log, "-c", "terway", "--tail=200"]);
        assert(said.includes("the API server can't be followed"), said);
      },
    );
    await t.step("a pod that comes then has its network", async () => {
      await createPod(kubectl, {
        name: "late",
        image: "agnhost",
        annotations: Object.fromEntries([
          ["kubernetes.io/egress-bandwidth", "10M"],
        ]),
      });
      const late = await waitForPod(kubectl, "late");
      await ping(cluster, [late, ...pods]);
    });
  },
);

async function pair(
  { kubectl, description }: Cluster,
): Promise<readonly PodSeen[]> {
  return await Promise.all(description.nodes.map(({ name }) =>
    runPod(kubectl, {
      name: `on-${name}`,
      nodeName: name,
      image: "agnhost",
    })
  ));
}

/** The first pings each of the others. */
async function ping(
  { kubectl }: Cluster,
  [from, ...others]: readonly PodSeen[],
): Promise<void> {
  for (const { ip } of others) {
    const words = ["exec", from?.name ?? "", "--", "ping", "-c2", ip];
    assertMatch(await kubectl(words), /2 (packets )?received/);
  }
}

/** A type of four ENIs: three for pods. */
async function untilCounted(
  { kubectl }: Cluster,
  node: string,
): Promise<void> {
  const path = "jsonpath={.status.allocatable.aliyun/eni}";
  await until(
    `3 ENIs of ${node}`,
    { deadlineMs: SOON_MS },
    async () => await kubectl(["get", "node", node, "-o", path]) === "3",
  );
}

/** A node's figure outlives its kubelet: a pod shows that there are devices. */
async function kubeletIsRestarted(cluster: Cluster): Promise<void> {
  const { kubectl, trees } = cluster;
  const log = ["-n", "kube-system", "logs", "-l", "app=terway"];
  const registeredCount = async (): Promise<number> => {
    const said = await kubectl([...log, "-c", "device-plugin", "--tail=-1"]);
    return said.split("registered with the kubelet").length;
  };
  const before = await registeredCount();
  await trees.get("n1")?.restart("kubelet");
  await until(
    "the plugin of n1",
    { deadlineMs: SOON_MS },
    async () => {
      // Logs come by the kubelet, which isn't there at once.
      const count = await registeredCount().catch(() => 0);
      return count > before;
    },
  );
  const limits = Object.fromEntries([["aliyun/eni", "1"]]);
  await runPod(kubectl, { name: "later", nodeName: "n1", limits });
}

async function enisAreCounted(cluster: Cluster): Promise<void> {
  const { kubectl, region, description } = cluster;
  for (const { name } of description.nodes) await untilCounted(cluster, name);
  const asking = (count: string): Record<string, string> =>
    Object.fromEntries([["aliyun/eni", count]]);
  const { ip } = await runPod(kubectl, { name: "whole", limits: asking("1") });
  const enis = [...region.cloud.model.enis.values()];
  assertEquals(enis.filter(({ primaryIp }) => primaryIp === ip).length, 1);
  await createPod(kubectl, { name: "many", limits: asking("4") });
  const condition = '.status.conditions[?(@.type=="PodScheduled")].message';
  const path = `jsonpath={${condition}}`;
  await until(
    "the scheduler's refusal",
    { deadlineMs: SOON_MS },
    async () =>
      (await kubectl(["get", "pod", "many", "-o", path]))
        .includes("Insufficient aliyun/eni"),
  );
}
