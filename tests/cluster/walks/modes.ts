/**
 * The other two manifests in a real cluster, as seed 003 verifies them.
 *
 * Run by `deno task test:cluster`; without Go it is skipped aloud.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { contains } from "../../../netns/ip.ts";
import type { Cluster } from "../cluster.ts";
import { until } from "../command.ts";
import { createPod, ping, podOnEach, type PodSeen, runPod } from "../pods.ts";
import { reachByName } from "../services.ts";
import { SOON_MS, walk } from "../walk.ts";

walk(
  "kubectl apply -f deploy/terway.yml gives pods addresses of their node's pod CIDR",
  { network: "terway-vpc" },
  async (t, cluster) => {
    const { kubectl } = cluster;
    const pods = await podOnEach(cluster);
    await t.step(
      "they look as they are printed",
      () => areOfPodCidrs(cluster, pods),
    );
    await t.step("they ping each other", () => ping(kubectl, pods));
    await t.step("a Service is found by its name", () => {
      const [{ nodeName } = { nodeName: "" }] = pods;
      return reachByName(kubectl, { clients: pods, nodeName, families: [4] });
    });
    await t.step(
      "the scheduler counts ENIs for those that ask",
      () => enisAreCounted(cluster),
    );
    await t.step(
      "a kubelet gives ENIs out after its restart",
      () => kubeletIsRestarted(cluster),
    );
    await t.step(
      "a pod's bandwidth is what its annotations say",
      () => isShaped(cluster),
    );
  },
);

walk(
  "kubectl apply -f deploy/terway-eni.yml gives every pod an ENI to itself",
  { network: "terway-eni" },
  async (t, cluster) => {
    const { kubectl } = cluster;
    const pods = await podOnEach(cluster);
    await t.step("it is the pod's eth0", async () => {
      for (const pod of pods) await hasAnEni(cluster, pod);
    });
    await t.step("they ping each other", () => ping(kubectl, pods));
    await t.step("a Service is found by its name", () => {
      const [{ nodeName } = { nodeName: "" }] = pods;
      return reachByName(kubectl, { clients: pods, nodeName, families: [4] });
    });
  },
);

/** As seed 003 prints it: one end of a pair, with the prefix of the node's. */
async function areOfPodCidrs(
  { kubectl }: Cluster,
  pods: readonly PodSeen[],
): Promise<void> {
  for (const { name, ip, nodeName } of pods) {
    const path = "jsonpath={.spec.podCIDR}";
    const cidr = await kubectl(["get", "node", nodeName, "-o", path]);
    assert(contains(cidr, ip), `${ip} of ${cidr}`);
    const said = await kubectl(["exec", name, "--", "ip", "address"]);
    assertMatch(said, /^\d+: eth0@if\d+: <[^>]*LOWER_UP[^>]*> mtu 1500 /m);
    assertMatch(
      said,
      new RegExp(`inet ${ip}/24 brd \\S+ scope global (noprefixroute )?eth0`),
    );
  }
}

/**
 * As seed 003 prints it: a card with the cloud's MAC and the vSwitch's prefix,
 * and beside it a pair without an address.
 */
async function hasAnEni(
  { kubectl, region }: Cluster,
  { name, ip }: PodSeen,
): Promise<void> {
  const enis = [...region.cloud.model.enis.values()]
    .filter(({ primaryIp }) => primaryIp === ip);
  assertEquals(enis.length, 1);
  const said = await kubectl(["exec", name, "--", "ip", "address"]);
  const linkOf = (name: string): string =>
    said.split(/^\d+: /m).find((one) => one.startsWith(name)) ?? "";
  const eth0 = linkOf("eth0");
  assert(eth0.includes(`link/ether ${enis[0]?.mac}`), said);
  assertMatch(eth0, new RegExp(`inet ${ip}/16 brd \\S+ scope global eth0`));
  const veth1 = linkOf("veth1@if");
  assertMatch(veth1, /LOWER_UP/);
  assert(!veth1.includes("inet "), said);
}

/** Seed 003's 10M both ways: of ten million bits a second, a tenth more or less. */
async function isShaped({ kubectl }: Cluster): Promise<void> {
  const server = ["iperf", "-s"];
  const image = "agnhost";
  const [open, shaped] = await Promise.all([
    runPod(kubectl, { name: "open", nodeName: "n1", image, command: server }),
    runPod(kubectl, {
      ...{ name: "shaped", nodeName: "n2", image, command: server },
      annotations: Object.fromEntries([
        ["kubernetes.io/ingress-bandwidth", "10M"],
        ["kubernetes.io/egress-bandwidth", "10M"],
      ]),
    }),
  ]);
  for (const [from, to] of [[shaped, open], [open, shaped]] as const) {
    const client = ["iperf", "-c", to.ip, "-t", "10", "-f", "k"];
    const said = await kubectl(["exec", from.name, "--", ...client]);
    const rates = [...said.matchAll(/([\d.]+) Kbits\/sec/g)]
      .map(([, rate]) => Number(rate));
    const mbits = (rates.at(-1) ?? 0) / 1000;
    assert(mbits > 8.5 && mbits < 11.5, `${from.name} to ${to.name}: ${said}`);
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
  const { kubectl, description } = cluster;
  for (const { name } of description.nodes) await untilCounted(cluster, name);
  const asking = (count: string): Record<string, string> =>
    Object.fromEntries([["aliyun/eni", count]]);
  const limits = asking("1");
  await hasAnEni(cluster, await runPod(kubectl, { name: "whole", limits }));
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
