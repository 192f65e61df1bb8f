/**
 * What the kernel still tells of a pod whose record was lost: how fast it may
 * be, and its routes beside the default one. An address alone would have a
 * rebuilt lease say that the pod has no limits, and nobody would miss one that
 * somebody removes.
 *
 * Only what a plan of ours makes is read, in the form in which it makes it;
 * anything else is somebody's own.
 *
 * @module
 */
import { listAddresses } from "./address.ts";
import { type LinkOwner, readCardAlias } from "./alias.ts";
import { type Owner, type PodNetwork, vethMacs } from "./attachment.ts";
import { type Bandwidth, ifbOf, tbfSizes } from "./bandwidth.ts";
import { HOST_PEER_LINK } from "./datapath/exclusive.ts";
import { everything, nextHop } from "./datapath/next_hop.ts";
import { RULE_INTERFACE_PRIORITY } from "./datapath/pod_routes.ts";
import { RULE_HOST_STACK_PRIORITY } from "./datapath/veth.ts";
import { isGone } from "./errno.ts";
import { type Cidr, hostCidr, type Ip, parseCidr } from "./ip.ts";
import { findLinkByName, listLinks } from "./link.ts";
import { NamespaceError, openNamespace } from "./namespace.ts";
import { isTbf, ROOT_HANDLE, rootQdisc } from "./qdisc.ts";
import { listRoutes, type RouteSeen, RTPROT_BOOT } from "./route.ts";
import { listRules } from "./rule.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import { TABLE_MAIN } from "./step.ts";

/** Not that of a link alone. Source: linux/rtnetlink.h, RT_SCOPE_UNIVERSE. */
const SCOPE_UNIVERSE = 0;

/** Which pod: its pair, and where the other end is. */
export interface RecallWish {
  /** The index of the node's end; absent for a card that has no pair. */
  readonly ifIndex?: number;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** The path of the pod's namespace; empty when that isn't known. */
  readonly netns: string;
  /** Whose the pair is. */
  readonly owner: Owner;
  /** The pod's addresses. */
  readonly ips: readonly Ip[];
}

/** What was found; absent is what no plan of ours made. */
export type Recalled =
  & Pick<
    PodNetwork,
    "bandwidth" | "extraRoutes" | "hostStackCidrs" | "podTable"
  >
  & {
    /**
     * Of a pod with a card of its own, all that its pair leads to: services,
     * the node, and `hostStackCidrs`, which aren't told apart.
     */
    readonly byPair?: readonly Cidr[];
    /** Why the pod couldn't be looked into: of what lies there nothing is known. */
    readonly problem?: string;
  };

/**
 * Reads what a pod on a pair was made with.
 *
 * Effects: reads only; one dump of the node's rules, and of the pod's rules
 * and routes.
 *
 * @param wish Which pod.
 * @param host The node's socket.
 * @returns What a plan of ours has made.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function recall(wish: RecallWish, host: RouteSocket): Recalled {
  const { ifIndex, mtu, ips } = wish;
  const own = ips.map(hostCidr);
  const inPod = recallInside(wish);
  const atNode = ifIndex === undefined
    ? undefined
    : limitOf(host, ifIndex, mtu);
  const ingress = atNode ?? inPod.ingress;
  const { egress, extraRoutes = [], podTable, byPair, problem } = inPod;
  const hostStackCidrs = listRules(host)
    .filter(({ priority, from, mark }) =>
      priority === RULE_HOST_STACK_PRIORITY && mark === undefined &&
      from !== undefined && own.includes(from)
    ).flatMap(({ to }) => to ?? []);
  const bandwidth: Bandwidth = {
    ...ingress?.bitsPerSec && { ingressBitsPerSec: ingress.bitsPerSec },
    ...ingress?.burstBits && { ingressBurstBits: ingress.burstBits },
    ...egress?.bitsPerSec && { egressBitsPerSec: egress.bitsPerSec },
    ...egress?.burstBits && { egressBurstBits: egress.burstBits },
  };
  return {
    ...Object.keys(bandwidth).length > 0 && { bandwidth },
    ...hostStackCidrs.length > 0 && { hostStackCidrs },
    ...extraRoutes.length > 0 && { extraRoutes },
    ...podTable !== undefined && { podTable },
    ...byPair !== undefined && { byPair },
    ...problem !== undefined && { problem },
  };
}

/** What a queue lets through. */
interface Limit {
  readonly bitsPerSec: number;
  /** When it isn't what we choose ourselves. */
  readonly burstBits?: number;
}

/** A bucket of ours tells its rate, and by what may wait its burst. */
function limitOf(
  socket: RouteSocket,
  ifIndex: number,
  mtu: number,
): Limit | undefined {
  const seen = rootQdisc(socket, ifIndex);
  if (seen?.tbf === undefined || seen.handle !== ROOT_HANDLE) return undefined;
  const bitsPerSec = seen.tbf.bytesPerSec * 8;
  const own = tbfSizes(bitsPerSec, { mtu });
  if (isTbf(seen.tbf, own)) return { bitsPerSec };
  const waitingBytes = own.limitBytes - own.burstBytes;
  const burstBits = (seen.tbf.limitBytes - waitingBytes) * 8;
  if (burstBits <= 0) return undefined;
  const asked = tbfSizes(bitsPerSec, { mtu, burstBits });
  return isTbf(seen.tbf, asked) ? { bitsPerSec, burstBits } : undefined;
}

