/**
 * The IPv6 address book of a vSwitch: who has which address of its /64.
 *
 * The service gives out random addresses; this book gives the lowest free
 * ones, so a seed's run stays the same and an address is soon given again. The
 * first address and the last nine belong to the service. Source: VPC page
 * "CreateVSwitch"; the nine from memory, not found in stored pages.
 *
 * @module
 */
import {
  addressAt,
  type Cidr,
  compareIp,
  contains,
  familyOf,
  type Ip,
  parseCidr,
  parseIp,
} from "../../../netns/ip.ts";
import { PREFIX6_LENGTH } from "../../../pool/prefix.ts";
import { Refusal } from "./refusal.ts";

/** Addresses at the end of a vSwitch's prefix that nobody can have. */
const RESERVED_LAST_COUNT = 9;

/** Addresses from the start of one prefix to the next's. */
const PREFIX_STEP = 2 ** (128 - PREFIX6_LENGTH);

/** Prefixes in a /64; the first and the last hold what the service keeps. */
const PREFIX_COUNT = 2 ** (PREFIX6_LENGTH - 64);

/** Remembers the IPv6 addresses of one vSwitch. */
export class Ipv6Book {
  /** The vSwitch's IPv6 prefix. */
  readonly cidr: Cidr;
  readonly #given = new Map<Ip, string>();
  /** No free address lies below this place. */
  #lowest = 1;

  /**
   * Opens one.
   *
   * @param cidr An IPv6 prefix of /64, as the service gives them.
   * @throws {RangeError} When it is of another size.
   */
  constructor(cidr: Cidr) {
    const { length, family } = parseCidr(cidr);
    if (family !== 6 || length !== 64) {
      throw new RangeError(
        `Cannot give a vSwitch an IPv6 prefix as it must be a /64: it is ${cidr}`,
      );
    }
    this.cidr = cidr;
  }

  /**
   * Tells whose an address is.
   *
   * @param ip An address.
   * @returns The owner's id, or nothing.
   */
  ownerOf(ip: Ip): string | undefined {
    return this.#given.get(ip);
  }

  /**
   * Gives out the lowest free addresses; a /64 never runs dry.
   *
   * @param owner Whose they become.
   * @param count How many.
   * @returns The addresses.
   */
  take(owner: string, count: number): Ip[] {
    const ips: Ip[] = [];
    for (let place = this.#lowest; ips.length < count; place++) {
      const ip = addressAt(this.cidr, place);
      this.#lowest = place;
      if (this.#given.has(ip)) continue;
      this.#given.set(ip, owner);
      ips.push(ip);
    }
    return ips;
  }

  /**
   * Gives out the lowest free prefixes: none that an address was given of.
   *
   * @param owner Whose they become.
   * @param count How many.
   * @returns The prefixes.
   */
  takePrefixes(owner: string, count: number): Cidr[] {
    const prefixes: Cidr[] = [];
    for (let at = 1; at < PREFIX_COUNT - 1 && prefixes.length < count; at++) {
      const prefix = `${
        addressAt(this.cidr, at * PREFIX_STEP)
      }/${PREFIX6_LENGTH}`;
      if (!this.#isTaken(prefix)) prefixes.push(prefix);
    }
    for (const prefix of prefixes) this.#given.set(prefix, owner);
    return prefixes;
  }

  /**
   * Gives out exactly these addresses, or prefixes: all of them or none.
   *
   * @param owner Whose they become.
   * @param texts Which, however they are written.
   * @returns The same, in canonical text.
   * @throws {Refusal} `InvalidIp.Address`, `InvalidIp.IpRepeated` or
   * `InvalidIp.IpAssigned`.
   */
  claim(owner: string, texts: readonly string[]): Ip[] {
    const ips = texts.map((text) => this.#read(text));
    if (new Set(ips).size < ips.length) {
      throw new Refusal("InvalidIp.IpRepeated", "An address is named twice.");
    }
    const taken = ips.find((ip) => this.#isTaken(ip));
    if (taken !== undefined) {
      throw new Refusal(
        "InvalidIp.IpAssigned",
        `The specified IP ${taken} has been assigned.`,
      );
    }
    for (const ip of ips) this.#given.set(ip, owner);
    return ips;
  }

  /**
   * Takes addresses back; what isn't given out is passed over.
   *
   * @param ips Which.
   */
  release(ips: readonly Ip[]): void {
    for (const ip of ips) {
      if (this.#given.delete(ip)) this.#lowest = 1;
    }
  }

  /** Whether anything of it is given out. */
  #isTaken(what: Ip | Cidr): boolean {
    if (this.#given.has(what)) return true;
    return [...this.#given.keys()].some((given) =>
      given.includes("/")
        ? !what.includes("/") && contains(given, what)
        : what.includes("/") && contains(what, given)
    );
  }

  /** A /80 of the vSwitch that starts where one does, and isn't kept. */
  #mayGive(prefix: Cidr): boolean {
    const { ip, length } = parseCidr(prefix);
    if (length !== PREFIX6_LENGTH || !contains(this.cidr, ip)) return false;
    if (addressAt(prefix, 0) !== ip) return false;
    const ends = [0, PREFIX_COUNT - 1].map((at) =>
      addressAt(this.cidr, at * PREFIX_STEP)
    );
    return !ends.includes(ip);
  }

  #read(text: string): Ip | Cidr {
    const ip = canonical(text);
    if (ip?.includes("/") && this.#mayGive(ip)) return ip;
    const reserved = addressAt(this.cidr, -RESERVED_LAST_COUNT);
    if (
      ip !== undefined && !ip.includes("/") && familyOf(ip) === 6 &&
      contains(this.cidr, ip) &&
      ip !== addressAt(this.cidr, 0) && compareIp(ip, reserved) < 0
    ) return ip;
    throw new Refusal(
      "InvalidIp.Address",
      `The specified IPv6 address ${text} is not valid in ${this.cidr}.`,
    );
  }
}

/**
 * Reads an address, or a prefix, as its canonical text.
 *
 * @param text Whatever came.
 * @returns The address or prefix, or nothing when it is none.
 */
export function canonical(text: string): Ip | Cidr | undefined {
  try {
    if (!text.includes("/")) return parseIp(text);
    const { ip, length } = parseCidr(text);
    return `${ip}/${length}`;
  } catch {
    return undefined;
  }
}
