/**
 * What this process can do with this kernel, as a value: the same one picks
 * what a node offers and which tests are skipped, each with its reason.
 *
 * @module
 */
import { applyPlan } from "./apply.ts";
import { tbfSizes } from "./bandwidth.ts";
import { requireFlows } from "./conntrack.ts";
import { NetlinkError } from "./errno.ts";
import { LibraryError } from "./ffi.ts";
import { findLinkByName } from "./link.ts";
import { addLink, addVeth } from "./link_add.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "./namespace.ts";
import { NftError, openNft } from "./nft.ts";
import { setTbf } from "./qdisc.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import type { Step } from "./step.ts";
import { setRedirect } from "./tc_redirect.ts";

/** Whether something can be done, and if not why. */
export type Capability =
  | { readonly can: true }
  | { readonly can: false; readonly reason: string };

/** The kinds of link that datapaths are made of. */
export const LINK_KINDS = ["veth", "vlan", "ipvlan", "ifb"] as const;

/** A kind of link. */
export type LinkKind = (typeof LINK_KINDS)[number];

/** What was found. */
export interface Probe {
  /** Network namespaces can be made, entered and removed. */
  readonly namespaces: Capability;
  /** Links of each kind can be made. */
  readonly links: Readonly<Record<LinkKind, Capability>>;
  /** What a link sends can be limited: a pod on a veth pair, both ways. */
  readonly tbf: Capability;
  /** So can what it gets: a pod with a card of its own needs it. */
  readonly redirect: Capability;
  /** Flows of an address that gets a new owner can be deleted. */
  readonly conntrack: Capability;
  /** Packet filters can be read and made by nftables. */
  readonly nft: Capability;
}

/**
 * Tries everything once in a namespace of its own, and removes it.
 *
 * Effects: a namespace for about 30 ms; the kernel may load modules.
 *
 * @param folder Where the namespace is mounted meanwhile.
 * @returns What can be done.
 * @throws {NetlinkError} When the kernel refuses for another reason than that it can't or this process mayn't.
 */
export function probe(folder = "/run/netns"): Probe {
  const path = `${folder}/terway-probe-${crypto.randomUUID()}`;
  const namespaces = attempt(() => createNamespace(path));
  if (!namespaces.can) {
    const none = namespaces;
    return {
      namespaces,
      links: { veth: none, vlan: none, ipvlan: none, ifb: none },
      tbf: none,
      redirect: none,
      conntrack: none,
      nft: none,
    };
  }
  try {
    using namespace = openNamespace(path);
    using routes = openRoutes(namespace);
    const links = probeLinks(routes);
    return {
      namespaces,
      links,
      ...probeBandwidth(routes, links),
      conntrack: attempt(() => requireFlows(namespace)),
      nft: attempt(() => openNft(namespace)[Symbol.dispose]()),
    };
  } finally {
    removeNamespace(path);
  }
}

/**
 * Tells whether pods can share a card by IPvlan: slaves, and filters that turn
 * packets back into the node.
 *
 * Effects: a namespace for about 30 ms; the kernel may load modules.
 *
 * @param folder Where the namespace is mounted meanwhile.
 * @returns Whether, and if not which part is missing.
 * @throws {NetlinkError} When the kernel refuses for another reason.
 */
export function probeIpvlan(folder = "/run/netns"): Capability {
  const path = `${folder}/terway-probe-${crypto.randomUUID()}`;
  const namespaces = attempt(() => createNamespace(path));
  if (!namespaces.can) return namespaces;
  try {
    using namespace = openNamespace(path);
    using routes = openRoutes(namespace);
    const { veth, ipvlan } = probeLinks(routes);
    if (!veth.can) return veth;
    return ipvlan.can ? attempt(() => turnBack(routes)) : ipvlan;
  } finally {
    removeNamespace(path);
  }
}

/** Turns something back from the probe's pair to the slave on it. */
function turnBack(routes: RouteSocket): void {
  const steps: readonly Step[] = [
    { kind: "clsact", place: "host", link: "probe0" },
    {
      kind: "steer",
      place: "host",
      link: "probe0",
      priority: 1,
      match: { to: "192.0.2.0/24" },
      action: { kind: "intoNode", link: "probe-ipvlan" },
    },
  ];
  applyPlan({ steps }, routes);
}

function probeLinks(routes: RouteSocket): Probe["links"] {
  const end = { name: "probe0", mac: "02:00:00:00:00:01" };
  const peer = { name: "probe1", mac: "02:00:00:00:00:02" };
  const veth = attempt(() => addVeth(routes, { ...end, peer }));
  const parent = findLinkByName(routes, end.name)?.ifIndex;
  const on = (kind: LinkKind): Capability => {
    if (parent === undefined) return veth;
    const name = `probe-${kind}`;
    return attempt(() => addLink(routes, { name, kind, parent, vlanId: 2 }));
  };
  return {
    veth,
    ifb: attempt(() => addLink(routes, { name: "probe-ifb", kind: "ifb" })),
    vlan: on("vlan"),
    ipvlan: on("ipvlan"),
  };
}

function probeBandwidth(
  routes: RouteSocket,
  { veth, ifb }: Probe["links"],
): Pick<Probe, "tbf" | "redirect"> {
  const link = findLinkByName(routes, "probe0")?.ifIndex;
  if (link === undefined) return { tbf: veth, redirect: veth };
  const sizes = tbfSizes(1e6, { mtu: 1500 });
  const tbf = attempt(() => setTbf(routes, link, sizes));
  const to = findLinkByName(routes, "probe-ifb")?.ifIndex;
  if (to === undefined) return { tbf, redirect: ifb };
  return { tbf, redirect: attempt(() => setRedirect(routes, link, to)) };
}

const CANNOT: ReadonlySet<string> = new Set(
  // ENOENT: there is no such qdisc, filter or action.
  [
    "EPERM",
    "EACCES",
    "EROFS",
    "EOPNOTSUPP",
    "EPROTONOSUPPORT",
    "ENOENT",
  ],
);

function attempt(work: () => void): Capability {
  try {
    work();
    return { can: true };
  } catch (error) {
    const reason = error instanceof LibraryError || error instanceof NftError ||
      error instanceof NetlinkError && CANNOT.has(error.errno);
    if (!reason) throw error;
    return { can: false, reason: error.message };
  }
}
