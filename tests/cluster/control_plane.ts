/**
 * The control plane on its machine: etcd, the API server, the controllers and
 * the scheduler.
 *
 * @module
 */
import { join } from "node:path";
import { API_PORT, ClusterError, type Ranges } from "./description.ts";
import { until } from "./command.ts";
import type { Kubectl } from "./kubectl.ts";
import type { Tree } from "./tree.ts";

/** What a control plane needs. */
export interface ControlPlaneWish {
  /** Its machine. */
  readonly tree: Tree;
  /** The file that terway's requests are written to, a line each. */
  readonly auditLog: string;
  /** Its machine's address. */
  readonly ip: string;
  /** Of what Services and nodes get theirs. */
  readonly ranges: Ranges;
  /** The folder of keys. */
  readonly keyDir: string;
  /** A folder for etcd. */
  readonly dataDir: string;
  /** By name, where each program is. */
  readonly programs: ReadonlyMap<string, string>;
  /** Asks the API server. */
  readonly kubectl: Kubectl;
}

/** A cold API server creates its roles and namespaces first. */
const READY_DEADLINE_MS = 120_000;

/** What terway asks for, and nobody else. */
const AUDIT_POLICY = new URL("./audit.yml", import.meta.url).pathname;

const CLIENTS = "http://127.0.0.1:2379";
const PEERS = "http://127.0.0.1:2380";

/**
 * Starts the control plane, and waits until the API server is ready.
 *
 * @param wish See {@linkcode ControlPlaneWish}.
 */
export async function startControlPlane(
  wish: ControlPlaneWish,
): Promise<void> {
  const { tree, kubectl } = wish;
  const start = (name: string, flags: Readonly<Record<string, string>>): void =>
    tree.start({ name, command: [programOf(wish, name), ...flagsOf(flags)] });
  start("etcd", etcdFlags(wish));
  start("kube-apiserver", apiServerFlags(wish));
  await until("the API server", { deadlineMs: READY_DEADLINE_MS }, async () => {
    requireRunning(tree);
    return (await kubectl(["get", "--raw", "/readyz"])) === "ok";
  });
  start("kube-controller-manager", controllerFlags(wish));
  start("kube-scheduler", {
    kubeconfig: join(wish.keyDir, "scheduler.conf"),
    "leader-elect": "false",
    "bind-address": "127.0.0.1",
  });
}

function requireRunning(tree: Tree): void {
  const [ended] = tree.ended();
  if (ended === undefined) return;
  throw new ClusterError(`${ended} has ended: see ${tree.logOf(ended)}`);
}

function programOf({ programs }: ControlPlaneWish, name: string): string {
  const path = programs.get(name);
  if (path === undefined) throw new ClusterError(`There is no ${name}`);
  return path;
}

/**
 * Writes flags for a command line.
 *
 * @param flags By name, without dashes.
 * @returns A word each.
 */
export function flagsOf(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

function etcdFlags({ dataDir }: ControlPlaneWish): Record<string, string> {
  return {
    "data-dir": dataDir,
    "listen-client-urls": CLIENTS,
    "advertise-client-urls": CLIENTS,
    "listen-peer-urls": PEERS,
    "initial-advertise-peer-urls": PEERS,
    "initial-cluster": `default=${PEERS}`,
    // What it holds dies with the cluster: no disk need have it.
    "unsafe-no-fsync": "true",
  };
}

function apiServerFlags(
  { keyDir, ip, ranges, auditLog }: ControlPlaneWish,
): Record<string, string> {
  const key = (name: string): string => join(keyDir, name);
  return {
    "etcd-servers": CLIENTS,
    "bind-address": "0.0.0.0",
    "secure-port": `${API_PORT}`,
    "advertise-address": ip,
    "tls-cert-file": key("apiserver.crt"),
    "tls-private-key-file": key("apiserver.key"),
    "client-ca-file": key("ca.crt"),
    "audit-policy-file": AUDIT_POLICY,
    "audit-log-path": auditLog,
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "allow-privileged": "true",
    "service-cluster-ip-range": ranges.services,
    "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    "service-account-key-file": key("sa.pub"),
    "service-account-signing-key-file": key("sa.key"),
    "kubelet-client-certificate": key("kubelet-client.crt"),
    "kubelet-client-key": key("kubelet-client.key"),
    "kubelet-certificate-authority": key("ca.crt"),
    "kubelet-preferred-address-types": "InternalIP,Hostname",
    "requestheader-client-ca-file": key("front-proxy-ca.crt"),
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "enable-aggregator-routing": "true",
    "proxy-client-cert-file": key("front-proxy-client.crt"),
    "proxy-client-key-file": key("front-proxy-client.key"),
  };
}

function controllerFlags(
  { keyDir, ranges }: ControlPlaneWish,
): Record<string, string> {
  return {
    kubeconfig: join(keyDir, "controller-manager.conf"),
    "allocate-node-cidrs": "true",
    "cluster-cidr": ranges.pods,
    "service-cluster-ip-range": ranges.services,
    "service-account-private-key-file": join(keyDir, "sa.key"),
    "root-ca-file": join(keyDir, "ca.crt"),
    "cluster-signing-cert-file": join(keyDir, "ca.crt"),
    "cluster-signing-key-file": join(keyDir, "ca.key"),
    "use-service-account-credentials": "true",
    "leader-elect": "false",
    "bind-address": "127.0.0.1",
  };
}
