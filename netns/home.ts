/**
 * Brings a card home: from a pod to the node, by its old name, up or down as
 * it was. A card that came home by itself, as a physical one does when its
 * pod's namespace dies, is put in order where it is.
 *
 * @module
 */
import { isOurAlias } from "./alias.ts";
import type { Mac } from "./attachment.ts";
import { isThere } from "./errno.ts";
import {
  findLinkByMac,
  findLinkByName,
  type LinkChange,
  type LinkSeen,
  moveLinkAside,
  setLink,
} from "./link.ts";
import { type Namespace, ownNamespace } from "./namespace.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import type { MoveLinkStep } from "./step.ts";

/** What the kernel makes a free name of, when the old one is taken. */
const ANY_NAME = "eth%d";

/**
 * Finds a card, by its name first: that costs no dump.
 *
 * @param socket Where.
 * @param name The name that it most likely has.
 * @param mac Its MAC, which decides.
 * @returns The card; undefined when it isn't there.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function findCard(
  socket: RouteSocket,
  name: string,
  mac: Mac,
): LinkSeen | undefined {
  const named = findLinkByName(socket, name);
  return named?.mac === mac ? named : findLinkByMac(socket, mac);
}

/** Where a card is and where it belongs. */
export interface HomeWay {
  /** The pod's socket; undefined when its namespace can't be reached. */
  readonly pod: RouteSocket | undefined;
  /** The node's socket. */
  readonly host: RouteSocket;
}

/**
 * Brings a card home and waits for it.
 *
 * @param step The card, as it was on the node.
 * @param way Where it may be.
 * @throws {NetlinkError} What the kernel refused.
 */
export function bringHome(step: MoveLinkStep, { pod, host }: HomeWay): void {
  const link = pod && findCard(pod, step.pod.name, step.mac);
  if (link !== undefined && pod !== undefined) {
    const namespace = namespaceOf(host);
    try {
      setLink(pod, link.ifIndex, { namespace, name: step.host.name });
    } catch (error) {
      if (!isThere(error)) throw error;
      if (findLinkByMac(host, step.mac) === undefined) {
        setLink(pod, link.ifIndex, { namespace, name: ANY_NAME });
      }
    }
  }
  tidy(step, host);
}

/**
 * Brings a card home on a thread of the runtime's pool. The pod's namespace
 * lives until it is done, whatever becomes of its path and its processes: the
 * socket that this opens holds it.
 *
 * @param step The card, as it was on the node.
 * @param way Where it may be; both sockets may be closed once this has returned, the node's namespace not.
 * @returns Resolves when the card is home, or is nowhere to be found.
 * @throws {NetlinkError} What the kernel refused.
 */
export async function bringHomeAside(
  step: MoveLinkStep,
  way: HomeWay,
): Promise<void> {
  using host = openRoutes(way.host.namespace);
  const link = way.pod && findCard(way.pod, step.pod.name, step.mac);
  if (link !== undefined && way.pod !== undefined) {
    using pod = openRoutes(way.pod.namespace);
    const move = { ifIndex: link.ifIndex, namespace: namespaceOf(host) };
    try {
      await moveLinkAside(pod, { ...move, name: step.host.name });
    } catch (error) {
      if (!isThere(error)) throw error;
      if (findLinkByMac(host, step.mac) === undefined) {
        await moveLinkAside(pod, { ...move, name: ANY_NAME });
      }
    }
  }
  tidy(step, host);
}

/** Gives a card on the node its name and state; none there is no error. */
function tidy(step: MoveLinkStep, host: RouteSocket): void {
  const { name, up, mtu } = step.host;
  const link = findCard(host, name, step.mac);
  if (link === undefined) return;
  if (link.name !== name) rename(host, link, name);
  const change: LinkChange = {
    ...link.up !== up && { up },
    ...mtu !== undefined && mtu !== link.mtu && { mtu },
    ...isOurAlias(link.alias) && { alias: "" },
  };
  if (Object.keys(change).length > 0) setLink(host, link.ifIndex, change);
}

/** Kernels before 6.3 rename only what is down. A name in use stays away. */
function rename(host: RouteSocket, link: LinkSeen, name: string): void {
  if (findLinkByName(host, name) !== undefined) return;
  if (link.up) setLink(host, link.ifIndex, { up: false });
  setLink(host, link.ifIndex, { name });
  if (link.up) setLink(host, link.ifIndex, { up: true });
}

function namespaceOf(socket: RouteSocket): Namespace {
  return socket.namespace ?? ownNamespace();
}
