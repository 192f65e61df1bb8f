/**
 * The alias of a pod's link on the host: whose it is, for people who read
 * `ip link`, and for a daemon whose journal was lost.
 *
 * @module
 */
import { hostLinkName, type Owner, type PodName } from "./attachment.ts";

/** What an alias tells. */
export interface LinkOwner {
  /** Whose the link is. */
  readonly owner: Owner;
  /** The pod, when the runtime named it and there was room. */
  readonly pod?: PodName;
  /** The path of the pod's namespace, when there was room. */
  readonly netns?: string;
  /** The interface whose ADD made this one too, when there was room. */
  readonly beside?: string;
}

/** Source: linux/if_link.h, IFALIASZ is 256 with the NUL. */
const MOST_BYTES = 255;

/**
 * Writes an alias: `terway NETWORK/CONTAINER/IFNAME NAMESPACE/NAME NETNS`,
 * with `-` for what isn't known or doesn't fit, and the name of the interface
 * whose ADD made it if that is another.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const alias = linkAlias({
 *   owner: { network: "terway", containerId: "4f1c", ifName: "eth0" },
 *   pod: { namespace: "shop", name: "cart-0" },
 *   netns: "/run/netns/cni-1",
 * });
 * assertEquals(alias, "terway terway/4f1c/eth0 shop/cart-0 /run/netns/cni-1");
 * ```
 * @param of Whose the link is.
 * @returns At most 255 bytes.
 */
export function linkAlias(of: LinkOwner): string {
  const { owner, pod, netns, beside } = of;
  const { network, containerId, ifName } = owner;
  const who = `terway ${network}/${containerId}/${ifName}`;
  const name = pod === undefined ? "-" : `${pod.namespace}/${pod.name}`;
  const path = netns === undefined || netns === "" ? "-" : netns;
  const where = beside === undefined ? path : `${path} ${beside}`;
  const forms = [`${who} ${name} ${where}`, `${who} - ${where}`, who];
  return forms.find((form) => byteCount(form) <= MOST_BYTES) ??
    who.slice(0, MOST_BYTES);
}

/**
 * Reads an alias.
 *
 * @param link The link's name, which must be that of the owner, and its alias.
 * @returns Whose it is; undefined when it isn't one of ours, or was cut.
 */
export function readAlias(link: Aliased): LinkOwner | undefined {
  const found = parseAlias(link.alias);
  return found && hostLinkName(found.owner) === link.name ? found : undefined;
}

/**
 * Reads the alias of a card in a pod.
 *
 * @param link The link's name, which must be that of the interface, and its
 * alias.
 * @returns Whose it is; undefined when it isn't one of ours, or was cut.
 */
export function readCardAlias(link: Aliased): LinkOwner | undefined {
  const found = parseAlias(link.alias);
  return found?.owner.ifName === link.name ? found : undefined;
}

/** A link, as far as its alias is read. */
export interface Aliased {
  /** Its name. */
  readonly name: string;
  /** Its alias, when it has one. */
  readonly alias?: string;
}

function parseAlias(alias = ""): LinkOwner | undefined {
  const [word, who, pod, netns, beside, more] = alias.split(" ");
  if (word !== "terway" || who === undefined || more !== undefined) {
    return undefined;
  }
  const [network, containerId, ifName, rest] = who.split("/");
  if (!network || !containerId || !ifName || rest !== undefined) {
    return undefined;
  }
  const owner: Owner = { network, containerId, ifName };
  const [namespace, name] = (pod ?? "-").split("/");
  return {
    owner,
    ...(namespace && name ? { pod: { namespace, name } } : {}),
    ...(netns?.startsWith("/") ? { netns } : {}),
    ...(beside ? { beside } : {}),
  };
}

/**
 * Tells whether a link's alias is one of ours.
 *
 * @param alias The alias, if there is one.
 * @returns True also for one that was cut.
 */
export function isOurAlias(alias: string | undefined): boolean {
  return alias?.startsWith("terway ") ?? false;
}

function byteCount(text: string): number {
  return new TextEncoder().encode(text).length;
}
