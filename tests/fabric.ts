/**
 * The VPC as network namespaces: machines, their cards (ENIs), and a router
 * between them that delivers to assigned addresses only.
 *
 * It is the body of an emulated cloud: the cloud decides, this moves packets.
 * A card appears in a machine as a link with the right MAC, down and without
 * addresses; a packet whose source isn't assigned to its card is dropped and
 * counted.
 *
 * ```text
 *  node n1                      VPC                          node n2
 *  eth0 10.1.0.1/16 ─────── e1 ┐  lo: gateways,   ┌ e3 ─────── eth0
 *  eth1 (pods)      ─────── e2 ┘  metadata, API   └ o1 ─────── a host outside
 * ```
 *
 * What differs from the real one: a card is a veth, so it has a link kind, and
 * it dies with the namespace that it is in, where a real one comes home; the
 * fabric sees that and plugs it in again.
 *
 * @module
 */
import type { Mac } from "../netns/attachment.ts";
import {
  type Cidr,
  familyOf,
  gatewayOf,
  hostCidr,
  type Ip,
  parseCidr,
} from "../netns/ip.ts";
import type { Count } from "./fabric/filter.ts";
import { Machine, type MachineBody, TapMachine } from "./fabric/machine.ts";
import { netnsPath, shareNetnsDir } from "./fabric/netns_dir.ts";
import { type Port, type PortCount, Router } from "./fabric/router.ts";

/** A card as the fabric knows it. */
export interface Card {
  /** The cloud's id. */
  readonly id: string;
  /** Its MAC. */
  readonly mac: Mac;
  /** The addresses that it has when it is plugged in, and prefixes of IPv6. */
  readonly ips: readonly (Ip | Cidr)[];
}

/** A machine to be booted. */
export interface MachineWish {
  /** Its name. */
  readonly name: string;
  /** Its primary card, whose first address of each family it takes. */
  readonly card: Card;
  /** The prefix of its vSwitch. */
  readonly subnet: Cidr;
  /** The IPv6 prefix of its vSwitch, when the VPC has IPv6. */
  readonly subnet6?: Cidr;
  /**
   * Set when it has a kernel of its own: its cards are taps in the VPC's
   * namespace, by the names that {@linkcode Fabric.portName} gives.
   */
  readonly taps?: true;
}

/** A machine of the fabric. */
export interface MachineSeen {
  /** Its name. */
  readonly name: string;
  /** The path of its network namespace; empty when it has a kernel of its own. */
  readonly netns: string;
}

/** A card in a machine. */
interface Plugged {
  readonly machine: MachineBody;
  readonly card: Card;
  readonly ips: Set<Ip>;
  port: Port;
}

/** How often the cards are looked for. A real one comes home as fast. */
const HOMING_MS = 50;

/** A MAC of its own for a host that no cloud knows; locally administered. */
const OUTSIDE_MAC_PREFIX = "02:00:5e:00:53:";

/** The VPC. */
export class Fabric implements AsyncDisposable {
  /** The path of the VPC's own namespace. */
  readonly netns: string;
  readonly #name: string;
  readonly #ipv6: boolean;
  readonly #router: Router;
  readonly #machines = new Map<string, MachineBody>();
  readonly #cards = new Map<string, Plugged>();
  readonly #parts = new AsyncDisposableStack();
  #outsideCount = 0;