/** What the inside of a pod tells. */
type Inside = Omit<Recalled, "bandwidth" | "hostStackCidrs"> & {
  readonly egress?: Limit | undefined;
  /** Of a pod with a card of its own. */
  readonly ingress?: Limit | undefined;
};

function recallInside({ netns, owner, mtu, ips }: RecallWish): Inside {
  if (netns === "") return { problem: "its namespace isn't known" };
  const { ifName } = owner;
  try {
    using namespace = openNamespace(netns);
    using pod = openRoutes(namespace);
    const link = findLinkByName(pod, ifName);
    if (link === undefined) return { problem: `it has no link ${ifName}` };
    const egress = limitOf(pod, link.ifIndex, mtu);
    const own = ips.map(hostCidr);
    const podTable = listRules(pod).find(({ priority, from }) =>
      priority === RULE_INTERFACE_PRIORITY && from !== undefined &&
      own.includes(from)
    )?.table;
    const routes = listRoutes(pod, TABLE_MAIN).filter(({ protocol }) =>
      protocol === RTPROT_BOOT
    );
    const { ifIndex } = link;
    const table = podTable !== undefined && { podTable };
    const pair = findLinkByName(pod, HOST_PEER_LINK);
    if (link.mac === vethMacs(owner).pod) {
      const extraRoutes = extraRoutesOf(routes, {
        ifIndex,
        gatewayOf: nextHop,
      });
      return { egress, extraRoutes, ...table };
    }
    const ifb = findLinkByName(pod, ifbOf(owner).name);
    const ingress = ifb && limitOf(pod, ifb.ifIndex, mtu);
    const defaults = podTable === undefined
      ? routes
      : listRoutes(pod, podTable);
    const gatewayOf = (cidr: Cidr) =>
      defaults.find(({ ifIndex: index, destination }) =>
        index === ifIndex && destination === everything(cidr)
      )?.gateway;
    const extraRoutes = extraRoutesOf(routes, { ifIndex, gatewayOf });
    if (pair?.mac !== vethMacs(owner).pod) {
      return { egress, ingress, extraRoutes, ...table };
    }
    return {
      egress,
      ingress,
      extraRoutes,
      byPair: routes.filter((route) =>
        route.ifIndex === pair.ifIndex && route.source !== undefined &&
        ips.includes(route.source) &&
        route.gateway === nextHop(route.destination)
      ).map(({ destination }) => destination),
      ...table,
    };
  } catch (error) {
    if (!(error instanceof NamespaceError) && !isGone(error)) throw error;
    return { problem: (error as Error).message };
  }
}

function extraRoutesOf(
  routes: readonly RouteSeen[],
  { ifIndex, gatewayOf }: {
    readonly ifIndex: number;
    readonly gatewayOf: (destination: Cidr) => Ip | undefined;
  },
): readonly Cidr[] {
  return routes.filter((route) =>
    route.ifIndex === ifIndex && route.gateway !== undefined &&
    route.gateway === gatewayOf(route.destination) &&
    !route.destination.endsWith("/0")
  ).map(({ destination }) => destination);
}

/** A card in a pod that says whose it is. */
export interface MarkedCard extends LinkOwner {
  /** Bytes in a packet. */
  readonly mtu: number;
  /** Its addresses, IPv4 first. */
  readonly ips: readonly Ip[];
}

/**
 * Looks for cards without a pair in a pod: their aliases say whose they are.
 *
 * @param netns The path of the pod's namespace.
 * @returns The cards; none when there is no such pod any more.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function markedCards(netns: string): readonly MarkedCard[] {
  try {
    using namespace = openNamespace(netns);
    using pod = openRoutes(namespace);
    const addresses = listAddresses(pod);
    return listLinks(pod).flatMap((link) => {
      const found = readCardAlias(link);
      const ips = addresses.filter(({ ifIndex, scope }) =>
        ifIndex === link.ifIndex && scope === SCOPE_UNIVERSE
      ).map(({ cidr }) => parseCidr(cidr).ip);
      return found === undefined ? [] : [{ ...found, ips, mtu: link.mtu }];
    });
  } catch (error) {
    if (error instanceof NamespaceError) return [];
    throw error;
  }
}

/** What a pod has already, that another interface must leave alone. */
export interface PodRoom {
  /** Whether another interface has the pod's default route. */
  readonly hasDefaultRoute: boolean;
  /** The routing tables that rules of the pod look up. */
  readonly tables: readonly number[];
}

/**
 * Looks what the other interfaces of a pod have.
 *
 * @param of The pod's namespace, and the interface that is to come.
 * @returns What they have.
 * @throws {NamespaceError} When the namespace can't be used.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function lookForRoom(
  { netns, ifName }: { readonly netns: string; readonly ifName: string },
): PodRoom {
  using namespace = openNamespace(netns);
  using pod = openRoutes(namespace);
  const own = findLinkByName(pod, ifName)?.ifIndex;
  const hasDefaultRoute = listRoutes(pod, TABLE_MAIN).some((route) =>
    ["0.0.0.0/0", "::/0"].includes(route.destination) && route.type === 1 &&
    route.ifIndex !== own
  );
  return { hasDefaultRoute, tables: listRules(pod).map(({ table }) => table) };
}
