/**
 * IPv6 addresses on a card: what `enis.ts` is for IPv4, without time or wire.
 *
 * A prefix, a /80, stands among them with its length; to the type's bound it is
 * one address.
 *
 * None of them is primary: a card may have none, and each can be taken away.
 * Source: API pages AssignIpv6Addresses, UnassignIpv6Addresses and
 * CreateNetworkInterface, read 2026-11-21.
 *
 * @module
 */
import type { Ip } from "../../../netns/ip.ts";
import { demandState, eniOf, vSwitchOf } from "./eni_rules.ts";
import { canonical, type Ipv6Book } from "./ipv6_book.ts";
import { IPV6_UNATTACHED } from "./limits.ts";
import {
  type EniRecord,
  type InstanceRecord,
  limitsOf,
  type Model,
  type VSwitchRecord,
} from "./model.ts";
import { Refusal } from "./refusal.ts";

/** IPv6 addresses: how many, or which, or prefixes: how many. */
export type Wanted6 = number | readonly string[] | {
  readonly prefixCount: number;
};

/**
 * Adds IPv6 addresses to a card: all of them or none.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param wanted How many, or which.
 * @returns The card and its new addresses.
 * @throws {Refusal} The reason.
 */
export function assignIps6(
  model: Model,
  eniId: string,
  wanted: Wanted6,
): { eni: EniRecord; ips: readonly Ip[] } {
  const eni = eniOf(model, eniId);
  demandState(eni, "Available", "InUse");
  const book = book6Of(vSwitchOf(model, eni.vSwitchId));
  demandRoom6(model, eni, countOf(wanted));
  const ips = takeIps6(book, eniId, wanted);
  eni.ips6.push(...ips);
  return { eni, ips };
}

/**
 * Gives out IPv6 addresses of a vSwitch.
 *
 * @param book The vSwitch's.
 * @param eniId Whose they become.
 * @param wanted How many, or which.
 * @returns The addresses.
 * @throws {Refusal} The reason.
 */
export function takeIps6(
  book: Ipv6Book,
  eniId: string,
  wanted: Wanted6,
): Ip[] {
  if (typeof wanted === "number") return book.take(eniId, wanted);
  return "prefixCount" in wanted
    ? book.takePrefixes(eniId, wanted.prefixCount)
    : book.claim(eniId, wanted);
}

/**
 * Begins to take IPv6 addresses from a card: all of them or none. They leave
 * the card, but nobody else can get them yet.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param texts The addresses, however they are written.
 * @returns The card and the addresses.
 * @throws {Refusal} `InvalidIp.IpUnassigned` when one isn't the card's.
 */
export function beginUnassign6(
  model: Model,
  eniId: string,
  texts: readonly string[],
): { eni: EniRecord; ips: readonly Ip[] } {
  const eni = eniOf(model, eniId);
  demandState(eni, "Available", "InUse");
  const ips = texts.map((text) => canonical(text) ?? text);
  const missing = ips.find((ip) => !eni.ips6.includes(ip));
  if (missing !== undefined) {
    throw new Refusal(
      "InvalidIp.IpUnassigned",
      `The specified IP ${missing} is not assigned to ${eniId}.`,
    );
  }
  eni.ips6 = eni.ips6.filter((ip) => !ips.includes(ip));
  return { eni, ips };
}

/**
 * Ends what {@linkcode beginUnassign6} began, or undoes
 * {@linkcode assignIps6}.
 *
 * @param model The cloud.
 * @param eni The card.
 * @param ips The addresses: its vSwitch's again.
 */
export function finishUnassign6(
  model: Model,
  eni: EniRecord,
  ips: readonly Ip[],
): void {
  eni.ips6 = eni.ips6.filter((ip) => !ips.includes(ip));
  vSwitchOf(model, eni.vSwitchId).book6?.release(ips);
}

/**
 * Finds the IPv6 address book of a vSwitch.
 *
 * @param vSwitch The vSwitch.
 * @returns Its book.
 * @throws {Refusal} `InvalidVSwitch.Ipv6NotTurnOn` when it has no IPv6.
 */
export function book6Of(vSwitch: VSwitchRecord): Ipv6Book {
  if (vSwitch.book6 !== undefined) return vSwitch.book6;
  throw new Refusal(
    "InvalidVSwitch.Ipv6NotTurnOn",
    `The IPv6 function of the specified VSwitch ${vSwitch.id} is not turned on.`,
  );
}

/**
 * Demands that an instance's type lets a card have so many IPv6 addresses.
 *
 * @param model The cloud.
 * @param instance The instance.
 * @param count How many the card has, or would have.
 * @throws {Refusal} `InvalidOperation.Ipv6NotSupport` or
 * `InvalidOperation.Ipv6CountExceeded`.
 */
export function demandIpv6Count(
  model: Model,
  instance: InstanceRecord,
  count: number,
): void {
  const { EniIpv6AddressQuantity: bound } = limitsOf(model, instance);
  if (count <= bound) return;
  throw bound === 0
    ? new Refusal(
      "InvalidOperation.Ipv6NotSupport",
      `Instance type ${instance.type} does not support IPv6.`,
    )
    : new Refusal(
      "InvalidOperation.Ipv6CountExceeded",
      `The number of IPv6 addresses exceeds the limit: ${count} of ${bound}.`,
    );
}

function demandRoom6(model: Model, eni: EniRecord, more: number): void {
  const count = eni.ips6.length + more;
  const instance = model.instances.get(eni.instanceId ?? "");
  if (instance !== undefined) return demandIpv6Count(model, instance, count);
  if (count <= IPV6_UNATTACHED) return;
  throw new Refusal(
    "MaxEniIpv6IpsCountExceeded",
    `A network interface that is not attached can have ${IPV6_UNATTACHED} IPv6 addresses at most: ${count} wanted.`,
  );
}

function countOf(wanted: Wanted6): number {
  if (typeof wanted === "number") return wanted;
  return "prefixCount" in wanted ? wanted.prefixCount : wanted.length;
}