  /**
   * Takes a router over; see {@linkcode openFabric}.
   *
   * @param options As it was opened with.
   * @param router The router.
   */
  constructor(options: FabricOptions, router: Router) {
    this.netns = router.netns;
    this.#name = options.name;
    this.#ipv6 = options.ipv6 ?? false;
    this.#router = this.#parts.use(router);
    const homing = setInterval(() => {
      for (const plugged of this.#cards.values()) this.#bringHome(plugged);
    }, HOMING_MS);
    this.#parts.defer(() => clearInterval(homing));
  }

  /**
   * Adds a vSwitch: its gateway answers.
   *
   * @param cidr Its prefix.
   */
  addVSwitch(cidr: Cidr): void {
    this.#router.addOwnAddress(gatewayOf(cidr));
  }

  /**
   * Boots a machine: a namespace with `eth0` as DHCP leaves it.
   *
   * @param wish Its name, its primary card, its vSwitch's prefix.
   * @returns The machine.
   */
  addMachine(wish: MachineWish): MachineSeen {
    const { card, name, subnet, subnet6 } = wish;
    const ip = card.ips.find((ip) => familyOf(ip) === 4);
    const ip6 = card.ips.find((ip) => familyOf(ip) === 6);
    if (ip === undefined) {
      throw new Error(`Cannot boot ${name}: its card has no address`);
    }
    const netns = wish.taps ? "" : netnsPath(`${this.#name}-${name}`);
    const machine: MachineBody = this.#parts.use(
      wish.taps ? new TapMachine(name) : new Machine(name, netns, this.#ipv6),
    );
    this.#machines.set(name, machine);
    const gateway = gatewayOf(subnet);
    this.addVSwitch(subnet);
    const link = this.plug(card, name);
    const { length } = parseCidr(subnet);
    machine.configure(link, { cidr: `${ip}/${length}`, gateway });
    if (ip6 !== undefined && subnet6 !== undefined) {
      this.addVSwitch(subnet6);
      const gateway = gatewayOf(subnet6);
      machine.configure(link, { cidr: hostCidr(ip6), gateway });
    }
    return { name, netns };
  }

  /**
   * Adds a host that isn't in the cluster, in a network that the VPC routes
   * to, such as an office behind a leased line.
   *
   * @param wish Its name, and its addresses with their prefix lengths.
   * @returns The host.
   */
  addOutsideHost(
    wish: { name: string; cidr: Cidr; cidr6?: Cidr },
  ): MachineSeen {
    const { name, cidr, cidr6 } = wish;
    const number = (++this.#outsideCount).toString(16).padStart(2, "0");
    const mac = OUTSIDE_MAC_PREFIX + number;
    const cidrs = cidr6 === undefined ? [cidr] : [cidr, cidr6];
    const ips = cidrs.map((cidr) => parseCidr(cidr).ip);
    const card = { id: `outside-${name}`, mac, ips };
    const second = cidr6 === undefined ? {} : { subnet6: cidr6 };
    return this.addMachine({ name, card, subnet: cidr, ...second });
  }

  /**
   * Plugs a card into a running machine: the next free `ethN`, down and
   * without addresses.
   *
   * @param card The card and the addresses that it has already.
   * @param machineName The machine.
   * @returns The link's name.
   */
  plug(card: Card, machineName: string): string {
    const machine = this.#machine(machineName);
    if (this.#cards.has(card.id)) {
      throw new Error(`Cannot plug ${card.id} in: it is plugged in already`);
    }
    const link = machine.nextCard();
    const port = this.#addPort(card, { machine, link });
    const ips = new Set(card.ips);
    this.#cards.set(card.id, { machine, card, ips, port });
    try {
      for (const ip of ips) this.#router.addHost(port, ip);
    } catch (error) {
      this.unplug(card.id);
      throw error;
    }
    return link;
  }

  /**
   * Gives a trunk a member: what bears its tag is its own, and its source
   * check too. The trunk's machine gets no link by that. Only where this kernel
   * has VLANs.
   *
   * @param trunkId The card that carries it.
   * @param member The member's id and addresses, and its tag.
   */
  addMember(
    trunkId: string,
    member: Omit<Card, "mac"> & { readonly vlanId: number },
  ): void {
    const { machine, port: trunk } = this.#plugged(trunkId);
    const { id, ips, vlanId } = member;
    const port = this.#router.addMember(trunk, { vlanId, alias: id });
    const card = { id, ips, mac: trunk.mac };
    this.#cards.set(id, { machine, card, ips: new Set(ips), port });
    for (const ip of ips) this.#router.addHost(port, ip);
  }

  /**
   * Pulls a card out: its link vanishes, wherever it is.
   *
   * @param cardId The card; one that isn't plugged in is fine.
   */
  unplug(cardId: string): void {
    const plugged = this.#cards.get(cardId);
    if (plugged === undefined) return;
    this.#cards.delete(cardId);
    this.#router.removePort(plugged.port);
  }

  /**
   * Leads addresses to a card.
   *
   * @param cardId The card.
   * @param ips The addresses.
   */
  assign(cardId: string, ips: readonly Ip[]): void {
    const plugged = this.#plugged(cardId);
    for (const ip of ips) {
      this.#router.addHost(plugged.port, ip);
      plugged.ips.add(ip);
    }
  }

  /**
   * Cuts addresses off from a card.
   *
   * @param cardId The card.
   * @param ips The addresses; those that it hasn't are fine.
   */
  unassign(cardId: string, ips: readonly Ip[]): void {
    const plugged = this.#plugged(cardId);
    for (const ip of ips) {
      if (plugged.ips.delete(ip)) this.#router.removeHost(plugged.port, ip);
    }
  }

  /**
   * Leads a prefix to a card, as a route entry of the VPC whose next hop is
   * the card's instance.
   *
   * @param cardId The card; it has an address of the prefix's family.
   * @param cidr The prefix.
   */
  routeTo(cardId: string, cidr: Cidr): void {
    const { port, ips } = this.#plugged(cardId);
    const nextHop = [...ips].find((ip) => familyOf(ip) === familyOf(cidr));
    if (nextHop === undefined) {
      throw new Error(`Cannot lead ${cidr} to ${cardId}: it has no address`);
    }
    this.#router.addRoute(port, { cidr, nextHop });
  }

  /**
   * Reads what a card has carried since it was plugged in.
   *
   * @param cardId The card.
   * @returns Packets and bytes out of the machine and into it.
   */
  count(cardId: string): PortCount {
    return this.#router.count(this.#plugged(cardId).port);
  }

  /**
   * Begins to count packets that the VPC forwards.
   *
   * @param match Which, in nft's words; {@linkcode portName} names cards.
   * @returns Reads the count so far.
   */
  watch(match: string): Promise<() => Promise<Count>> {
    return this.#router.filter.watch(match);
  }

  /**
   * Names a card's port in the VPC, for {@linkcode watch}.
   *
   * @param cardId The card.
   * @returns A link's name there.
   */
  portName(cardId: string): string {
    return this.#plugged(cardId).port.name;
  }

  /** Reads how many packets had a source that wasn't their card's. */
  spoofed(): Promise<number> {
    return this.#router.filter.spoofed();
  }

  /**
   * Serves HTTP inside the VPC, as metadata and the API do.
   *
   * @param where The address and the port.
   * @param handler Gives the answers; who asks is the machine's address.
   * @returns The server, which ends with the fabric.
   */
  serve(
    where: { hostname: Ip; port: number },
    handler: Deno.ServeHandler<Deno.NetAddr>,
  ): Deno.HttpServer<Deno.NetAddr> {
    return this.#router.serve(where, handler);
  }

  /** Removes every namespace that it made. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  /** Plugs a card in again if it died with a namespace. */
  #bringHome(plugged: Plugged): Plugged {
    if (this.#router.hasPort(plugged.port)) return plugged;
    const { machine, card } = plugged;
    const link = machine.nextCard();
    plugged.port = this.#addPort(card, { machine, link });
    for (const ip of plugged.ips) this.#router.addHost(plugged.port, ip);
    return plugged;
  }

  #addPort(card: Card, into: { machine: MachineBody; link: string }): Port {
    const { machine: { namespace }, link } = into;
    const { id: alias, mac } = card;
    return this.#router.addPort({
      alias,
      mac,
      link,
      ...namespace !== undefined && { namespace },
    });
  }

  #plugged(cardId: string): Plugged {
    const plugged = this.#cards.get(cardId);
    if (plugged !== undefined) return this.#bringHome(plugged);
    throw new Error(`Cannot find ${cardId}: it isn't plugged in`);
  }

  #machine(name: string): MachineBody {
    const machine = this.#machines.get(name);
    if (machine !== undefined) return machine;
    throw new Error(`Cannot find machine ${name} in the fabric`);
  }
}

/** What a VPC is opened with. */
export interface FabricOptions {
  /** The first part of every namespace's name: fabrics of different names live side by side. */
  readonly name: string;
  /**
   * Whether it has IPv6. Then cards carry neighbour discovery, too, which
   * tests that count packets must not mind.
   *
   * @default false
   */
  readonly ipv6?: boolean;
}

/**
 * Opens a VPC without machines.
 *
 * @example A machine
 * ```ts ignore
 * await using fabric = await openFabric({ name: "terway-1a2b3c" });
 * fabric.addVSwitch("10.1.0.0/16");
 * fabric.addMachine({
 *   name: "n1",
 *   card: { id: "eni-1", mac: "00:16:3e:00:00:01", ips: ["10.1.0.1"] },
 *   subnet: "10.1.0.0/16",
 * });
 * ```
 * @param options Its name, and what it has.
 * @returns The fabric.
 */
export async function openFabric(options: FabricOptions): Promise<Fabric> {
  await shareNetnsDir();
  const { name, ipv6 = false } = options;
  const router = await Router.open(netnsPath(`${name}-vpc`), ipv6);
  return new Fabric(options, router);
}
