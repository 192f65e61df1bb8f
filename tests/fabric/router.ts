/**
 * The VPC: one network namespace that routes, with a port for every ENI.
 *
 * A port is the near end of a veth pair whose far end lies in a machine's
 * namespace. An address is reached by a host route and a permanent neighbour
 * entry at its port, so a machine never has to answer ARP: what the cloud
 * doesn't know as assigned gets nothing. The router answers ARP for all that
 * it has a route to, with one MAC, as the real one does.
 *
 * @module
 */
import { addAddress } from "../../netns/address.ts";
import type { Mac } from "../../netns/attachment.ts";
import { setInetConf } from "../../netns/conf.ts";
import { type Cidr, familyOf, hostCidr, type Ip } from "../../netns/ip.ts";
import {
  deleteLink,
  findLinkByName,
  type LinkSeen,
  setLink,
} from "../../netns/link.ts";
import { NetlinkError } from "../../netns/errno.ts";
import { addLink, addVeth } from "../../netns/link_add.ts";
import {
  createNamespace,
  type Namespace,
  openNamespace,
  removeNamespace,
  within,
} from "../../netns/namespace.ts";
import { deleteNeighbour, replaceNeighbour } from "../../netns/neighbour.ts";
import { deleteRoute, replaceRoute } from "../../netns/route.ts";
import { openRoutes, type RouteSocket } from "../../netns/socket.ts";
import { type Count, Filter, type PacketFilter } from "./filter.ts";
import { LegacyFilter } from "./filter_legacy.ts";
import { LOOPBACK_INDEX, writeSysctls } from "./kernel.ts";
import { carryTag } from "./tag.ts";

/** The MAC of every gateway. Source: what an ECS instance's ARP table shows. */
const GATEWAY_MAC: Mac = "ee:ff:ff:ff:ff:ff";

/** Where prefixes of IPv6 are led at a port; its neighbour is the port's card. */
const PREFIX_HOP: Ip = "fe80::80";

/** A machine's end of a port. */
export interface PortWish {
  /** Whose it is, for people who read `ip link`. */
  readonly alias: string;
  /** The link's MAC. */
  readonly mac: Mac;
  /** The link's name in a machine. */
  readonly link: string;
  /**
   * The machine's network namespace. Absent for a machine with a kernel of its
   * own: then the port is a tap, which a program gives to that kernel.
   */
  readonly namespace?: Namespace;
}

/** A port, and what it leads to. */
export interface Port {
  /** The link's name in the VPC. */
  readonly name: string;
  /** The link's index in the VPC. */
  readonly ifIndex: number;
  /** The MAC at the far end. */
  readonly mac: Mac;
}

/** What a port carried, counted from the VPC. */
export interface PortCount {
  /** From the machine into the VPC. */
  readonly out: Count;
  /** From the VPC to the machine. */
  readonly in: Count;
}

/** The VPC's router. */
export class Router implements AsyncDisposable {
  /** The path of its namespace. */
  readonly netns: string;
  /** Its packet filter. */
  readonly filter: PacketFilter;
  readonly #namespace: Namespace;
  readonly #routes: RouteSocket;
  readonly #servers: Deno.HttpServer[] = [];
  readonly #own = new Set<Ip>();
  readonly #ports = new Map<string, Port>();
  #portCount = 0;

  private constructor(namespace: Namespace, filter: PacketFilter) {
    this.netns = namespace.path;
    this.filter = filter;
    this.#namespace = namespace;
    this.#routes = openRoutes(namespace);
  }

