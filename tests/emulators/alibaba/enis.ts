/**
 * The life of a card: the state machine, without time, wire or effects.
 *
 * ```text
 * create ─► Available ─► Attaching ─► InUse ─► Detaching ─► Available ─► Deleting ─► gone
 * ```
 * Each verb that takes time is two functions, `begin…` and `finish…`; when the
 * second is called is not known here. Source of the states: API pages
 * AttachNetworkInterface and DetachNetworkInterface, read 2026-11-21.
 *
 * @module
 */
import type { Cidr, Ip } from "../../../netns/ip.ts";
import type { AddressBook } from "./addresses.ts";
import { ipsIn, takePrefixes } from "./eni_prefixes.ts";
import {
  book6Of,
  demandIpv6Count,
  takeIps6,
  type Wanted6,
} from "./eni_ipv6.ts";
import {
  demandAttachable,
  demandGroups,
  demandRoom,
  demandSecondary,
  demandState,
  demandTags,
  eniOf,
  instanceOf,
  vSwitchOf,
} from "./eni_rules.ts";
import type { Identity } from "./identity.ts";
import { SECONDARY_IPS_UNATTACHED } from "./limits.ts";
import { demandNoMembers, joinTrunk } from "./members.ts";
import type { EniRecord, Model } from "./model.ts";
import { Refusal } from "./refusal.ts";

/** A card to be made. */
export interface EniOrder {
  /** Where. */
  readonly vSwitchId: string;
  /** Its groups. */
  readonly securityGroupIds: readonly string[];
  /** What for. */
  readonly type: EniRecord["type"];
  /** The primary address, if it shall be a certain one. */
  readonly primaryIp?: Ip;
  /** Secondary addresses: how many, or which. */
  readonly secondary: number | readonly Ip[];
  /** IPv4 prefixes: how many, or which. @default {none} */
  readonly prefixes?: number | readonly Cidr[];
  /** IPv6 addresses, or prefixes: how many, or which. @default {none} */
  readonly ips6?: Wanted6;
  /** Its tags. */
  readonly tags: Readonly<Record<string, string>>;
  /** Its name. */
  readonly name: string;
  /** Its description. */
  readonly description: string;
  /** Its resource group. */
  readonly resourceGroupId?: string;
  /** Whether it goes with its instance. */
  readonly deleteOnRelease: boolean;
}

/** What else a card needs to come into being. */
export interface Birth {
  /** Gives it an id and a MAC. */
  readonly identity: Identity;
  /** The time. */
  readonly nowMs: number;
}

/**
 * Makes a card.
 *
 * @param model The cloud.
 * @param order What is wanted.
 * @param birth Where its id comes from, and the time.
 * @returns The card, `Available`.
 * @throws {Refusal} The reason.
 */
export function createEni(
  model: Model,
  order: EniOrder,
  birth: Birth,
): EniRecord {
  const vSwitch = vSwitchOf(model, order.vSwitchId);
  const secondaryCount = typeof order.secondary === "number"
    ? order.secondary
    : order.secondary.length;
  if (secondaryCount > SECONDARY_IPS_UNATTACHED) {
    throw new Refusal(
      "InvalidParameter",
      `The specified parameter SecondaryPrivateIpAddressCount is not valid: ${secondaryCount}.`,
    );
  }
  demandQuota(model, order);
  demandTags(order.tags);
  demandGroups(model, order.securityGroupIds, {
    vpcId: vSwitch.vpcId,
    ipCount: secondaryCount + 1,
  });
  const book6 = order.ips6 === undefined ? undefined : book6Of(vSwitch);
  const id = birth.identity.id("eni");
  const ips = takeIps(vSwitch.book, id, order);
  const [primaryIp] = ips;
  if (primaryIp === undefined) throw new Error("A card has an address");
  const eni: EniRecord = {
    id,
    mac: birth.identity.mac(),
    type: order.type,
    vpcId: vSwitch.vpcId,
    vSwitchId: vSwitch.id,
    zone: vSwitch.zone,
    primaryIp,
    createdAtMs: birth.nowMs,
    order: ++model.lastOrder,
    state: "Available",
    ips,
    prefixes: [],
    ips6: [],
    securityGroupIds: [...order.securityGroupIds],
    tags: { ...order.tags },
    name: order.name,
    description: order.description,
    resourceGroupId: order.resourceGroupId ?? "",
    deleteOnRelease: order.deleteOnRelease,
  };
  try {
    const { prefixes = 0 } = order;
    eni.prefixes = [...takePrefixes(vSwitch.book, id, prefixes)];
    eni.ips6 = book6 === undefined ? [] : takeIps6(book6, id, order.ips6 ?? 0);
  } catch (error) {
    vSwitch.book.release([...ips, ...ipsIn(eni.prefixes)]); // all or nothing
    throw error;
  }
  model.enis.set(id, eni);
  return eni;
}

