/**
 * A cluster: an emulated cloud with its VPC, and in it a real Kubernetes.
 *
 * The cloud and the VPC live in this process; each machine is a process tree
 * of its own in its machine's network namespace, so that a pod's packet goes
 * the way that it would go in the cloud.
 *
 * @module
 */
import { join } from "node:path";
import { findMissing } from "../packages.ts";
import { recordProcess } from "../stage/ledger.ts";
import { identify } from "../stage/process.ts";
import { stageName } from "../stage/description.ts";
import { openRegion, type Region, type RegionNode } from "../stage/region.ts";
import type { ClusterWish } from "./arguments.ts";
import { findTools } from "./build.ts";
import { CommandError, run, until } from "./command.ts";
import { startControlPlane } from "./control_plane.ts";
import {
  type ClusterDescription,
  ClusterError,
  type ClusterMachine,
  rangesOf,
  writeCluster,
} from "./description.ts";
import { startDns } from "./dns.ts";
import { makeImages } from "./images.ts";
import { makeKeys } from "./keys.ts";
import { type Kubectl, makeKubectl } from "./kubectl.ts";
import { claimClusterDir, STATE_DIR, sweepUpCluster } from "./ledger.ts";
import { startNode } from "./node.ts";
import { CLUSTER_PACKAGES } from "./requirements.ts";
import { makeRoutes } from "./routes.ts";
import { startPtp } from "./ptp.ts";
import { installTerway, makeTerwayImage, MANIFESTS } from "./terway.ts";
import { CLUSTER_TOOLS } from "./tools.ts";
import { openTree, type Tree } from "./tree.ts";

/** A cluster to be opened. */
export interface ClusterOptions extends ClusterWish {
  /** Its folder, absolute. */
  readonly dir: string;
  /** The nodes' type. @default {4 cards of 15 addresses} */
  readonly instanceType?: string;
  /** Keys of eni_conf that win over those that the cloud needs. */
  readonly eniConf?: (region: Region) => Readonly<Record<string, unknown>>;
  /** Hears of each step, once it is done. */
  readonly onStep: (line: string) => void;
}

/** In a cluster's folder, terway's requests of the API server. */
export const AUDIT_LOG = "log/audit.jsonl";

/** The machine of the control plane. */
export const CONTROL_PLANE = "cp";

/** 4 cards of 15 addresses. */
const INSTANCE_TYPE = "ecs.g7.xlarge";

/** As quick as the stage's. */
const CLOUD = { replyMs: 5, attachMs: 100, detachMs: 100, deleteMs: 20 };

/** Networks whose pods have addresses of their node's pod CIDR. */
const HAS_ROUTES: ReadonlySet<string> = new Set(["ptp", "terway-vpc"]);

/** Images fill it: each node unpacks them for itself. */
const STATE_SIZE = "12g";

/** A cold kubelet registers in five seconds. */
const NODE_DEADLINE_MS = 120_000;

/** The least that kubelets and containerd watch with. */
const INOTIFY_COUNT = 1024;
const INOTIFY = "/proc/sys/fs/inotify/max_user_instances";

/** A cluster that is up. */
export interface Cluster extends AsyncDisposable {
  /** Its folder. */
  readonly dir: string;
  /** What `DIR/cluster.json` tells. */
  readonly description: ClusterDescription;
  /** The cloud and the VPC. */
  readonly region: Region;
  /** Its machines by name. */
  readonly trees: ReadonlyMap<string, Tree>;
  /** Asks the API server as the administrator. */
  readonly kubectl: Kubectl;
}

/** What is made one after another. */
interface Parts {
  readonly options: ClusterOptions;
  readonly programs: ReadonlyMap<string, string>;
  readonly region: Region;
  readonly trees: ReadonlyMap<string, Tree>;
  readonly keyDir: string;
  readonly kubectl: Kubectl;
}

