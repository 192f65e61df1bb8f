/**
 * Somebody else who changes the cloud: a person in the console, another
 * program, another account's neighbour in the vSwitch.
 *
 * Nothing here asks RAM, counts as a call or can be spoilt by a fault, and
 * every deed is done when its promise resolves. A card that is on its way to
 * another state is left alone.
 *
 * @module
 */
import type { Ip } from "../../../netns/ip.ts";
import type { EmulatedCloud } from "./cloud.ts";
import * as enis from "./enis.ts";
import {
  demandState,
  demandTags,
  eniOf,
  instanceOf,
  vSwitchOf,
} from "./eni_rules.ts";
import type { EniRecord } from "./model.ts";

/** Whose addresses are those that nobody's card has. */
const STRANGER = "stranger";

/** A card that somebody else makes. */
export interface ForeignEni {
  /** Where. */
  readonly vSwitchId: string;
  /** Its groups. @default {[]} */
  readonly securityGroupIds?: readonly string[] | undefined;
  /** How many secondary addresses. @default {0} */
  readonly secondaryCount?: number | undefined;
  /** Its tags. @default {{}} */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Where it is attached; by default nowhere. */
  readonly instanceId?: string | undefined;
  /** The trunk of that instance that it hangs on; none by default. */
  readonly trunkId?: string | undefined;
}

/** Changes a cloud behind its users' backs. */
export class Stranger {
  readonly #cloud: EmulatedCloud;

  /**
   * Makes one.
   *
   * @param cloud Where.
   */
  constructor(cloud: EmulatedCloud) {
    this.#cloud = cloud;
  }

  /**
   * Makes a card and attaches it, if it shall be.
   *
   * @param wish What is wanted.
   * @returns The card.
   * @throws {Refusal} The reason, as of a call; then nothing is left behind.
   */
  async createEni(wish: ForeignEni): Promise<EniRecord> {
    const { model, fabric } = this.#cloud;
    const eni = this.#cloud.createEni({
      vSwitchId: wish.vSwitchId,
      securityGroupIds: wish.securityGroupIds ?? [],
      type: "Secondary",
      secondary: wish.secondaryCount ?? 0,
      tags: wish.tags ?? {},
      name: "",
      description: "somebody else's",
      deleteOnRelease: false,
    });
    const { instanceId, trunkId } = wish;
    if (instanceId === undefined) return eni;
    try {
      const ids = { eniId: eni.id, instanceId };
      enis.beginAttach(model, trunkId ? { ...ids, trunkId } : ids);
      const instance = instanceOf(model, instanceId);
      await fabric?.attach(this.#cloud.body(eni), instance);
    } catch (error) {
      enis.finishDelete(model, eni);
      throw error;
    }
    enis.finishAttach(eni, "attached");
    this.#cloud.note(instanceId);
    return eni;
  }

  /**
   * Detaches a card.
   *
   * @param eniId Which; never a primary one.
   * @throws {Refusal} The reason.
   */
  async detachEni(eniId: string): Promise<void> {
    const { model, fabric } = this.#cloud;
    const { instanceId = "" } = eniOf(model, eniId);
    const eni = enis.beginDetach(model, { eniId, instanceId });
    await fabric?.detach(this.#cloud.body(eni), instanceOf(model, instanceId));
    enis.finishDetach(eni, "detached");
    this.#cloud.note(instanceId);
  }

  /**
   * Deletes a card, and detaches it before if need be.
   *
   * @param eniId Which; never a primary one.
   * @throws {Refusal} The reason.
   */
  async deleteEni(eniId: string): Promise<void> {
    const { model } = this.#cloud;
    if (eniOf(model, eniId).state === "InUse") await this.detachEni(eniId);
    enis.finishDelete(model, enis.beginDelete(model, eniId));
  }

  /**
   * Adds addresses to a card.
   *
   * @param eniId Which.
   * @param wanted How many, or which.
   * @returns The new addresses.
   * @throws {Refusal} The reason.
   */
  assignIps(
    eniId: string,
    wanted: number | readonly Ip[],
  ): Promise<readonly Ip[]> {
    return this.#cloud.assign(eniId, wanted);
  }

  /**
   * Takes secondary addresses from a card.
   *
   * @param eniId Which.
   * @param ips The addresses.
   * @throws {Refusal} The reason.
   */
  unassignIps(eniId: string, ips: readonly Ip[]): Promise<void> {
    return this.#cloud.unassign(eniId, ips);
  }

  /**
   * Sets all tags of a card.
   *
   * @param eniId Which.
   * @param tags Its tags from now on.
   * @throws {Refusal} The reason.
   */
  setTags(eniId: string, tags: Readonly<Record<string, string>>): void {
    const eni = eniOf(this.#cloud.model, eniId);
    demandState(eni, "Available", "InUse");
    demandTags(tags);
    eni.tags = { ...tags };
  }

  /**
   * Takes addresses of a vSwitch for machines that aren't in this cloud's
   * records, until so many are left.
   *
   * @param vSwitchId Which.
   * @param leftCount How many it can still give after; more can't be made.
   * @returns The addresses that were taken.
   * @throws {Refusal} `InvalidVSwitchId.NotFound`.
   */
  occupy(vSwitchId: string, leftCount: number): readonly Ip[] {
    const { book } = vSwitchOf(this.#cloud.model, vSwitchId);
    const count = Math.max(0, book.availableCount - leftCount);
    return book.take(STRANGER, count);
  }

  /**
   * Gives back all that {@linkcode occupy} took.
   *
   * @param vSwitchId Of which vSwitch.
   * @throws {Refusal} `InvalidVSwitchId.NotFound`.
   */
  vacate(vSwitchId: string): void {
    const { book } = vSwitchOf(this.#cloud.model, vSwitchId);
    book.release(book.ownedBy(STRANGER));
  }
}
