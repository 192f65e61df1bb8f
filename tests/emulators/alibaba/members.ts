/**
 * Members: cards that hang on a trunk card of an instance, told apart by a VLAN
 * id, and take no place of a card.
 *
 * Source: API pages AttachNetworkInterface (`TrunkNetworkInstanceId`) and
 * DescribeNetworkInterfaces (`Attachment`), and DescribeInstanceTypes
 * (`EniTotalQuantity`), read 2026-11-21. The codes of refusals aren't on those
 * pages: they are those of like cases.
 *
 * @module
 */
import {
  type EniRecord,
  enisOf,
  type InstanceRecord,
  limitsOf,
  type Model,
} from "./model.ts";
import { Refusal } from "./refusal.ts";

/** What tells a member from others of its trunk. */
export interface Membership {
  /** The trunk card. */
  readonly trunkId: string;
  /** `DeviceIndex` of its attachment. */
  readonly vlanId: number;
}

/** VLAN ids of 802.1Q, without 0 and 4095. */
const VLAN_IDS_AT_MOST = 4094;

/**
 * Lists the members of a trunk.
 *
 * @param model The cloud.
 * @param trunkId The trunk card.
 * @returns Its members, those that come or go included.
 */
export function membersOf(model: Model, trunkId: string): EniRecord[] {
  return [...model.enis.values()].filter(({ member }) =>
    member?.trunkId === trunkId
  );
}

/**
 * Lists the cards of an instance that take a card's place.
 *
 * @param model The cloud.
 * @param instanceId The instance.
 * @returns Its cards without the members of its trunk.
 */
export function cardsOf(model: Model, instanceId: string): EniRecord[] {
  return enisOf(model, instanceId).filter(({ member }) => member === undefined);
}

/**
 * Demands that a trunk can take one more member, and finds its VLAN id.
 *
 * @param model The cloud.
 * @param trunkId The trunk card.
 * @param instance The instance that it shall be in.
 * @returns What the member gets.
 * @throws {Refusal} The reason.
 */
export function joinTrunk(
  model: Model,
  trunkId: string,
  instance: InstanceRecord,
): Membership {
  const trunk = model.enis.get(trunkId);
  const isHere = trunk?.instanceId === instance.id && trunk.state === "InUse";
  if (trunk?.type !== "Trunk" || !isHere) {
    throw new Refusal(
      "InvalidOperation.InvalidEniType",
      `${trunkId} is no Trunk that is in use by ${instance.id}.`,
    );
  }
  const members = membersOf(model, trunkId);
  const limits = limitsOf(model, instance);
  const most = Math.min(
    limits.EniTotalQuantity - limits.EniQuantity,
    VLAN_IDS_AT_MOST,
  );
  if (members.length >= most) {
    throw new Refusal(
      "EniPerInstanceLimitExceeded",
      `The number of members exceeds the limit for instance type ${instance.type}: ${most}.`,
    );
  }
  const taken = new Set(members.map(({ member }) => member?.vlanId));
  let vlanId = 1;
  while (taken.has(vlanId)) vlanId++;
  return { trunkId, vlanId };
}

/**
 * Demands that a card may be a trunk of an instance: one, of a type that can.
 *
 * @param model The cloud.
 * @param instance The instance.
 * @throws {Refusal} The reason.
 */
export function demandTrunkable(model: Model, instance: InstanceRecord): void {
  if (!limitsOf(model, instance).EniTrunkSupported) {
    throw new Refusal(
      "InvalidOperation.InvalidEniType",
      `Instance type ${instance.type} supports no Trunk.`,
    );
  }
  const other = enisOf(model, instance.id).find(({ type }) => type === "Trunk");
  if (other === undefined) return;
  throw new Refusal(
    "InvalidOperation.InvalidEniType",
    `Instance ${instance.id} has a Trunk already: ${other.id}.`,
  );
}

/**
 * Demands that nothing hangs on a card that shall go.
 *
 * @param model The cloud.
 * @param eni The card.
 * @throws {Refusal} When it is a trunk with members.
 */
export function demandNoMembers(model: Model, eni: EniRecord): void {
  const [first] = membersOf(model, eni.id);
  if (first === undefined) return;
  throw new Refusal(
    "InvalidOperation.InvalidEniState",
    `The network interface has members, such as ${first.id}.`,
  );
}
