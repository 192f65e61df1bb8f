/**
 * A machine of the VPC: a network namespace, as an instance is just after it
 * has booted.
 *
 * @module
 */
import { addAddress } from "../../netns/address.ts";
import { type Cidr, familyOf, type Ip } from "../../netns/ip.ts";
import { findLinkByName, listLinks, setLink } from "../../netns/link.ts";
import {
  createNamespace,
  type Namespace,
  openNamespace,
  removeNamespace,
} from "../../netns/namespace.ts";
import { addRoute } from "../../netns/route.ts";
import { openRoutes, type RouteSocket } from "../../netns/socket.ts";
import { LOOPBACK_INDEX, writeSysctls } from "./kernel.ts";

/** What the fabric needs of a machine. */
export interface MachineBody extends Disposable {
  /** Its name. */
  readonly name: string;
  /** Its network namespace; absent when it has a kernel of its own. */
  readonly namespace?: Namespace;
  /** Names the next card. */
  nextCard(): string;
  /** Sets a card up as DHCP does for the primary one. */
  configure(link: string, network: { cidr: Cidr; gateway: Ip }): void;
}

/**
 * A machine with a kernel of its own, to which whoever runs it plugs the taps:
 * see `tests/guest.ts`. It sets itself up.
 */
export class TapMachine implements MachineBody {
  /** Its name. */
  readonly name: string;

  /**
   * Takes note of it.
   *
   * @param name Its name.
   */
  constructor(name: string) {
    this.name = name;
  }

  /** Its kernel names its cards. */
  nextCard(): string {
    return "";
  }

  /** Its own first program does. */
  configure(): void {}

  /** Whoever runs it ends it. */
  [Symbol.dispose](): void {}
}

/** A machine that is a network namespace. */
export class Machine implements MachineBody {
  /** Its name. */
  readonly name: string;
  /** Its network namespace. */
  readonly namespace: Namespace;
  readonly #routes: RouteSocket;

  /**
   * Makes a machine without any card.
   *
   * @param name Its name.
   * @param netns The path of its network namespace.
   * @param ipv6 Whether the VPC has IPv6.
   */
  constructor(name: string, netns: string, ipv6: boolean) {
    this.name = name;
    createNamespace(netns);
    this.namespace = openNamespace(netns);
    this.#routes = openRoutes(this.namespace);
    // A new namespace takes the IPv4 settings of the host that runs it, and
    // that is nothing to build upon. IPv6 stays off while the VPC has none:
    // its solicitations would be traffic on cards that carry none.
    writeSysctls(this.namespace, {
      "ipv4/ip_forward": "0",
      "ipv4/conf/all/rp_filter": "0",
      "ipv4/conf/default/rp_filter": "0",
      "ipv6/conf/all/disable_ipv6": ipv6 ? "0" : "1",
      "ipv6/conf/default/disable_ipv6": ipv6 ? "0" : "1",
    });
    setLink(this.#routes, LOOPBACK_INDEX, { up: true });
  }

  /**
   * Names the next card, as the kernel of an instance does.
   *
   * @returns `eth` and the lowest number that is free.
   */
  nextCard(): string {
    const taken = new Set(listLinks(this.#routes).map((link) => link.name));
    let number = 0;
    while (taken.has(`eth${number}`)) number++;
    return `eth${number}`;
  }

  /**
   * Sets a card up as DHCP does for the primary one.
   *
   * @param link The card's name.
   * @param network Its address with the vSwitch's prefix length (128 for IPv6), its gateway.
   */
  configure(link: string, network: { cidr: Cidr; gateway: Ip }): void {
    const found = findLinkByName(this.#routes, link);
    if (found === undefined) {
      throw new Error(`Cannot configure ${link}: ${this.name} has none`);
    }
    const { ifIndex } = found;
    setLink(this.#routes, ifIndex, { up: true });
    addAddress(this.#routes, { ifIndex, cidr: network.cidr });
    addRoute(this.#routes, {
      ifIndex,
      destination: familyOf(network.gateway) === 4 ? "0.0.0.0/0" : "::/0",
      gateway: network.gateway,
      onlink: true,
    });
  }

  /** Removes the namespace; what runs in it isn't touched. */
  [Symbol.dispose](): void {
    this.#routes[Symbol.dispose]();
    this.namespace[Symbol.dispose]();
    removeNamespace(this.namespace.path);
  }
}