/**
 * Begins to attach a card.
 *
 * @param model The cloud.
 * @param ids Which to which.
 * @returns The card, `Attaching`.
 * @throws {Refusal} The reason.
 */
export function beginAttach(
  model: Model,
  ids: { eniId: string; instanceId: string; trunkId?: string },
): EniRecord {
  const instance = instanceOf(model, ids.instanceId);
  const eni = eniOf(model, ids.eniId);
  const { trunkId } = ids;
  demandAttachable(model, eni, { instance, isMember: trunkId !== undefined });
  const member = trunkId && joinTrunk(model, trunkId, instance);
  demandIpv6Count(model, instance, eni.ips6.length);
  eni.state = "Attaching";
  eni.instanceId = instance.id;
  if (member) eni.member = member;
  return eni;
}

/**
 * Ends what {@linkcode beginAttach} began.
 *
 * @param eni The card.
 * @param outcome Whether it came into the instance; else it is as before.
 */
export function finishAttach(
  eni: EniRecord,
  outcome: "attached" | "failed",
): void {
  if (eni.state !== "Attaching") return;
  if (outcome === "attached") {
    eni.state = "InUse";
  } else {
    eni.state = "Available";
    delete eni.instanceId;
    delete eni.member;
  }
}

/**
 * Begins to detach a card.
 *
 * @param model The cloud.
 * @param ids Which from which.
 * @returns The card, `Detaching`.
 * @throws {Refusal} The reason.
 */
export function beginDetach(
  model: Model,
  ids: { eniId: string; instanceId: string },
): EniRecord {
  const eni = eniOf(model, ids.eniId);
  const instance = instanceOf(model, ids.instanceId);
  if (eni.type === "Primary") {
    throw new Refusal(
      "InvalidOperation.DetachPrimaryEniNotAllowed",
      "Detaching primary ENI from ECS instance is not allowed.",
    );
  }
  demandState(eni, "InUse");
  demandNoMembers(model, eni);
  if (eni.instanceId !== instance.id) {
    throw new Refusal(
      "InvalidOperation.InvalidEniState",
      `The network interface is not attached to ${instance.id}.`,
    );
  }
  eni.state = "Detaching";
  return eni;
}

/**
 * Ends what {@linkcode beginDetach} began.
 *
 * @param eni The card.
 * @param outcome Whether it left the instance; else it is as before.
 */
export function finishDetach(
  eni: EniRecord,
  outcome: "detached" | "failed",
): void {
  if (eni.state !== "Detaching") return;
  if (outcome === "detached") {
    eni.state = "Available";
    delete eni.instanceId;
    delete eni.member;
  } else {
    eni.state = "InUse";
  }
}

/**
 * Begins to delete a card.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @returns The card, `Deleting`.
 * @throws {Refusal} The reason.
 */
export function beginDelete(model: Model, eniId: string): EniRecord {
  const eni = eniOf(model, eniId);
  demandSecondary(eni);
  demandState(eni, "Available");
  eni.state = "Deleting";
  return eni;
}

