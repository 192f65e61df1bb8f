/**
 * What the service demands of a card before it does something to it.
 *
 * Every function either returns or throws the {@linkcode Refusal} that the
 * service would answer; none changes anything.
 *
 * @module
 */
import {
  GROUPS_PER_ENI,
  SECONDARY_IPS_UNATTACHED,
  TAGS_PER_ENI,
} from "./limits.ts";
import {
  type EniRecord,
  type EniState,
  type InstanceRecord,
  limitsOf,
  type Model,
  type VSwitchRecord,
} from "./model.ts";
import { cardsOf, demandTrunkable } from "./members.ts";
import { Refusal } from "./refusal.ts";

/**
 * Finds a card.
 *
 * @param model The cloud.
 * @param id The card's id.
 * @returns The card.
 * @throws {Refusal} `InvalidEniId.NotFound`.
 */
export function eniOf(model: Model, id: string): EniRecord {
  const eni = model.enis.get(id);
  if (eni === undefined) {
    throw new Refusal(
      "InvalidEniId.NotFound",
      `The specified EniId is not found: ${id}.`,
    );
  }
  return eni;
}

/**
 * Finds an instance.
 *
 * @param model The cloud.
 * @param id The instance's id.
 * @returns The instance.
 * @throws {Refusal} `InvalidEcsId.NotFound`.
 */
export function instanceOf(model: Model, id: string): InstanceRecord {
  const instance = model.instances.get(id);
  if (instance === undefined) {
    throw new Refusal(
      "InvalidEcsId.NotFound",
      `The specified EcsId is not found: ${id}.`,
    );
  }
  return instance;
}

/**
 * Finds a vSwitch.
 *
 * @param model The cloud.
 * @param id The vSwitch's id.
 * @returns The vSwitch.
 * @throws {Refusal} `InvalidVSwitchId.NotFound`.
 */
export function vSwitchOf(model: Model, id: string): VSwitchRecord {
  const vSwitch = model.vSwitches.get(id);
  if (vSwitch === undefined) {
    throw new Refusal(
      "InvalidVSwitchId.NotFound",
      `The specified VSwitchId is not found: ${id}.`,
    );
  }
  return vSwitch;
}

/**
 * Demands that a card is in one of some states.
 *
 * @param eni The card.
 * @param states Which.
 * @throws {Refusal} `InvalidOperation.InvalidEniState`.
 */
export function demandState(eni: EniRecord, ...states: EniState[]): void {
  if (states.includes(eni.state)) return;
  throw new Refusal(
    "InvalidOperation.InvalidEniState",
    `The operation is not allowed in the current ENI state: ${eni.state}.`,
  );
}

/**
 * Demands that a card isn't an instance's primary one.
 *
 * @param eni The card.
 * @throws {Refusal} `InvalidOperation.InvalidEniType`.
 */
export function demandSecondary(eni: EniRecord): void {
  if (eni.type !== "Primary") return;
  throw new Refusal(
    "InvalidOperation.InvalidEniType",
    "The operation is not allowed in the current ENI type: Primary.",
  );
}

/**
 * Demands that groups exist, are of the VPC, aren't too many and have room.
 *
 * The service has one code, `SecurityGroupInstanceLimitExceed`, in the error
 * tables of the calls on cards; it stands here both for a card in too many
 * groups and for a group with too many addresses.
 *
 * @param model The cloud.
 * @param ids The groups.
 * @param card Its VPC, how many addresses come to the groups, its id if any.
 * @throws {Refusal} The reason.
 */
