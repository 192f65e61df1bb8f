/**
 * What an emulated region holds, how it is built, and how it is shown.
 *
 * Nothing here takes time or moves packets: `cloud.ts` does that. The records
 * themselves are in `model.ts`.
 *
 * @module
 */
import type { Cidr, Ip } from "../../../netns/ip.ts";
import type { Clock } from "../../../pool/clock.ts";
import { AccessKeys } from "./access_keys.ts";
import { AddressBook } from "./addresses.ts";
import { type CloudDump, dump } from "./dump.ts";
import * as enis from "./enis.ts";
import { instanceOf, vSwitchOf } from "./eni_rules.ts";
import { MetadataHistory, seenEnis } from "./history.ts";
import { Identity } from "./identity.ts";
import { Ipv6Book } from "./ipv6_book.ts";
import { ADDRESSES_PER_GROUP, type TypeLimits } from "./limits.ts";
import {
  emptyModel,
  type EniRecord,
  enisOf,
  type InstanceRecord,
  type Model,
  type SecurityGroupRecord,
  type VpcRecord,
  type VSwitchRecord,
} from "./model.ts";

/** What a region begins with. */
export interface RecordsOptions {
  /** The region's id. */
  readonly region: string;
  /** What ids, MACs and request ids follow from. */
  readonly seed: number;
  /** Its time. */
  readonly clock: Clock;
  /** How far metadata is behind the API, in milliseconds. */
  readonly metadataLagMs: number;
  /** How many secondary cards the account may have. */
  readonly eniQuota: number;
  /** Instance types besides those that every cloud knows. */
  readonly types: Readonly<Record<string, TypeLimits>>;
}

/** The records of an emulated region. */
export class CloudRecords {
  /** Them; change them only through this class and its heirs. */
  readonly model: Model;
  /** Its time. */
  readonly clock: Clock;
  /** Where its ids come from. */
  readonly identity: Identity;
  /** Who may call it. */
  readonly keys: AccessKeys;
  /** What metadata shows. */
  readonly history: MetadataHistory;

  /**
   * Makes an empty region.
   *
   * @param options What it begins with.
   */
  constructor(options: RecordsOptions) {
    this.clock = options.clock;
    this.identity = new Identity(options.seed);
    this.keys = new AccessKeys(this.identity);
    this.history = new MetadataHistory(options.metadataLagMs);
    this.model = emptyModel({
      region: options.region,
      ownerId: "1234567890123456",
      eniQuota: options.eniQuota,
    });
    for (const [name, limits] of Object.entries(options.types)) {
      this.model.types.set(name, limits);
    }
  }

  /**
   * Adds a VPC.
   *
   * @param cidr Its prefix.
   * @returns The VPC.
   */
  addVpc(cidr: Cidr): VpcRecord {
    const id = this.identity.id("vpc");
    // The table's id follows from the VPC's: a seed's other ids stay the same.
    const vpc = { id, cidr, routeTableId: id.replace("vpc-", "vtb-") };
    this.model.vpcs.set(vpc.id, vpc);
    return vpc;
  }

  /**
   * Adds a vSwitch.
   *
   * @param wish Where, its prefix, /16 to /29, and its IPv6 prefix, a /64, if
   * it shall have IPv6.
   * @returns The vSwitch.
   */
  addVSwitch(
    wish: { vpcId: string; zone: string; cidr: Cidr; cidr6?: Cidr },
  ): VSwitchRecord {
    const { cidr6, ...rest } = wish;
    const vSwitch: VSwitchRecord = {
      ...rest,
      ...(cidr6 === undefined ? {} : { book6: new Ipv6Book(cidr6) }),
      id: this.identity.id("vsw"),
      book: new AddressBook(wish.cidr),
      createdAtMs: this.clock.nowMs(),
    };
    this.model.vSwitches.set(vSwitch.id, vSwitch);
    return vSwitch;
  }

  /**
   * Adds a security group.
   *
   * @param wish Its VPC, and how many addresses it can hold.
   * @returns The group.
   */
  addSecurityGroup(
    wish: { vpcId: string; capacity?: number },
  ): SecurityGroupRecord {
    const group: SecurityGroupRecord = {
      id: this.identity.id("sg"),
      vpcId: wish.vpcId,
      capacity: wish.capacity ?? ADDRESSES_PER_GROUP,
    };
    this.model.securityGroups.set(group.id, group);
    return group;
  }

  /**
   * Adds an instance with its primary card, which is `InUse` at once.
   *
   * @param wish Its type, its vSwitch (which says its zone and VPC) and more.
   * The address is the next free one unless it is given.
   * @returns The instance.
   * @throws {RangeError} When the type is unknown.
   */
  addInstance(wish: {
    type: string;
    vSwitchId: string;
    name?: string;
    securityGroupIds?: readonly string[];
    primaryIp?: Ip;
    ramRole?: string;
  }): InstanceRecord {
    if (!this.model.types.has(wish.type)) {
      throw new RangeError(
        `Cannot add an instance as its type must be known: it is ${wish.type}`,
      );
    }
    const nowMs = this.clock.nowMs();
    const id = this.identity.id("i");
    const vSwitch = vSwitchOf(this.model, wish.vSwitchId);
    const eni = enis.createEni(this.model, {
      vSwitchId: wish.vSwitchId,
      securityGroupIds: wish.securityGroupIds ?? [],
      type: "Primary",
      secondary: 0,
      tags: {},
      name: "",
      description: "",
      deleteOnRelease: true,
      ...(wish.primaryIp === undefined ? {} : { primaryIp: wish.primaryIp }),
    }, { identity: this.identity, nowMs });
    eni.state = "InUse";
    eni.instanceId = id;
    const instance: InstanceRecord = {
      id,
      name: wish.name ?? id,
      type: wish.type,
      zone: vSwitch.zone,
      vpcId: vSwitch.vpcId,
      vSwitchId: vSwitch.id,
      primaryEniId: eni.id,
      createdAtMs: nowMs,
      order: ++this.model.lastOrder,
      ...(wish.ramRole === undefined ? {} : { ramRole: wish.ramRole }),
    };
    this.model.instances.set(id, instance);
    this.note(id);
    return instance;
  }

  /**
   * Removes an instance at once, as its owner's release does: its cards go
   * with it if they were made so, else they are `Available`.
   *
   * @param id Which.
   */
  removeInstance(id: string): void {
    instanceOf(this.model, id);
    for (const eni of enisOf(this.model, id)) {
      if (eni.type === "Primary" || eni.deleteOnRelease) {
        enis.finishDelete(this.model, eni);
      } else {
        eni.state = "Available";
        delete eni.instanceId;
        delete eni.member;
      }
    }
    this.model.instances.delete(id);
  }

  /**
   * Makes a card.
   *
   * @param order What is wanted.
   * @returns The card.
   */
  createEni(order: enis.EniOrder): EniRecord {
    return enis.createEni(this.model, order, {
      identity: this.identity,
      nowMs: this.clock.nowMs(),
    });
  }

  /**
   * Shows everything, in a stable order.
   *
   * @returns Plain data, fit for JSON and for comparing.
   */
  dump(): CloudDump {
    return dump(this.model);
  }

  /**
   * Notes for metadata what an instance's cards are now; every change of a
   * card ends with it.
   *
   * @param instanceId Which; nothing for a card that is attached nowhere.
   */
  note(instanceId: string | undefined): void {
    if (instanceId === undefined) return;
    const seen = seenEnis(this.model, instanceId);
    this.history.note(instanceId, seen, this.clock.nowMs());
  }
}
