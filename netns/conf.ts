/**
 * A link's settings of the IPv4 stack, by netlink: what `sysctl
 * net.ipv4.conf.$link.…` does, without entering the namespace or touching
 * `/proc/sys`, which is read-only in many containers.
 *
 * Those of IPv6 can't be set so; write them inside `within()`.
 *
 * @module
 */
import { check, libnlRoute, type Pointer } from "./ffi.ts";
import { changeLink } from "./link.ts";
import { fetchLink } from "./link_object.ts";
import type { Attribute } from "./message.ts";
import type { RouteSocket } from "./socket.ts";

/** Settings by name; what is absent stays. */
export interface InetConf {
  /** `forwarding`: packets that come in here may leave elsewhere. */
  readonly forwarding?: number;
  /** `proxy_arp`: answers for addresses that it has a route to. */
  readonly proxyArp?: number;
  /** `rp_filter`: 0 off, 1 strict, 2 loose. */
  readonly rpFilter?: number;
  /** `accept_local`: takes packets whose source is an address of ours. */
  readonly acceptLocal?: number;
}

/** Source: IPV4_DEVCONF_* in linux/ip.h. */
const NUMBERS: Readonly<Record<keyof InetConf, number>> = {
  forwarding: 1,
  proxyArp: 3,
  rpFilter: 8,
  acceptLocal: 23,
};

/** Source: linux/if_link.h, bits/socket.h. */
const IFLA_AF_SPEC = 26;
const IFLA_INET_CONF = 1;
const AF_INET = 2;

const KEYS = Object.keys(NUMBERS) as readonly (keyof InetConf)[];

/**
 * Sets a link's IPv4 settings, all in one message.
 *
 * Equivalent to: `sysctl net.ipv4.conf.$link.forwarding=$forwarding …`
 *
 * @param socket Where.
 * @param ifIndex The link's index.
 * @param conf The settings.
 * @throws {NetlinkError} `ENODEV` when the link isn't there.
 */
export function setInetConf(
  socket: RouteSocket,
  ifIndex: number,
  conf: InetConf,
): void {
  const settings: Attribute[] = [];
  let op = `sysctl net.ipv4.conf.#${ifIndex}`;
  for (const key of KEYS) {
    const value = conf[key];
    if (value === undefined) continue;
    settings.push([NUMBERS[key], value]);
    op += ` ${key}=${value}`;
  }
  changeLink(socket, op, {
    ifIndex,
    attributes: [[IFLA_AF_SPEC, [[AF_INET, [[IFLA_INET_CONF, settings]]]]]],
  });
}

/**
 * Reads a link's IPv4 settings.
 *
 * Equivalent to: `sysctl net.ipv4.conf.$link`. Costs no dump.
 *
 * @param socket Where.
 * @param which The link's name or index.
 * @returns Every setting; undefined when there is no such link.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function getInetConf(
  socket: RouteSocket,
  which: string | number,
): Required<InetConf> | undefined {
  using link = fetchLink(socket, which);
  if (link === undefined) return undefined;
  return readInetConf(link.pointer);
}

/**
 * Reads the IPv4 settings of all links.
 *
 * @param socket Where.
 * @returns Every setting, by the index of the link.
 * @throws {NetlinkError} When the kernel refuses.
 */
export function listInetConfs(
  socket: RouteSocket,
): Map<number, Required<InetConf>> {
  const lib = libnlRoute();
  return new Map(socket.dump(
    "sysctl net.ipv4.conf",
    (place) => lib.rtnl_link_alloc_cache(socket.pointer, 0, place),
    (link) => [lib.rtnl_link_get_ifindex(link), readInetConf(link)] as const,
  ));
}

function readInetConf(link: Pointer): Required<InetConf> {
  const lib = libnlRoute();
  const value = new Uint32Array(1);
  const read = (key: keyof InetConf): number => {
    const code = lib.rtnl_link_inet_get_conf(link, NUMBERS[key], value);
    check(`sysctl net.ipv4.conf ${key}`, code);
    return value[0] ?? 0;
  };
  return {
    forwarding: read("forwarding"),
    proxyArp: read("proxyArp"),
    rpFilter: read("rpFilter"),
    acceptLocal: read("acceptLocal"),
  };
}
