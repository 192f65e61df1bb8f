/**
 * A node: containerd, kubelet and kube-proxy on a machine of the VPC.
 *
 * @module
 */
import { join } from "node:path";
import type { RegionNode } from "../stage/region.ts";
import type { Proxy } from "./arguments.ts";
import { flagsOf } from "./control_plane.ts";
import { until } from "./command.ts";
import { ClusterError, DNS_SERVICE_IP } from "./description.ts";
import { PAUSE_IMAGE } from "./images.ts";
import type { Tree } from "./tree.ts";

/** What a node needs. */
export interface NodeWish {
  /** Its machine. */
  readonly tree: Tree;
  /** Its instance. */
  readonly node: RegionNode;
  /** The region that the instance is in. */
  readonly region: string;
  /** The cluster's folder. */
  readonly dir: string;
  /** The folder of keys. */
  readonly keyDir: string;
  /** By name, where each program is. */
  readonly programs: ReadonlyMap<string, string>;
  /** How kube-proxy does it. */
  readonly proxy: Proxy;
  /**
   * Where pods have their addresses: kube-proxy gives what comes from elsewhere
   * the node's own address.
   */
  readonly podCidr: string;
  /** Archives of images. */
  readonly images: readonly string[];
}

/** Where Debian has the reference plugins. */
const PLUGIN_DIR = "/usr/lib/cni";

/** What containerd itself calls, and what a list of networks may name. */
const PLUGINS = ["loopback", "portmap", "ptp", "host-local", "bandwidth"];

/** It opens its databases first. */
const CONTAINERD_DEADLINE_MS = 60_000;

/** The largest image has some 150 MB. */
const IMPORT_DEADLINE_MS = 120_000;

/**
 * Starts a node's daemons; the kubelet registers the node.
 *
 * @param wish See {@linkcode NodeWish}.
 */
export async function startNode(wish: NodeWish): Promise<void> {
  const { tree, node, dir } = wish;
  const configDir = join(dir, "state", `${node.name}-config`);
  await Deno.mkdir(configDir, { recursive: true });
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(configDir, name);
    await Deno.writeTextFile(path, text);
    return path;
  };
  await copyPlugins(join(dir, "state", node.name, "opt/cni/bin"));
  const containerd = await write("containerd.toml", containerdConfig());
  tree.start({
    name: "containerd",
    command: ["containerd", "--config", containerd],
  });
  await until(
    `containerd on ${node.name}`,
    { deadlineMs: CONTAINERD_DEADLINE_MS },
    async () => (await tree.run(["ctr", "version"])) !== "",
  );
  await loadImages(tree, wish.images);
  const noResolver = await write("resolv.conf", "");
  const kubelet = await write("kubelet.json", kubeletConfig(wish, noResolver));
  tree.start({ name: "kubelet", command: kubeletCommand(wish, kubelet) });
  if (wish.proxy === "none") return;
  const proxy = await write("kube-proxy.json", proxyConfig(wish));
  tree.start({
    name: "kube-proxy",
    command: [programOf(wish, "kube-proxy"), `--config=${proxy}`],
  });
}

/**
 * Gives a node's containerd images.
 *
 * @param tree The node's machine.
 * @param archives Their archives.
 */
export async function loadImages(
  tree: Pick<Tree, "run">,
  archives: readonly string[],
): Promise<void> {
  for (const archive of archives) {
    await tree.run(["ctr", "-n", "k8s.io", "images", "import", archive], {
      signal: AbortSignal.timeout(IMPORT_DEADLINE_MS),
    });
  }
}

async function copyPlugins(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
  for (const name of PLUGINS) {
    await Deno.copyFile(join(PLUGIN_DIR, name), join(dir, name));
  }
}

function programOf({ programs }: NodeWish, name: string): string {
  const path = programs.get(name);
  if (path === undefined) throw new ClusterError(`There is no ${name}`);
  return path;
}

function kubeletCommand(
  wish: NodeWish,
  config: string,
): [string, ...string[]] {
  const { node, region, keyDir } = wish;
  const labels = {
    "node.kubernetes.io/instance-type": node.instance.type,
    "topology.kubernetes.io/zone": node.instance.zone,
    "topology.kubernetes.io/region": region,
  };
  return [
    programOf(wish, "kubelet"),
    ...flagsOf({
      config,
      kubeconfig: join(keyDir, `${node.name}.conf`),
      "hostname-override": node.name,
      "node-ip": [node.primaryIp, node.primaryIp6]
        .filter((ip) => ip !== undefined).join(","),
      // As the cloud's controller writes it.
      "provider-id": `${region}.${node.instance.id}`,
      "node-labels": Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`).join(","),
      v: "2",
    }),
  ];
}

/** The image of a sandbox is on the node; nothing here may raise a priority. */
function containerdConfig(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[metrics]
  address = "127.0.0.1:1338"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
`;
}

function kubeletConfig(
  { keyDir, node }: NodeWish,
  noResolver: string,
): string {
  const key = (name: string): string => join(keyDir, name);
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: key("ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: key(`${node.name}.crt`),
    tlsPrivateKeyFile: key(`${node.name}.key`),
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: "cgroupfs",
    failCgroupV1: false,
    clusterDNS: [DNS_SERVICE_IP],
    clusterDomain: "cluster.local",
    // This machine's resolver is none of theirs.
    resolvConf: noResolver,
    // A disk that others fill mustn't make the node evict its pods.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
      "memory.available": "100Mi",
    },
    oomScoreAdj: 0,
    maxOpenFiles: 20_000,
    nodeStatusUpdateFrequency: "5s",
    runtimeRequestTimeout: "2m",
    shutdownGracePeriod: "0s",
    // An image that isn't on the node is in no registry either.
    serializeImagePulls: false,
  });
}

/** Connection tracking's sizes are the whole machine's: they stay. */
function proxyConfig(
  { keyDir, node, proxy, podCidr }: NodeWish,
): string {
  const sync = { minSyncPeriod: "0s", syncPeriod: "30s" };
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: join(keyDir, "proxy.conf") },
    hostnameOverride: node.name,
    mode: proxy,
    clusterCIDR: podCidr,
    bindAddress: "0.0.0.0",
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: "0s",
      tcpCloseWaitTimeout: "0s",
    },
    [proxy === "iptables" ? "iptables" : "nftables"]: sync,
    oomScoreAdj: 0,
  });
}