export function demandGroups(
  model: Model,
  ids: readonly string[],
  card: { vpcId: string; ipCount: number; eniId?: string },
): void {
  if (ids.length > GROUPS_PER_ENI) {
    throw new Refusal(
      "SecurityGroupInstanceLimitExceed",
      `A network interface can be in ${GROUPS_PER_ENI} security groups at most: ${ids.length} given.`,
    );
  }
  for (const id of ids) {
    const group = model.securityGroups.get(id);
    if (group === undefined) {
      throw new Refusal(
        "InvalidSecurityGroupId.NotFound",
        `The specified SecurityGroupId is not found: ${id}.`,
      );
    }
    if (group.vpcId !== card.vpcId) {
      throw new Refusal(
        "InvalidOperation.VpcMismatch",
        `Security group ${id} is not in VPC ${card.vpcId}.`,
      );
    }
    const others = [...model.enis.values()]
      .filter((eni) =>
        eni.id !== card.eniId && eni.securityGroupIds.includes(id)
      )
      .reduce((sum, eni) => sum + eni.ips.length + eni.prefixes.length, 0);
    if (others + card.ipCount > group.capacity) {
      throw new Refusal(
        "SecurityGroupInstanceLimitExceed",
        `Security group ${id} holds ${others} of ${group.capacity} addresses.`,
      );
    }
  }
}

/**
 * Demands that tags aren't too many and their keys are allowed.
 *
 * @param tags The tags.
 * @throws {Refusal} `InvalidParameter`.
 */
export function demandTags(tags: Readonly<Record<string, string>>): void {
  const keys = Object.keys(tags);
  const bad = keys.find((key) =>
    key === "" || key.length > 128 || /^(aliyun|acs:)|https?:\/\//.test(key)
  );
  if (keys.length > TAGS_PER_ENI || bad !== undefined) {
    throw new Refusal(
      "InvalidParameter",
      bad === undefined
        ? `The specified parameter Tag.n is not valid: ${keys.length} tags.`
        : `The specified parameter Tag.n.Key is not valid: ${bad}.`,
    );
  }
}

/**
 * Demands that a card has room for more addresses: as many as the type of its
 * instance says, or 49 secondary ones while it is attached nowhere.
 *
 * @param model The cloud.
 * @param eni The card.
 * @param more How many shall be added.
 * @throws {Refusal} `InvalidOperation.Ipv4CountExceeded`.
 */
export function demandRoom(model: Model, eni: EniRecord, more: number): void {
  const instance = eni.instanceId === undefined
    ? undefined
    : model.instances.get(eni.instanceId);
  const bound = instance === undefined
    ? SECONDARY_IPS_UNATTACHED + 1
    : limitsOf(model, instance).EniPrivateIpAddressQuantity;
  demandIpv4Count(eni.ips.length + eni.prefixes.length + more, bound);
}

/**
 * Demands that a card can be attached to an instance.
 *
 * @param model The cloud.
 * @param eni The card.
 * @param to The instance, and whether it is to hang on a trunk there.
 * @throws {Refusal} The reason.
 */
export function demandAttachable(
  model: Model,
  eni: EniRecord,
  { instance, isMember }: { instance: InstanceRecord; isMember: boolean },
): void {
  demandSecondary(eni);
  demandState(eni, "Available");
  if (eni.vpcId !== instance.vpcId) {
    throw new Refusal(
      "InvalidOperation.VpcMismatch",
      `The network interface is in ${eni.vpcId}, the instance in ${instance.vpcId}.`,
    );
  }
  if (eni.zone !== instance.zone) {
    throw new Refusal(
      "InvalidOperation.AvailabilityZoneMismatch",
      `The network interface is in ${eni.zone}, the instance in ${instance.zone}.`,
    );
  }
  const limits = limitsOf(model, instance);
  const attachedCount = cardsOf(model, instance.id).length;
  if (!isMember && attachedCount >= limits.EniQuantity) {
    throw new Refusal(
      "EniPerInstanceLimitExceeded",
      `The number of ENI exceeds the limit for instance type ${instance.type}: ${limits.EniQuantity}.`,
    );
  }
  if (eni.type === "Trunk") demandTrunkable(model, instance);
  const count = eni.ips.length + eni.prefixes.length;
  demandIpv4Count(count, limits.EniPrivateIpAddressQuantity);
}

function demandIpv4Count(count: number, bound: number): void {
  if (count <= bound) return;
  throw new Refusal(
    "InvalidOperation.Ipv4CountExceeded",
    `The number of IPv4 addresses exceeds the limit: ${count} of ${bound}.`,
  );
}
