/**
 * ENI multi-IP in a real cluster, as README.md installs and verifies it.
 *
 * Run by `deno task test:cluster`; without Go it is skipped aloud.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { findTools } from "../build.ts";
import { type Cluster, openCluster } from "../cluster.ts";
import { runPod } from "../pods.ts";
import { CLUSTER_TOOLS } from "../tools.ts";

const tools = await findTools(CLUSTER_TOOLS, {
  mayBuild: false,
  onStep: () => {},
});

const say = (line: string): void => {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
};

if (!tools.ok) say(`skipped: a cluster's walks: ${tools.reason}`);

Deno.test({
  name:
    "kubectl apply -f deploy/terway-multiip.yml gives every pod an address of an ENI",
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
      network: "terway",
      proxy: "nftables",
      onStep: say,
    });
    await t.step(
      "every node is Ready, and so is every daemon",
      () => everyNodeServes(cluster),
    );
    await t.step("pods of two nodes ping each other", () => podsPing(cluster));
    await t.step(
      "a Service is found by its name",
      () => servicesAnswer(cluster),
    );
  },
});

async function everyNodeServes({ kubectl }: Cluster): Promise<void> {
  const rollout = ["rollout", "status", "ds/terway-eniip", "--timeout=60s"];
  await kubectl(["-n", "kube-system", ...rollout], {
    signal: AbortSignal.timeout(70_000),
  });
  const set = ["-n", "kube-system", "get", "ds", "terway-eniip"];
  const path =
    "jsonpath={.status.numberReady}/{.status.desiredNumberScheduled}";
  assertEquals(await kubectl([...set, "-o", path]), "2/2");
}

async function podsPing(cluster: Cluster): Promise<void> {
  const { kubectl, description, region } = cluster;
  const [one, two] = await Promise.all(
    description.nodes.map(({ name }) =>
      runPod(kubectl, {
        name: `client-${name}`,
        nodeName: name,
        image: "agnhost",
      })
    ),
  );
  assert(one !== undefined && two !== undefined);
  const said = await kubectl(["exec", one.name, "--", "ping", "-c2", two.ip]);
  assertMatch(said, /2 (packets )?received/);
  for (const { ip, nodeName } of [one, two]) {
    const eni = [...region.cloud.model.enis.values()]
      .find(({ ips }) => ips.includes(ip));
    const node = description.nodes.find(({ name }) => name === nodeName);
    assertEquals(eni?.instanceId, node?.instanceId, `whose is ${ip}?`);
  }
  const address = await kubectl(["exec", one.name, "--", "ip", "address"]);
  assert(address.includes(`inet ${one.ip}/32`), address);
}

async function servicesAnswer(
  { kubectl, description }: Cluster,
): Promise<void> {
  const [node] = description.nodes;
  const server = await runPod(kubectl, {
    name: "server",
    nodeName: node?.name ?? "",
    image: "agnhost",
    command: ["/agnhost", "netexec", "--http-port=8080"],
  });
  await kubectl([
    "expose",
    "pod",
    server.name,
    "--port=80",
    "--target-port=8080",
  ]);
  for (const { name } of description.nodes) {
    const said = await kubectl([
      ...["exec", `client-${name}`, "--", "curl", "-s", "-m5"],
      // kube-proxy hears of a Service a moment after it was made.
      ...["--retry", "20", "--retry-connrefused", "--retry-delay", "1"],
      "http://server/hostname",
    ]);
    assertEquals(said.trim(), "server");
  }
}
