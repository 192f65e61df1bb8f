/**
 * The pods of a node, as its kernel has them: the namespaces that a look finds,
 * whatever a journal says.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { NetlinkError } from "./errno.ts";
import { type LinkSeen, listLinks } from "./link.ts";
import { decodeAttributes, encodeAttributes, u32, viewOf } from "./message.ts";
import { type Namespace, NamespaceError, openNamespace } from "./namespace.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";

/** Where and how pods are looked for. */
export interface PodSearch {
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

/** Links that have the MAC of the card that they lie on. */
const SHARING_KINDS = ["ipvlan", "macvlan", "vlan"];

/**
 * Looks into each pod.
 *
 * Namespaces are found by their paths and by the processes in them; a daemon
 * in a container sees the latter only with the host's process ids.
 *
 * @typeParam T What is looked for.
 * @param search Where.
 * @param look Reads a pod by its socket; is told its namespace's path.
 * @returns What was found in all of them.
 * @throws {NetlinkError} When the kernel can't be read: then nothing is known.
 */
export async function lookIntoPods<T>(
  search: PodSearch,
  look: (pod: RouteSocket, path: string) => readonly T[],
): Promise<T[]> {
  const found: T[] = [];
  let count = 0;
  // The kernel numbers a pod for the node when it shows the node's end.
  listLinks(search.host);
  for (const path of namespacePaths()) {
    found.push(...lookInto(path, search, look));
    if (++count % SLICE_COUNT === 0) await search.othersTurn();
  }
  return found;
}

/**
 * Finds a card of the node that is in a pod.
 *
 * @param mac Its MAC, in lower case.
 * @param search Where.
 * @returns The card, as the pod sees it; undefined when no pod has it.
 * @throws {NetlinkError} When the kernel can't be read: then nothing is known.
 */
export async function findPodCard(
  mac: Mac,
  search: PodSearch,
): Promise<LinkSeen | undefined> {
  const [card] = await lookIntoPods(
    search,
    (pod) =>
      listLinks(pod).filter((link) =>
        link.mac === mac && !SHARING_KINDS.includes(link.kind ?? "")
      ),
  );
  return card;
}

function lookInto<T>(
  path: string,
  { host, pairedOnly = false }: PodSearch,
  look: (pod: RouteSocket, path: string) => readonly T[],
): readonly T[] {
  try {
    using namespace = openNamespace(path);
    if (namespace.inode === host.namespace?.inode) return [];
    if (pairedOnly && !isPaired(host, namespace)) return [];
    using pod = openRoutes(namespace);
    return look(pod, path);
  } catch (error) {
    // It is gone by now, is a plain file, or is this process's own.
    if (error instanceof NamespaceError && error.problem !== "denied") {
      return [];
    }
    throw error;
  }
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
