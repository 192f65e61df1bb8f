/**
 * What the cases of the cloud's contract work with, whatever the cloud.
 *
 * @module
 */
import {
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import type { Ip } from "../../netns/ip.ts";
import {
  type Cloud,
  CloudError,
  type CloudErrorKind,
  type Eni,
  type EniWish,
} from "../cloud.ts";

/** A cloud to be tried, and what there is in it. */
export interface CloudOnTrial {
  /** The cloud. */
  readonly cloud: Cloud;
  /** A vSwitch with 252 free IPv4 addresses less one, and with IPv6. */
  readonly vSwitchId: string;
  /** A vSwitch of the same zone with 4 free addresses. */
  readonly smallVSwitchId: string;
  /** A vSwitch of another zone, without IPv6. */
  readonly farVSwitchId: string;
  /** A security group of the same VPC. */
  readonly securityGroupId: string;
  /** Another one of it. */
  readonly otherSecurityGroupId: string;
  /** An instance with 3 cards at most, of 6 addresses a family at most. */
  readonly instanceId: string;
  /** Its type. */
  readonly instanceType: string;
  /** Waits until no card is on its way to another state. */
  settled(): Promise<void>;
  /** Changes the cloud as somebody else would. */
  readonly behind: Behind;
  /** Stops whatever runs. */
  close(): Promise<void>;
}

/** What somebody else does to a cloud; done when it resolves. */
export interface Behind {
  /** Detaches a card. */
  detachEni(eniId: string): Promise<void>;
  /** Deletes a card, attached or not. */
  deleteEni(eniId: string): Promise<void>;
  /** Adds addresses to a card and gives them. */
  assignIps(eniId: string, count: number): Promise<readonly Ip[]>;
  /** Takes addresses from a card. */
  unassignIps(eniId: string, ips: readonly Ip[]): Promise<void>;
  /** Sets all tags of a card. */
  setTags(
    eniId: string,
    tags: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** Takes addresses of a vSwitch until so many are left. */
  occupy(vSwitchId: string, leftCount: number): Promise<void>;
}

/** One case. */
export type Case = (trial: CloudOnTrial) => Promise<void>;

/**
 * Gives a deadline that no case should meet.
 *
 * @returns Ten seconds from now.
 */
export function soon(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

let tokenCount = 0;

/**
 * Makes a card.
 *
 * @param trial Where.
 * @param wish What it shall have, over one IPv4 address and a new token.
 * @returns The card.
 */
export function create(
  trial: CloudOnTrial,
  wish: Partial<EniWish>,
): Promise<Eni> {
  return trial.cloud.createEni({
    vSwitchId: trial.vSwitchId,
    securityGroupIds: [trial.securityGroupId],
    ipCount: 1,
    tags: {},
    description: "on trial",
    token: `token-${++tokenCount}`,
    ...wish,
  }, soon());
}

/**
 * Makes a card with one address and attaches it.
 *
 * @param trial Where.
 * @returns The card's id.
 */
export async function attached(trial: CloudOnTrial): Promise<string> {
  const { id: eniId } = await create(trial, {});
  const { instanceId } = trial;
  await trial.cloud.attachEni({ eniId, instanceId }, soon());
  await trial.settled();
  return eniId;
}

/**
 * Looks at a card.
 *
 * @param trial Where.
 * @param id Which.
 * @returns The card, or nothing when it is gone.
 */
export async function see(
  trial: CloudOnTrial,
  id: string,
): Promise<Eni | undefined> {
  const [eni] = await trial.cloud.describeEnis({ ids: [id] }, soon());
  return eni;
}

/**
 * Tells how many addresses a vSwitch can still give.
 *
 * @param trial Where.
 * @param id Which.
 * @returns How many.
 */
export async function left(trial: CloudOnTrial, id: string): Promise<number> {
  const [vSwitch] = await trial.cloud.describeVSwitches([id], soon());
  return vSwitch?.availableIpCount ?? -1;
}

/**
 * Demands that a call is refused.
 *
 * @param call The call.
 * @param kind What its refusal must mean.
 */
export async function refuses(
  call: Promise<unknown>,
  kind: CloudErrorKind,
): Promise<void> {
  const error = await assertRejects(() => call);
  assertInstanceOf(error, CloudError);
  assertEquals(error.kind, kind, error.message);
  assertNotEquals(error.code, "");
}