/**
 * Opens a cluster; its API server answers and its nodes are registered when
 * this returns, and Ready if it has a network.
 *
 * @param options How it shall be.
 * @returns The cluster.
 * @throws {ClusterError} When this machine can't have one.
 */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { dir, nodeCount, onStep } = options;
  const programs = await requirePrograms(onStep);
  await using stack = new AsyncDisposableStack();
  await claimClusterDir(dir);
  stack.defer(() => sweepUpCluster(dir));
  const self = identify(Deno.pid);
  if (self !== undefined) recordProcess(dir, { ...self, role: "server" });
  await mountState(dir);
  const images = [...await makeImages(programs, onStep)];
  if (MANIFESTS.has(options.network)) {
    images.push(await makeTerwayImage(onStep));
  }
  const names = Array.from({ length: nodeCount }, (_, at) => `n${at + 1}`);
  const region = stack.use(
    await openRegion({
      name: stageName(dir),
      zoneCount: options.zoneCount,
      nodeCount: nodeCount + 1,
      nodeNames: [...names, CONTROL_PLANE],
      instanceType: options.instanceType ?? INSTANCE_TYPE,
      ipv6: options.families !== "ipv4",
      cloud: CLOUD,
    }),
  );
  const keyDir = join(dir, STATE_DIR, "keys");
  const [trees] = await Promise.all([
    openTrees(options, region),
    makeKeys({
      dir: keyDir,
      apiIp: controlPlane(region).primaryIp,
      nodes: region.nodes,
    }),
  ]);
  const kubectl = makeKubectl({
    program: programs.get("kubectl") ?? "kubectl",
    kubeconfig: join(keyDir, "admin.conf"),
    netns: controlPlane(region).netns,
  });
  onStep("cloud, VPC, machines and keys are there");
  const parts = { options, programs, region, trees, keyDir, kubectl };
  await startAll(parts, images);
  const description = describe(parts);
  await writeCluster(dir, description);
  const kept = stack.move();
  return {
    dir,
    description,
    region,
    trees,
    kubectl,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** A cluster is built beforehand, as that takes a quarter of an hour. */
async function requirePrograms(
  onStep: (line: string) => void,
): Promise<ReadonlyMap<string, string>> {
  const tools = await findTools(CLUSTER_TOOLS, { mayBuild: false, onStep });
  if (!tools.ok) throw new ClusterError(tools.reason);
  const missing = (await findMissing(CLUSTER_PACKAGES))
    .map(({ name }) => name).join(" ");
  if (missing === "") return tools.paths;
  throw new ClusterError(`missing: apt-get install ${missing}`);
}

async function startAll(
  parts: Parts,
  images: readonly string[],
): Promise<void> {
  const { options, programs, region, trees, keyDir, kubectl } = parts;
  const { dir, onStep } = options;
  const tree = (name: string): Tree => treeOf(trees, name);
  const nodes = workers(region);
  const ranges = rangesOf(options.families);
  await startControlPlane({
    tree: tree(CONTROL_PLANE),
    ip: controlPlane(region).primaryIp,
    ranges,
    keyDir,
    dataDir: join(dir, STATE_DIR, "etcd"),
    auditLog: join(dir, AUDIT_LOG),
    programs,
    kubectl,
  });
  onStep("the API server is ready");
  await Promise.all(
    nodes.map((node) =>
      startNode({
        tree: tree(node.name),
        node,
        region: region.description.region,
        dir,
        keyDir,
        programs,
        proxy: options.proxy,
        // Who has an ENI to itself must get the node's address: its answers
        // would come by its ENI, and the node couldn't translate them back.
        podCidr: options.network === "terway" ? ranges.vpc : ranges.pods,
        images,
      })
    ),
  );
  onStep("the kubelets are started");
  await startDns(kubectl);
  const names = nodes.map(({ name }) => name);
  await until("nodes", { deadlineMs: NODE_DEADLINE_MS }, async () => {
    await kubectl(["get", "node", ...names]);
    return true;
  });
  onStep(`nodes are registered: ${names.join(", ")}`);
  if (options.network === "none") return;
  if (HAS_ROUTES.has(options.network)) {
    const cidrs = await makeRoutes({ region, nodes, kubectl });
    if (options.network === "ptp") await startPtp(cidrs, trees);
  }
  const manifest = MANIFESTS.get(options.network);
  if (manifest !== undefined) {
    const cloud = region.description;
    const config = options.eniConf?.(region) ?? {};
    await installTerway({ kubectl, cloud, manifest, config });
  }
  await waitForReady(kubectl);
  onStep("nodes and CoreDNS are ready");
}

/**
 * Waits until every node is Ready and names can be looked up.
 *
 * @param kubectl Asks the API server.
 */
export async function waitForReady(kubectl: Kubectl): Promise<void> {
  const options = { deadlineMs: NODE_DEADLINE_MS };
  const wait = ["wait", "--timeout=1s"];
  await until("ready nodes", options, async () => {
    await kubectl([...wait, "--for=condition=Ready", "nodes", "--all"]);
    return true;
  });
  await until("CoreDNS", options, async () => {
    const dns = ["-n", "kube-system", "deployment/coredns"];
    await kubectl([...wait, "--for=condition=Available", ...dns]);
    return true;
  });
}

async function openTrees(
  { dir }: ClusterOptions,
  region: Region,
): Promise<ReadonlyMap<string, Tree>> {
  const prefix = stageName(dir);
  const opened = await Promise.all(
    region.nodes.map(({ name, netns }) =>
      openTree({
        name,
        dir,
        prefix,
        netns,
        // Else it would hide routes that the nodes lack.
        forwards: name !== CONTROL_PLANE,
      })
    ),
  );
  return new Map(opened.map((tree) => [tree.name, tree]));
}

/** In memory: the disk's fsync is most of the start otherwise. */
async function mountState(dir: string): Promise<void> {
  const state = join(dir, STATE_DIR);
  await Deno.mkdir(state, { recursive: true });
  await Deno.mkdir(join(dir, "log"), { recursive: true });
  try {
    const options = `mode=755,size=${STATE_SIZE}`;
    await run(["mount", "-t", "tmpfs", "-o", options, "terway", state]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new ClusterError(`Cannot have a cluster here: ${error.message}`);
  }
  if (Number(await Deno.readTextFile(INOTIFY)) >= INOTIFY_COUNT) return;
  await Deno.writeTextFile(INOTIFY, `${INOTIFY_COUNT}`);
}

function describe(
  { region, trees, keyDir, programs }: Parts,
): ClusterDescription {
  const machine = (node: RegionNode): ClusterMachine => ({
    name: node.name,
    instanceId: node.instance.id,
    instanceType: node.instance.type,
    zone: node.instance.zone,
    netns: node.netns,
    primaryIp: node.primaryIp,
    ...node.primaryIp6 !== undefined && { primaryIp6: node.primaryIp6 },
    pid: treeOf(trees, node.name).pid,
  });
  return {
    cloud: region.description,
    controlPlane: machine(controlPlane(region)),
    nodes: workers(region).map(machine),
    kubeconfig: join(keyDir, "admin.conf"),
    programs: Object.fromEntries(programs),
  };
}

function controlPlane(region: Region): RegionNode {
  const found = region.nodes.find(({ name }) => name === CONTROL_PLANE);
  if (found === undefined) throw new Error("There is no control plane");
  return found;
}

function workers(region: Region): readonly RegionNode[] {
  return region.nodes.filter(({ name }) => name !== CONTROL_PLANE);
}

function treeOf(trees: ReadonlyMap<string, Tree>, name: string): Tree {
  const tree = trees.get(name);
  if (tree === undefined) throw new ClusterError(`There is no ${name}`);
  return tree;
}
