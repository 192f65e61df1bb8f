/**
 * ENI multi-IP in a real cluster of two stacks, as README.md installs and
 * verifies it, and Kubernetes' own conformance tests there.
 *
 * Run by `deno task test:cluster`; without Go it is skipped aloud.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Cluster } from "../cluster.ts";
import { run } from "../command.ts";
import {
  CONFORMANCE_COUNT,
  conformanceCommand,
  NETWORK_CONFORMANCE,
} from "../conformance.ts";
import { ping, podOnEach, type PodSeen } from "../pods.ts";
import { reachByName } from "../services.ts";
import { say, walk } from "../walk.ts";

/** Two and a half minutes on an idle machine. */
const CONFORMANCE_DEADLINE_MS = 15 * 60_000;

walk(
  "kubectl apply -f deploy/terway-multiip.yml gives every pod addresses of an ENI",
  { network: "terway", families: "ipv4,ipv6", proxy: "iptables" },
  async (t, cluster) => {
    const { kubectl } = cluster;
    await t.step(
      "every node is Ready, and so is every daemon",
      () => everyNodeServes(cluster),
    );
    const pods = await podOnEach(cluster);
    await t.step(
      "addresses of both families are of one ENI of the pod's node",
      () => areOfAnEni(cluster, pods),
    );
    await t.step(
      "pods of two nodes ping each other",
      () => ping(kubectl, pods),
    );
    await t.step("a Service is found by its name, by both families", () => {
      const [{ nodeName } = { nodeName: "" }] = pods;
      const families = [4, 6] as const;
      return reachByName(kubectl, { clients: pods, nodeName, families });
    });
    await t.step(
      "sig-network's conformance tests pass",
      () => conforms(cluster),
    );
  },
);

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

async function areOfAnEni(
  { kubectl, description, region }: Cluster,
  pods: readonly PodSeen[],
): Promise<void> {
  for (const { name, nodeName, ips: [ip = "", ip6 = ""] } of pods) {
    const eni = [...region.cloud.model.enis.values()]
      .find(({ ips }) => ips.includes(ip));
    const node = description.nodes.find(({ name }) => name === nodeName);
    assertEquals(eni?.instanceId, node?.instanceId, `whose is ${ip}?`);
    assert(eni?.ips6.includes(ip6), `${ip6} isn't of ${ip}'s ENI`);
    // As seed 003 prints it.
    const address = await kubectl(["exec", name, "--", "ip", "address"]);
    assertMatch(address, /^\d+: eth0@if\d+: <[^>]*LOWER_UP[^>]*> mtu 1500 /m);
    assert(address.includes(`inet ${ip}/32`), address);
    assert(address.includes(`inet6 ${ip6}/128`), address);
  }
}

/** All of them, less those that take long or break what else runs. */
async function conforms({ description, dir }: Cluster): Promise<void> {
  const focus = NETWORK_CONFORMANCE;
  const wish = { dir, description, focus, processCount: CONFORMANCE_COUNT };
  const said = await run(await conformanceCommand(wish), {
    signal: AbortSignal.timeout(CONFORMANCE_DEADLINE_MS),
  });
  const summary = /(\d+) Passed \| (\d+) Failed/.exec(said);
  say(`conformance: ${summary?.[0]}`);
  assertEquals([summary?.[1], summary?.[2]], ["45", "0"], said.slice(-4_000));
}
