/**
 * What terway costs in a real Kubernetes: 100 pods over two nodes from made to
 * ready, against the reference plugin `ptp` in the same cluster; what the
 * kubelets wait for; what daemons take of memory and of the API server.
 *
 * @module
 */
import { join } from "node:path";
import { findTools } from "../cluster/build.ts";
import { AUDIT_LOG, type Cluster, openCluster } from "../cluster/cluster.ts";
import { until } from "../cluster/command.ts";
import { createPods, podsOn, waitForReadyPods } from "../cluster/pods.ts";
import { CLUSTER_PACKAGES } from "../cluster/requirements.ts";
import { startPtp, stopPtp } from "../cluster/ptp.ts";
import { makeRoutes } from "../cluster/routes.ts";
import { eniConf } from "../cluster/terway.ts";
import { CLUSTER_TOOLS } from "../cluster/tools.ts";
import { contains } from "../../netns/ip.ts";
import { POD_CIDR } from "../cluster/description.ts";
import { percentile, ratio, round } from "./figures.ts";
import type { Part, PartOptions } from "./part.ts";
import {
  addsBetween,
  addsSeen,
  containersOn,
  sandboxTimes,
} from "./cluster_seen.ts";

const POD_COUNT = 100;

/** 8 cards of 30 addresses: 100 pods are far from its end. */
const INSTANCE_TYPE = "ecs.g7.4xlarge";

/** A round is 100 pods: so many are as much as the other parts' rounds. */
const ROUNDS_A_BATCH = 12;

/** Addresses cool for 30 s. */
const COOL_MS = 31_000;

/** On a machine whose other work comes first. */
const READY_DEADLINE_S = 300;
const GONE_DEADLINE_MS = 300_000;

/** The second is terway with as many idle addresses as there will be pods. */
const NETWORKS = ["terway", "warm", "ptp"] as const;
type Network = typeof NETWORKS[number];

/** More than a node's share of the pods. */
const WARM_COUNT = 60;
const WARM_DEADLINE_MS = 120_000;

/** What a round came to. */
interface Round {
  /** From before the first was made until the last was ready. */
  readonly readyMs: number;
  /** How long each sandbox took, its network included. */
  readonly sandboxMs: readonly number[];
  /** How long the runtimes waited for ADDs. */
  readonly add: ReturnType<typeof addsBetween>;
  /** What terway asked of the API server, from made to gone. */
  readonly requestCount: number;
}

