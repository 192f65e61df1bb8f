/**
 * IPv4 prefixes on a card: what `enis.ts` is for single addresses, without
 * time or wire.
 *
 * A prefix is a /28 of the vSwitch; to the type's bound it is one address, to
 * the vSwitch sixteen. Source: API pages AssignPrivateIpAddresses,
 * UnassignPrivateIpAddresses and CreateNetworkInterface, read 2026-11-21.
 *
 * @module
 */
import type { Cidr, Ip } from "../../../netns/ip.ts";
import { ipsOfPrefix } from "../../../pool/prefix.ts";
import type { AddressBook } from "./addresses.ts";
import { demandGroups, demandRoom, demandState } from "./eni_rules.ts";
import { eniOf, vSwitchOf } from "./eni_rules.ts";
import type { EniRecord, Model } from "./model.ts";
import { Refusal } from "./refusal.ts";

/**
 * Gives all addresses of some prefixes.
 *
 * @param prefixes The prefixes.
 * @returns Sixteen for each.
 */
export function ipsIn(prefixes: readonly Cidr[]): readonly Ip[] {
  return prefixes.flatMap(ipsOfPrefix);
}

/**
 * Gives out prefixes of a vSwitch: all of them or none.
 *
 * @param book The vSwitch's.
 * @param eniId Whose they become.
 * @param wanted How many, or which.
 * @returns The prefixes.
 * @throws {Refusal} The reason.
 */
export function takePrefixes(
  book: AddressBook,
  eniId: string,
  wanted: number | readonly Cidr[],
): readonly Cidr[] {
  if (typeof wanted === "number") return book.takePrefixes(eniId, wanted);
  book.claim(eniId, ipsIn(wanted));
  return wanted;
}

/**
 * Adds prefixes to a card: all of them or none.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param wanted How many, or which.
 * @returns The card and its new prefixes.
 * @throws {Refusal} The reason.
 */
export function assignPrefixes(
  model: Model,
  eniId: string,
  wanted: number | readonly Cidr[],
): { eni: EniRecord; prefixes: readonly Cidr[] } {
  const eni = eniOf(model, eniId);
  demandState(eni, "Available", "InUse");
  const count = typeof wanted === "number" ? wanted : wanted.length;
  demandRoom(model, eni, count);
  demandGroups(model, eni.securityGroupIds, {
    vpcId: eni.vpcId,
    ipCount: eni.ips.length + eni.prefixes.length + count,
    eniId,
  });
  const { book } = vSwitchOf(model, eni.vSwitchId);
  const prefixes = takePrefixes(book, eniId, wanted);
  eni.prefixes.push(...prefixes);
  return { eni, prefixes };
}

/**
 * Begins to take prefixes from a card: all of them or none. They leave the
 * card, but nobody else can get them yet.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param prefixes The prefixes.
 * @returns The card.
 * @throws {Refusal} `InvalidIp.IpUnassigned` when one isn't the card's.
 */
export function beginUnassignPrefixes(
  model: Model,
  eniId: string,
  prefixes: readonly Cidr[],
): EniRecord {
  const eni = eniOf(model, eniId);
  demandState(eni, "Available", "InUse");
  const missing = prefixes.find((one) => !eni.prefixes.includes(one));
  if (missing !== undefined) {
    throw new Refusal(
      "InvalidIp.IpUnassigned",
      `The specified prefix ${missing} is not assigned to ${eniId}.`,
    );
  }
  eni.prefixes = eni.prefixes.filter((one) => !prefixes.includes(one));
  return eni;
}

/**
 * Ends what {@linkcode beginUnassignPrefixes} began, or undoes
 * {@linkcode assignPrefixes}.
 *
 * @param model The cloud.
 * @param eni The card.
 * @param prefixes The prefixes: its vSwitch's again.
 */
export function finishUnassignPrefixes(
  model: Model,
  eni: EniRecord,
  prefixes: readonly Cidr[],
): void {
  eni.prefixes = eni.prefixes.filter((one) => !prefixes.includes(one));
  vSwitchOf(model, eni.vSwitchId).book.release(ipsIn(prefixes));
}
