/**
 * A namespace as plain data, to be compared by value: indexes are names, and
 * what the kernel derives by itself and in its own time (learnt neighbours,
 * routes of protocol `kernel`, link-local IPv6 addresses) is left out.
 *
 * @module
 */
import { listAddresses } from "./address.ts";
import type { Mac } from "./attachment.ts";
import { getInetConf } from "./conf.ts";
import type { Cidr, Ip } from "./ip.ts";
import { listLinks } from "./link.ts";
import { listNeighbours } from "./neighbour.ts";
import { listRoutes, RTPROT_KERNEL } from "./route.ts";
import { listRules, type RuleSeen } from "./rule.ts";
import type { RouteSocket } from "./socket.ts";

/** A link, with the settings that plans touch. */
export interface DumpedLink {
  /** Its name. */
  readonly name: string;
  /** Its MAC. */
  readonly mac: Mac;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** Whether it is set up. */
  readonly up: boolean;
  /** Such as `veth`. */
  readonly kind?: string;
  /** Its alias. */
  readonly alias?: string;
  /** `net.ipv4.conf.LINK.forwarding`. */
  readonly forwarding?: number;
  /** `net.ipv4.conf.LINK.rp_filter`. */
  readonly rpFilter?: number;
}

/** A route, its link by name. */
export interface DumpedRoute {
  /** Where it leads. */
  readonly destination: Cidr;
  /** The next hop. */
  readonly gateway?: Ip;
  /** The link's name. */
  readonly link: string;
  /** The table. */
  readonly table: number;
  /** The lower, the better. */
  readonly metric: number;
  /** 1 unicast, 2 local, … */
  readonly type: number;
  /** 3 boot, 4 static, … */
  readonly protocol: number;
}

/** All that plans can make in a namespace. */
export interface NamespaceDump {
  /** By rising index. */
  readonly links: readonly DumpedLink[];
  /** As `link cidr`. */
  readonly addresses: readonly string[];
  /** The permanent ones, as `link ip mac`. */
  readonly neighbours: readonly string[];
  /** Those that somebody made. */
  readonly routes: readonly DumpedRoute[];
  /** In the order of their use. */
  readonly rules: readonly RuleSeen[];
}

/**
 * Reads a namespace.
 *
 * Equivalent to: `ip -d link; ip address; ip neighbour; ip route show table
 * all; ip rule`, and the same with `-6`.
 *
 * @param socket Serves the namespace.
 * @returns Plain data.
 * @throws {NetlinkError} When the kernel can't be read.
 */
export function dumpNamespace(socket: RouteSocket): NamespaceDump {
  const links = listLinks(socket);
  const names = new Map(links.map((link) => [link.ifIndex, link.name]));
  const nameOf = (ifIndex: number): string =>
    names.get(ifIndex) ?? `#${ifIndex}`;
  return {
    links: links.map(({ ifIndex, ...link }) => {
      const conf = getInetConf(socket, ifIndex);
      if (conf === undefined) return link;
      const { forwarding, rpFilter } = conf;
      return { ...link, forwarding, rpFilter };
    }),
    addresses: listAddresses(socket)
      .filter(({ cidr }) => !cidr.startsWith("fe80:"))
      .map(({ ifIndex, cidr }) => `${nameOf(ifIndex)} ${cidr}`),
    neighbours: listNeighbours(socket)
      .filter(({ permanent }) => permanent)
      .map(({ ifIndex, ip, mac }) => `${nameOf(ifIndex)} ${ip} ${mac}`),
    routes: listRoutes(socket)
      .filter(({ protocol }) => protocol !== RTPROT_KERNEL)
      .map(({ ifIndex, scope: _, ...route }) => ({
        ...route,
        link: nameOf(ifIndex),
      })),
    rules: listRules(socket),
  };
}
