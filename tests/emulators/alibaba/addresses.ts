/**
 * The address book of a vSwitch: what is given out, and what is left.
 *
 * The first address and the last three belong to the service. Source: API page
 * CreateVSwitch of VPC 2016-04-28, read 2026-11-21. IPv4 only.
 *
 * @module
 */
import {
  addressAt,
  type Cidr,
  contains,
  type Ip,
  parseCidr,
} from "../../../netns/ip.ts";
import {
  ipsOfPrefix,
  PREFIX_LENGTH,
  PREFIX_SIZE,
} from "../../../pool/prefix.ts";
import { Refusal } from "./refusal.ts";

/** Addresses of a vSwitch that nobody can have: `.0`, and the last three. */
export const RESERVED_COUNT = 4;

/** Counts the addresses of one vSwitch, exactly. */
export class AddressBook {
  /** The vSwitch's prefix. */
  readonly cidr: Cidr;
  /** How many addresses it can give in all. */
  readonly capacity: number;
  readonly #first: number;
  readonly #given = new Map<Ip, string>();
  /** No free address lies below this place. */
  #lowest = 1;

  /**
   * Opens one.
   *
   * @param cidr An IPv4 prefix of /16 to /29, as the service takes them.
   * @throws {RangeError} When it is of another size.
   */
  constructor(cidr: Cidr) {
    const { length, family } = parseCidr(cidr);
    if (family !== 4 || length < 16 || length > 29) {
      throw new RangeError(
        `Cannot open a vSwitch as its prefix must be IPv4, /16 to /29: it is ${cidr}`,
      );
    }
    this.cidr = cidr;
    this.capacity = 2 ** (32 - length) - RESERVED_COUNT;
    this.#first = toNumber(addressAt(cidr, 0));
  }

  /** How many addresses are left. */
  get availableCount(): number {
    return this.capacity - this.#given.size;
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
   * Lists somebody's addresses.
   *
   * @param owner Whose.
   * @returns The addresses, in the order in which they were given out.
   */
  ownedBy(owner: string): Ip[] {
    return [...this.#given].flatMap(([ip, whose]) =>
      whose === owner ? [ip] : []
    );
  }

  /**
   * Gives out the lowest free addresses: all of them or none.
   *
   * @param owner Whose they become.
   * @param count How many.
   * @returns The addresses.
   * @throws {Refusal} `InvalidVSwitchId.IpNotEnough`.
   */
  take(owner: string, count: number): Ip[] {
    if (count > this.availableCount) {
      throw new Refusal(
        "InvalidVSwitchId.IpNotEnough",
        `The specified VSwitch has not enough IpAddress: ${count} wanted, ${this.availableCount} left.`,
      );
    }
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
   * Gives out the lowest /28 blocks of which nobody has an address: all of
   * them or none. The first and the last block hold reserved addresses.
   *
   * @param owner Whose they become.
   * @param count How many.
   * @returns The prefixes.
   * @throws {Refusal} `InvalidVSwitchId.IpPrefixNotEnough`, also when there are
   * addresses enough that don't lie together.
   */
  takePrefixes(owner: string, count: number): Cidr[] {
    const prefixes: Cidr[] = [];
    const blockCount = (this.capacity + RESERVED_COUNT) / PREFIX_SIZE;
    for (let at = 1; at < blockCount - 1 && prefixes.length < count; at++) {
      const first = addressAt(this.cidr, at * PREFIX_SIZE);
      const prefix = `${first}/${PREFIX_LENGTH}`;
      if (ipsOfPrefix(prefix).some((ip) => this.#given.has(ip))) continue;
      prefixes.push(prefix);
    }
    if (prefixes.length < count) {
      throw new Refusal(
        "InvalidVSwitchId.IpPrefixNotEnough",
        `The specified VSwitch has not enough prefixes: ${count} wanted, ${prefixes.length} left.`,
      );
    }
    for (const ip of prefixes.flatMap(ipsOfPrefix)) this.#given.set(ip, owner);
    return prefixes;
  }

  /**
   * Gives out exactly these addresses: all of them or none.
   *
   * @param owner Whose they become.
   * @param ips Which.
   * @throws {Refusal} `InvalidIp.IpRepeated`, `InvalidIp.IpAssigned` or
   * `InvalidVSwitchId.IpInvalid`.
   */
  claim(owner: string, ips: readonly Ip[]): void {
    if (new Set(ips).size < ips.length) {
      throw new Refusal("InvalidIp.IpRepeated", "An address is named twice.");
    }
    for (const ip of ips) {
      if (!this.#givable(ip)) {
        throw new Refusal(
          "InvalidVSwitchId.IpInvalid",
          `The specified IP ${ip} is not valid in ${this.cidr}.`,
        );
      }
      if (this.#given.has(ip)) {
        throw new Refusal(
          "InvalidIp.IpAssigned",
          `The specified IP ${ip} has been assigned.`,
        );
      }
    }
    for (const ip of ips) this.#given.set(ip, owner);
  }

  /**
   * Takes addresses back; what isn't given out is passed over.
   *
   * @param ips Which.
   */
  release(ips: readonly Ip[]): void {
    for (const ip of ips) {
      if (!this.#given.delete(ip)) continue;
      this.#lowest = Math.min(this.#lowest, toNumber(ip) - this.#first);
    }
  }

  #givable(ip: Ip): boolean {
    if (!/^[\d.]+$/.test(ip) || !contains(this.cidr, ip)) return false;
    const place = toNumber(ip) - this.#first;
    return place >= 1 && place <= this.capacity;
  }
}

function toNumber(ip: Ip): number {
  return ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