/** Pods in a real Kubernetes. */
export const clusterPart: Part = {
  name: "cluster",
  title: `${POD_COUNT} pods over two nodes of a real Kubernetes`,
  needs: CLUSTER_PACKAGES,
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, unknown>> {
  const tools = await findTools(CLUSTER_TOOLS, {
    mayBuild: false,
    onStep: say,
  });
  if (!tools.ok) {
    say(`skipped: ${tools.reason}`);
    return {};
  }
  const dir = await Deno.makeTempDir({ prefix: "terway-bench-" });
  await using cluster = await openCluster({
    ...{ dir, nodeCount: 2, zoneCount: 2, instanceType: INSTANCE_TYPE },
    ...{ network: "terway", proxy: "nftables", families: "ipv4" },
    onStep: () => {},
  });
  const { region, kubectl, description } = cluster;
  const names = description.nodes.map(({ name }) => name);
  const nodes = region.nodes.filter(({ name }) => names.includes(name));
  const cidrs = await makeRoutes({ region, nodes, kubectl });
  const rounds = new Map<Network, Round[]>();
  const batchCount = Math.max(1, Math.round(roundCount / ROUNDS_A_BATCH));
  const memory: Record<string, unknown> = { idle: await readMemory(cluster) };
  for (let batch = 0; batch <= batchCount; batch++) {
    for (
      const network of batch % 2 === 0 ? NETWORKS : NETWORKS.toReversed()
    ) {
      if (network === "ptp") await startPtp(cidrs, cluster.trees);
      else await setIdle(cluster, network === "warm" ? WARM_COUNT : 0);
      const one = await oneRound(cluster, `${network}-${batch}`, async () => {
        if (network === "terway") {
          memory[`pods${POD_COUNT}`] = await readMemory(cluster);
        }
      });
      await stopPtp(nodes.flatMap(({ name }) => cluster.trees.get(name) ?? []));
      say(
        `${network.padEnd(6)} ${round(one.readyMs / 1000, 1)} s, ` +
          `sandbox p50 ${round(percentile(one.sandboxMs, 0.5), 0)} ms, ` +
          `ADD p50 ${round(one.add.p50Ms, 0)} ms` +
          (batch === 0 ? ", to warm up" : ""),
      );
      if (batch === 0) continue;
      rounds.set(network, [...rounds.get(network) ?? [], one]);
    }
  }
  const found = { ...compare(rounds), memory };
  say(JSON.stringify(found, null, 2));
  return { cluster: found };
}

/** Medians over the rounds, and terway's as shares of the peer's. */
function compare(rounds: ReadonlyMap<Network, readonly Round[]>) {
  const ptp = figuresOf(rounds.get("ptp") ?? []);
  const keys = [
    ...["readyMs", "sandboxP50Ms", "sandboxP99Ms"] as const,
    ...["addMeanMs", "addP50Ms", "addP99Ms"] as const,
  ];
  const of = (network: Network) => {
    const own = figuresOf(rounds.get(network) ?? []);
    const ratioToPtp = Object.fromEntries(
      keys.map((key) => [key.replace("Ms", ""), ratio(own[key], ptp[key])]),
    );
    return [network, { ...own, ratioToPtp }] as const;
  };
  return {
    podCount: POD_COUNT,
    roundCount: rounds.get("ptp")?.length ?? 0,
    ...Object.fromEntries(NETWORKS.map(of)),
  };
}

function figuresOf(rounds: readonly Round[]) {
  const median = (of: (one: Round) => number): number =>
    percentile(rounds.map(of), 0.5);
  const sandboxes = rounds.flatMap(({ sandboxMs }) => sandboxMs);
  return {
    readyMs: round(median(({ readyMs }) => readyMs), 0),
    sandboxP50Ms: round(percentile(sandboxes, 0.5), 0),
    sandboxP99Ms: round(percentile(sandboxes, 0.99), 0),
    addMeanMs: round(median(({ add }) => add.meanMs), 0),
    addP50Ms: round(median(({ add }) => add.p50Ms), 0),
    addP99Ms: round(median(({ add }) => add.p99Ms), 0),
    requestsAPod: round(median((one) => one.requestCount) / POD_COUNT, 2),
  };
}

/** Pods come, `meanwhile` happens, and they go. */
async function oneRound(
  cluster: Cluster,
  label: string,
  meanwhile: () => Promise<void>,
): Promise<Round> {
  const { kubectl, description: { nodes }, dir } = cluster;
  const which = ["pod", "-l", `round=${label}`];
  const requests = await countLines(join(dir, AUDIT_LOG));
  const adds = await addsSeen(cluster);
  const startMs = performance.now();
  await createPods(
    kubectl,
    Array.from({ length: POD_COUNT }, (_, number) => ({
      name: `${label}-${number}`,
      nodeName: nodes[number % nodes.length]?.name ?? "",
      labels: { round: label },
    })),
  );
  await waitForReadyPods(kubectl, which, READY_DEADLINE_S);
  const readyMs = performance.now() - startMs;
  const add = addsBetween(adds, await addsSeen(cluster));
  const sandboxMs = await sandboxTimes(cluster, `${label}-`);
  await requireNetwork(cluster, label);
  await meanwhile();
  await kubectl(["delete", ...which, "--wait=false"]);
  await until("pods to go", { deadlineMs: GONE_DEADLINE_MS }, async () => {
    const left = await Promise.all(
      nodes.map(({ name }) => podsOn(kubectl, name)),
    );
    return !left.flat().some(({ name }) => name.startsWith(`${label}-`));
  });
  await new Promise((resolve) => setTimeout(resolve, COOL_MS));
  return {
    readyMs,
    sandboxMs,
    add,
    requestCount: await countLines(join(dir, AUDIT_LOG)) - requests,
  };
}

/** Changes eni-config, and waits for what it asks for. */
async function setIdle(
  { kubectl, region, description: { nodes } }: Cluster,
  count: number,
): Promise<void> {
  const conf = JSON.stringify({
    ...eniConf(region.description, {}),
    ...count > 0 && { min_pool_size: count, max_pool_size: count },
  });
  const data = Object.fromEntries([["eni_conf", conf]]);
  const of = ["-n", "kube-system", "cm", "eni-config", "--type=merge"];
  await kubectl(["patch", ...of, "-p", JSON.stringify({ data })]);
  const { enis } = region.cloud.model;
  await until(
    "idle addresses",
    { deadlineMs: WARM_DEADLINE_MS },
    () =>
      nodes.every(({ instanceId }) => {
        const addressCount = [...enis.values()]
          .filter((eni) => eni.instanceId === instanceId)
          .reduce((sum, { ips }) => sum + ips.length, 0);
        // Besides, the node has its own.
        return count === 0 ? addressCount < WARM_COUNT : addressCount > count;
      }),
  );
}

/** A runtime that hasn't seen its new configuration would spoil a round. */
async function requireNetwork(
  { kubectl, description: { nodes } }: Cluster,
  label: string,
): Promise<void> {
  const pods = (await Promise.all(
    nodes.map(({ name }) => podsOn(kubectl, name)),
  )).flat().filter(({ name }) => name.startsWith(`${label}-`));
  const ofPtp = pods.filter(({ ips: [ip = ""] }) => contains(POD_CIDR, ip));
  const wanted = label.startsWith("ptp") ? POD_COUNT : 0;
  if (pods.length === POD_COUNT && ofPtp.length === wanted) return;
  throw new Error(`Of ${label} ${ofPtp.length} pods are of ptp's network`);
}

/** By container, what the daemons of the nodes take in the mean, MiB. */
async function readMemory(
  { kubectl, description: { nodes } }: Cluster,
): Promise<Readonly<Record<string, number>>> {
  const all = (await Promise.all(
    nodes.map(({ name }) => containersOn(kubectl, name)),
  )).flat().filter(({ pod }) => pod.startsWith("terway"));
  return Object.fromEntries(
    [...Map.groupBy(all, ({ container }) => container)].map(([name, own]) => [
      name,
      round(own.reduce((sum, { rssMb }) => sum + rssMb, 0) / own.length, 0),
    ]),
  );
}

async function countLines(path: string): Promise<number> {
  return (await Deno.readTextFile(path)).split("\n").length - 1;
}
