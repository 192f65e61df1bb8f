/**
 * Who on a node still speaks for an address: a rule, a route, a link, or a pod
 * that lives. Such an address mustn't be given to anybody, whatever the cloud
 * and a journal say.
 *
 * @module
 */
import { listAddresses } from "./address.ts";
import { NetlinkError } from "./errno.ts";
import { hostCidr, type Ip, parseCidr } from "./ip.ts";
import { listLinks } from "./link.ts";
import { decodeAttributes, encodeAttributes, u32, viewOf } from "./message.ts";
import { type Namespace, NamespaceError, openNamespace } from "./namespace.ts";
import { listRoutes } from "./route.ts";
import { listRules } from "./rule.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";

/** Somebody who speaks for an address. */
export interface Speaker {
  /** The address. */
  readonly ip: Ip;
  /** A rule or route of the node, a link of the node, or a pod. */
  readonly by: "rule" | "route" | "link" | "pod";
  /** Who, for people: the object, or the path of the pod's namespace. */
  readonly who: string;
}

/** Where and how speakers are looked for. */
export interface SpeakerSearch {
  /** The node's socket. */
  readonly host: RouteSocket;
  /**
   * Only pods that a pair of links connects with the node. Absent on a machine
   * that is one node: there each namespace is a pod of it.
   */
  readonly pairedOnly?: boolean;
  /** Lets others work. */
  readonly othersTurn: () => Promise<void>;
}

/** Where runtimes mount namespaces: containerd and CRI-O, then Docker. */
const FOLDERS = ["/run/netns", "/run/docker/netns"] as const;

/** RTM_GETNSID, NETNSA_NSID and NETNSA_FD. Source: linux/net_namespace.h. */
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** struct rtgenmsg, padded. */
const HEADER_BYTES = 4;

/** Namespaces that are looked at before others have a turn: 2 to 7 ms. */
const SLICE_COUNT = 5;

/**
 * Finds who speaks for addresses.
 *
 * Namespaces are found by their paths and by the processes in them; a daemon
 * in a container sees the latter only with the host's process ids.
 *
 * Effects: reads only; one dump of the node's rules, routes and addresses,
 * and one of each other namespace's addresses.
 *
 * @param ips The addresses in question.
 * @param search Where.
 * @returns At least one speaker for each address that has any.
 * @throws {NetlinkError} When the kernel can't be read: then nothing is known.
 */
export async function findSpeakers(
  ips: readonly Ip[],
  search: SpeakerSearch,
): Promise<Speaker[]> {
  if (ips.length === 0) return [];
  const wanted = new Set(ips);
  const speakers = onNode(wanted, search.host);
  let count = 0;
  // The kernel numbers a pod for the node when it shows the node's end.
  listLinks(search.host);
  for (const path of namespacePaths()) {
    speakers.push(...inPod(path, { wanted, search }));
    if (++count % SLICE_COUNT === 0) await search.othersTurn();
  }
  return speakers;
}

function onNode(wanted: ReadonlySet<Ip>, host: RouteSocket): Speaker[] {
  const byPrefix = new Map([...wanted].map((ip) => [hostCidr(ip), ip]));
  const speakers: Speaker[] = [];
  for (const { priority, from, to } of listRules(host)) {
    for (const prefix of [from, to]) {
      const ip = byPrefix.get(prefix ?? "");
      const who = `priority ${priority}`;
      if (ip !== undefined) speakers.push({ ip, by: "rule", who });
    }
  }
  for (const { destination, table } of listRoutes(host)) {
    const ip = byPrefix.get(destination);
    const who = `table ${table}`;
    if (ip !== undefined) speakers.push({ ip, by: "route", who });
  }
  for (const { ip, ifIndex } of heldIn(host, wanted)) {
    speakers.push({ ip, by: "link", who: `link #${ifIndex}` });
  }
  return speakers;
}

function inPod(
  path: string,
  { wanted, search }: {
    readonly wanted: ReadonlySet<Ip>;
    readonly search: SpeakerSearch;
  },
): Speaker[] {
  const { host, pairedOnly = false } = search;
  try {
    using namespace = openNamespace(path);
    if (namespace.inode === host.namespace?.inode) return [];
    if (pairedOnly && !isPaired(host, namespace)) return [];
    using routes = openRoutes(namespace);
    return heldIn(routes, wanted).map(({ ip }) => ({
      ip,
      by: "pod",
      who: path,
    }));
  } catch (error) {
    // It is gone by now, is a plain file, or is this process's own.
    if (error instanceof NamespaceError && error.problem !== "denied") {
      return [];
    }
    throw error;
  }
}

function heldIn(
  socket: RouteSocket,
  wanted: ReadonlySet<Ip>,
): { readonly ip: Ip; readonly ifIndex: number }[] {
  return listAddresses(socket).flatMap(({ cidr, ifIndex }) => {
    const { ip } = parseCidr(cidr);
    return wanted.has(ip) ? [{ ip, ifIndex }] : [];
  });
}

/** Tells whether the node has numbered a namespace, as it does for peers. */
function isPaired(host: RouteSocket, namespace: Namespace): boolean {
  const body = new Uint8Array([
    ...new Uint8Array(HEADER_BYTES),
    ...encodeAttributes([[NETNSA_FD, u32(namespace.fd)]]),
  ]);
  const op = `ip netns list-id target ${namespace.path}`;
  const [answer] = host.exchange(op, { type: RTM_GETNSID, flags: 0, body });
  if (answer === undefined) throw new NetlinkError({ op, errno: "EFAILURE" });
  const id = decodeAttributes(answer.subarray(HEADER_BYTES)).get(NETNSA_NSID);
  return id !== undefined && viewOf(id).getInt32(0, LITTLE_ENDIAN) >= 0;
}

/** A path of each namespace there is, as far as this process can see. */
function namespacePaths(): readonly string[] {
  const byInode = new Map<string, string>();
  for (const folder of FOLDERS) {
    for (const name of namesIn(folder)) {
      const path = `${folder}/${name}`;
      const inode = unlessGone(() => Deno.statSync(path).ino);
      if (inode !== undefined) byInode.set(String(inode), path);
    }
  }
  for (const pid of namesIn("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const path = `/proc/${pid}/ns/net`;
    const link = unlessGone(() => Deno.readLinkSync(path));
    const inode = /^net:\[(\d+)\]$/.exec(link ?? "")?.[1];
    if (inode !== undefined && !byInode.has(inode)) byInode.set(inode, path);
  }
  return [...byInode.values()];
}

function namesIn(folder: string): string[] {
  return unlessGone(() =>
    [...Deno.readDirSync(folder)].map(({ name }) => name)
  ) ??
    [];
}

/** Reads what may vanish meanwhile, or be another user's. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    // ESRCH, as /proc says of a process that has just ended.
    if (error instanceof Error && "code" in error && error.code === "ESRCH") {
      return undefined;
    }
    throw error;
  }
}