/**
 * Ends what {@linkcode beginDelete} began: the card is gone, its addresses
 * are its vSwitch's again.
 *
 * @param model The cloud.
 * @param eni The card.
 */
export function finishDelete(model: Model, eni: EniRecord): void {
  if (!model.enis.delete(eni.id)) return;
  const { book, book6 } = vSwitchOf(model, eni.vSwitchId);
  book.release([...eni.ips, ...ipsIn(eni.prefixes)]);
  book6?.release(eni.ips6);
}

/**
 * Adds secondary addresses to a card: all of them or none.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param wanted How many, or which.
 * @returns The card and its new addresses.
 * @throws {Refusal} The reason.
 */
export function assignIps(
  model: Model,
  eniId: string,
  wanted: number | readonly Ip[],
): { eni: EniRecord; ips: readonly Ip[] } {
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
  if (typeof wanted !== "number") book.claim(eniId, wanted);
  const ips = typeof wanted === "number" ? book.take(eniId, wanted) : wanted;
  eni.ips.push(...ips);
  return { eni, ips };
}

/**
 * Begins to take secondary addresses from a card: all of them or none. They
 * leave the card, but nobody else can get them yet.
 *
 * @param model The cloud.
 * @param eniId Which.
 * @param ips The addresses.
 * @returns The card.
 * @throws {Refusal} `InvalidIp.IpUnassigned` when one isn't the card's,
 * `InvalidVSwitchId.IpInvalid` when one is its primary address (the service's
 * own code for that case isn't on a stored page).
 */
export function beginUnassign(
  model: Model,
  eniId: string,
  ips: readonly Ip[],
): EniRecord {
  const eni = eniOf(model, eniId);
  demandState(eni, "Available", "InUse");
  if (ips.includes(eni.primaryIp)) {
    throw new Refusal(
      "InvalidVSwitchId.IpInvalid",
      `The primary private IP ${eni.primaryIp} cannot be unassigned.`,
    );
  }
  const missing = ips.find((ip) => !eni.ips.includes(ip));
  if (missing !== undefined) {
    throw new Refusal(
      "InvalidIp.IpUnassigned",
      `The specified IP ${missing} is not assigned to ${eniId}.`,
    );
  }
  eni.ips = eni.ips.filter((ip) => !ips.includes(ip));
  return eni;
}

/**
 * Ends what {@linkcode beginUnassign} began, or undoes
 * {@linkcode assignIps}.
 *
 * @param model The cloud.
 * @param eni The card.
 * @param ips The addresses: its vSwitch's again.
 */
export function finishUnassign(
  model: Model,
  eni: EniRecord,
  ips: readonly Ip[],
): void {
  eni.ips = eni.ips.filter((ip) => !ips.includes(ip));
  vSwitchOf(model, eni.vSwitchId).book.release(ips);
}

function demandQuota(model: Model, order: EniOrder): void {
  if (order.type === "Primary") return;
  const secondaryCount = [...model.enis.values()]
    .filter((eni) => eni.type !== "Primary").length;
  if (secondaryCount < model.eniQuota) return;
  throw new Refusal(
    "MaxEniCountExceeded",
    `The account has ${secondaryCount} of ${model.eniQuota} network interfaces.`,
  );
}

function takeIps(book: AddressBook, eniId: string, order: EniOrder): Ip[] {
  const { primaryIp, secondary } = order;
  const named = [
    ...(primaryIp === undefined ? [] : [primaryIp]),
    ...(typeof secondary === "number" ? [] : secondary),
  ];
  const anyCount = (primaryIp === undefined ? 1 : 0) +
    (typeof secondary === "number" ? secondary : 0);
  book.claim(eniId, named);
  try {
    const any = book.take(eniId, anyCount);
    return primaryIp === undefined ? [...any, ...named] : [...named, ...any];
  } catch (error) {
    book.release(named); // all or nothing
    throw error;
  }
}