  /**
   * Makes the VPC's namespace, without any port.
   *
   * @param netns Its path.
   * @param ipv6 Whether the VPC has IPv6: its ports then carry what neighbour
   * discovery says, too.
   * @returns The router.
   */
  static async open(netns: string, ipv6: boolean): Promise<Router> {
    createNamespace(netns);
    try {
      const namespace = openNamespace(netns);
      writeSysctls(namespace, {
        "ipv4/ip_forward": "1",
        // The filter checks sources; rp_filter would drop ARP too.
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/default/rp_filter": "0",
        "ipv4/conf/all/send_redirects": "0",
        "ipv4/conf/default/send_redirects": "0",
        "ipv6/conf/default/disable_ipv6": ipv6 ? "0" : "1",
        "ipv6/conf/all/forwarding": ipv6 ? "1" : "0",
        // Its addresses are its own, at once.
        "ipv6/conf/default/accept_dad": "0",
      });
      const filter = await Filter.install(netns)
        .catch(() => LegacyFilter.install(netns));
      const router = new Router(namespace, filter);
      setLink(router.#routes, LOOPBACK_INDEX, { up: true });
      return router;
    } catch (error) {
      removeNamespace(netns);
      throw error;
    }
  }

  /**
   * Makes the router answer for an address, such as a vSwitch's gateway. For
   * IPv6 each port has it: a port answers solicitations for its own only.
   *
   * @param ip The address; one that it has already is fine.
   */
  addOwnAddress(ip: Ip): void {
    if (this.#own.has(ip)) return;
    this.#own.add(ip);
    const ports = familyOf(ip) === 4
      ? [{ ifIndex: LOOPBACK_INDEX }]
      : [...this.#ports.values()].filter((port) => this.hasPort(port));
    for (const { ifIndex } of ports) {
      addAddress(this.#routes, { ifIndex, cidr: hostCidr(ip) });
    }
  }

  /**
   * Makes a port: a link appears in a machine, down and without addresses.
   *
   * @param wish The machine's end.
   * @returns The port.
   */
  addPort(wish: PortWish): Port {
    const name = `e${++this.#portCount}`;
    const { link, mac, namespace } = wish;
    if (namespace === undefined) addTap(this.netns, name);
    else {
      addVeth(this.#routes, {
        name,
        mac: GATEWAY_MAC,
        peer: { name: link, mac, namespace },
      });
    }
    return this.#settle({ name, mac, alias: wish.alias });
  }

  /** Makes a link of the VPC answer as a port does. */
  #settle(
    { name, mac, alias }: { name: string; mac: Mac; alias: string },
  ): Port {
    const { ifIndex } = this.#find(name);
    setLink(this.#routes, ifIndex, { alias, mac: GATEWAY_MAC, up: true });
    setInetConf(this.#routes, ifIndex, { proxyArp: 1 });
    // Else an ARP that is answered for somebody else waits up to 0.8 s.
    writeSysctls(this.#namespace, { [`ipv4/neigh/${name}/proxy_delay`]: "0" });
    for (const ip of this.#own) {
      if (familyOf(ip) === 4) continue;
      addAddress(this.#routes, { ifIndex, cidr: hostCidr(ip) });
    }
    const port = { name, ifIndex, mac };
    this.#ports.set(name, port);
    return port;
  }

  /**
   * Makes the port of a member ENI: frames of its trunk's port that bear its
   * tag. Where this kernel has no VLANs, eBPF pushes and pops it.
   *
   * @param trunk The trunk's port.
   * @param member The tag, and whose it is, for people.
   * @returns The port; it goes with the trunk's.
   */
  addMember(trunk: Port, member: { vlanId: number; alias: string }): Port {
    const name = `${trunk.name}.${member.vlanId}`;
    try {
      addLink(this.#routes, {
        name,
        kind: "vlan",
        parent: trunk.ifIndex,
        vlanId: member.vlanId,
        up: true,
      });
    } catch (error) {
      const cannot = error instanceof NetlinkError &&
        error.errno === "EOPNOTSUPP";
      if (!cannot) throw error;
      this.#addTagged(name, trunk, member.vlanId);
    }
    // Frames to a member bear the trunk's MAC, as the VLANs of a node have it.
    return this.#settle({ name, mac: trunk.mac, alias: member.alias });
  }

  #addTagged(name: string, trunk: Port, vlanId: number): void {
    const far = `${name}t`;
    const namespace = this.#namespace;
    const peer = { name: far, mac: GATEWAY_MAC, namespace };
    addVeth(this.#routes, { name, mac: GATEWAY_MAC, peer });
    const member = this.#find(far);
    setLink(this.#routes, member.ifIndex, { up: true });
    const { netns } = this;
    carryTag({ netns, vlanId, trunk, member });
  }

  /**
   * Removes a port; the link vanishes wherever it is, in a pod too.
   *
   * @param port The port; one that is gone is fine.
   */
  removePort(port: Port): void {
    this.#ports.delete(port.name);
    if (this.hasPort(port)) deleteLink(this.#routes, port.ifIndex);
  }

  /**
   * Tells whether a port is still there: a link dies with the namespace that
   * its far end is in.
   *
   * @param port The port.
   */
  hasPort(port: Port): boolean {
    return findLinkByName(this.#routes, port.name) !== undefined;
  }

  /**
   * Leads an address, or a prefix of IPv6, to a port, from now on and nowhere
   * else.
   *
   * @param port The port.
   * @param ip The address.
   */
  addHost(port: Port, ip: Ip | Cidr): void {
    const { ifIndex, mac } = port;
    if (ip.includes("/")) {
      replaceNeighbour(this.#routes, { ifIndex, ip: PREFIX_HOP, mac });
      return this.addRoute(port, { cidr: ip, nextHop: PREFIX_HOP });
    }
    replaceNeighbour(this.#routes, { ifIndex, ip, mac });
    replaceRoute(this.#routes, { ifIndex, destination: hostCidr(ip) });
  }

  /**
   * Cuts an address, or a prefix of IPv6, off.
   *
   * @param port Its port.
   * @param ip The address.
   */
  removeHost(port: Port, ip: Ip | Cidr): void {
    const { ifIndex } = port;
    if (ip.includes("/")) {
      return deleteRoute(this.#routes, { ifIndex, destination: ip });
    }
    deleteRoute(this.#routes, { ifIndex, destination: hostCidr(ip) });
    deleteNeighbour(this.#routes, { ifIndex, ip });
  }

  /**
   * Leads a prefix to a port by an address of that port, as a route entry of
   * the VPC does: the port may then send from it, too.
   *
   * @param port The port.
   * @param entry The prefix, and an address that was added to the port.
   */
  addRoute(port: Port, entry: { cidr: Cidr; nextHop: Ip }): void {
    replaceRoute(this.#routes, {
      ifIndex: port.ifIndex,
      destination: entry.cidr,
      gateway: entry.nextHop,
      onlink: true,
    });
  }

  /**
   * Reads what a port has carried since it was made.
   *
   * @param port The port.
   * @returns Packets and bytes in both directions.
   */
  count(port: Port): PortCount {
    const table = within(
      this.#namespace,
      () => Deno.readTextFileSync("/proc/thread-self/net/dev"),
    );
    const line = table.split("\n").map((line) => line.trim())
      .find((line) => line.startsWith(`${port.name}:`));
    if (line === undefined) {
      throw new Error(`Cannot count at ${port.name}: it is gone`);
    }
    // Eight figures of what came in, then eight of what went out. proc(5)
    const figures = line.slice(line.indexOf(":") + 1).trim().split(/\s+/)
      .map(Number);
    const at = (from: number): Count => ({
      byteCount: figures[from] ?? 0,
      packetCount: figures[from + 1] ?? 0,
    });
    return { out: at(0), in: at(8) };
  }

  /**
   * Serves HTTP at an address of the VPC, out of this very process.
   *
   * `Deno.serve` binds at once and its socket stays where it was made; the
   * requests are handled outside, and no thread stays inside.
   *
   * @param where The address, given to the router if need be, and the port.
   * @param handler Gives the answers.
   * @returns The server, which ends with the router.
   */
  serve(
    where: { hostname: Ip; port: number },
    handler: Deno.ServeHandler<Deno.NetAddr>,
  ): Deno.HttpServer<Deno.NetAddr> {
    this.addOwnAddress(where.hostname);
    const server = within(
      this.#namespace,
      // What it prints on standard output would be a lie: it isn't this host.
      () => Deno.serve({ ...where, onListen: () => {} }, handler),
    );
    this.#servers.push(server);
    return server;
  }

  /** Ends the servers and removes the namespace, with all ports. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.shutdown()));
    this.#routes[Symbol.dispose]();
    this.#namespace[Symbol.dispose]();
    removeNamespace(this.netns);
  }

  #find(name: string): LinkSeen {
    const link = findLinkByName(this.#routes, name);
    if (link === undefined) throw new Error(`Cannot find ${name} in the VPC`);
    return link;
  }
}

/** A tap that lives without a program. Its kind needs an ioctl, not netlink. */
function addTap(netns: string, name: string): void {
  const { success, stderr } = new Deno.Command("nsenter", {
    args: [
      ...[`--net=${netns}`, "ip", "tuntap", "add"],
      ...["dev", name, "mode", "tap"],
    ],
  }).outputSync();
  if (success) return;
  throw new Error(
    `Cannot make tap ${name}: ${new TextDecoder().decode(stderr).trim()}`,
  );
}
