/**
 * An emulated Alibaba Cloud region: its records, in time.
 *
 * This is the state machine with a clock, a fabric and a builder; it knows no
 * wire. Two fronts speak to it, both through `perform.ts`: HTTP (`serve.ts`)
 * and, without any wire, `direct.ts`.
 *
 * @example A region with one node
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const cloud = new EmulatedCloud();
 * const { id: vpcId } = cloud.addVpc("10.0.0.0/16");
 * const vSwitch = cloud.addVSwitch({ vpcId, zone: "cn-hangzhou-a", cidr: "10.0.1.0/24" });
 * const node = cloud.addInstance({ type: "ecs.g7.large", vSwitchId: vSwitch.id });
 * assertEquals(cloud.dump().instances[0]?.primaryIp, "10.0.1.1");
 * ```
 * @module
 */
import type { Cidr, Ip } from "../../../netns/ip.ts";
import { AccessKeys } from "./access_keys.ts";
import { AddressBook } from "./addresses.ts";
import { type Clock, systemClock } from "../../../pool/clock.ts";
import { type CloudDump, dump } from "./dump.ts";
import * as enis from "./enis.ts";
import { instanceOf, vSwitchOf } from "./eni_rules.ts";
import type { Fabric, FabricEni } from "./fabric.ts";
import { type FaultHook, FaultQueue } from "./faults.ts";
import { MetadataHistory, seenEnis } from "./history.ts";
import { Identity } from "./identity.ts";
import { ADDRESSES_PER_GROUP } from "./limits.ts";
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
import { TokenMemory } from "./tokens.ts";
import { wait } from "./wait.ts";

/** How a cloud shall be. */
export interface CloudOptions {
  /** The region's id. @default {"cn-hangzhou"} */
  readonly region?: string;
  /** What ids, MACs and request ids follow from. @default {1} */
  readonly seed?: number;
  /** Its time. @default {systemClock()} */
  readonly clock?: Clock;
  /** How long a card is `Attaching`, in milliseconds. @default {0} */
  readonly attachMs?: number;
  /** How long a card is `Detaching`, in milliseconds. @default {0} */
  readonly detachMs?: number;
  /** How long a card is `Deleting`, in milliseconds. @default {0} */
  readonly deleteMs?: number;
  /** How long every call takes, in milliseconds. @default {0} */
  readonly replyMs?: number;
  /** How far metadata is behind the API, in milliseconds. @default {0} */
  readonly metadataLagMs?: number;
  /** How many secondary cards the account may have. @default {Infinity} */
  readonly eniQuota?: number;
}

/** An emulated region. */
export class EmulatedCloud {
  /** Its records; change them only through this class. */
  readonly model: Model;
  /** Its time. */
  readonly clock: Clock;
  /** Where its ids come from. */
  readonly identity: Identity;
  /** Who may call it. */
  readonly keys: AccessKeys;
  /** Faults that wait for calls. */
  readonly faults: FaultQueue = new FaultQueue();
  /** What was answered to which ClientToken. */
  readonly tokens: TokenMemory = new TokenMemory();
  /** What metadata shows. */
  readonly history: MetadataHistory;
  /** How long every call takes, in milliseconds. */
  readonly replyMs: number;
  /** What moves the packets; without it there are records only. */
  fabric?: Fabric;
  /** Asked for a fault before each call; by default the queue is. */
  before: FaultHook = (call) => this.faults.take(call);
  readonly #delays: { attachMs: number; detachMs: number; deleteMs: number };
  readonly #tasks = new Set<Promise<void>>();
  readonly #end = new AbortController();

  /**
   * Makes an empty region.
   *
   * @param options How it shall be.
   */
  constructor(options: CloudOptions = {}) {
    this.clock = options.clock ?? systemClock();
    this.identity = new Identity(options.seed ?? 1);
    this.keys = new AccessKeys(this.identity);
    this.history = new MetadataHistory(options.metadataLagMs ?? 0);
    this.replyMs = options.replyMs ?? 0;
    this.#delays = {
      attachMs: options.attachMs ?? 0,
      detachMs: options.detachMs ?? 0,
      deleteMs: options.deleteMs ?? 0,
    };
    this.model = emptyModel({
      region: options.region ?? "cn-hangzhou",
      ownerId: "1234567890123456",
      eniQuota: options.eniQuota ?? Infinity,
    });
  }

  /** Ends when the cloud is closed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /**
   * Adds a VPC.
   *
   * @param cidr Its prefix.
   * @returns The VPC.
   */
  addVpc(cidr: Cidr): VpcRecord {
    const vpc: VpcRecord = { id: this.identity.id("vpc"), cidr };
    this.model.vpcs.set(vpc.id, vpc);
    return vpc;
  }

  /**
   * Adds a vSwitch.
   *
   * @param wish Where, and its prefix: /16 to /29.
   * @returns The vSwitch.
   */
  addVSwitch(wish: { vpcId: string; zone: string; cidr: Cidr }): VSwitchRecord {
    const vSwitch: VSwitchRecord = {
      ...wish,
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
    this.#note(id);
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
   * Begins to attach a card; it goes on by itself.
   *
   * @param ids Which to which.
   */
  attach(ids: { eniId: string; instanceId: string }): void {
    const instance = instanceOf(this.model, ids.instanceId);
    const eni = enis.beginAttach(this.model, ids);
    this.#later(this.#delays.attachMs, async () => {
      try {
        await this.fabric?.attach(this.#body(eni), instance);
        enis.finishAttach(eni, "attached");
      } catch {
        enis.finishAttach(eni, "failed");
      }
      this.#note(instance.id);
    });
  }

  /**
   * Begins to detach a card; it goes on by itself.
   *
   * @param ids Which from which.
   */
  detach(ids: { eniId: string; instanceId: string }): void {
    const instance = instanceOf(this.model, ids.instanceId);
    const eni = enis.beginDetach(this.model, ids);
    this.#later(this.#delays.detachMs, async () => {
      try {
        await this.fabric?.detach(this.#body(eni), instance);
        enis.finishDetach(eni, "detached");
      } catch {
        enis.finishDetach(eni, "failed");
      }
      this.#note(instance.id);
    });
  }

  /**
   * Begins to delete a card; it goes on by itself.
   *
   * @param eniId Which.
   */
  remove(eniId: string): void {
    const eni = enis.beginDelete(this.model, eniId);
    this.#later(this.#delays.deleteMs, () => {
      enis.finishDelete(this.model, eni);
      return Promise.resolve();
    });
  }

  /**
   * Adds addresses to a card, and to its body if it is attached.
   *
   * @param eniId Which.
   * @param wanted How many, or which.
   * @returns The new addresses.
   */
  async assign(eniId: string, wanted: number | readonly Ip[]): Promise<
    readonly Ip[]
  > {
    const { eni, ips } = enis.assignIps(this.model, eniId, wanted);
    if (eni.state === "InUse") {
      try {
        await this.fabric?.assign(this.#body(eni), ips);
      } catch (error) {
        enis.finishUnassign(this.model, eni, ips);
        throw error;
      }
    }
    this.#note(eni.instanceId);
    return ips;
  }

  /**
   * Takes addresses from a card, and from its body if it is attached.
   *
   * @param eniId Which.
   * @param ips The addresses.
   */
  async unassign(eniId: string, ips: readonly Ip[]): Promise<void> {
    const eni = enis.beginUnassign(this.model, eniId, ips);
    if (eni.state === "InUse") {
      try {
        await this.fabric?.unassign(this.#body(eni), ips);
      } catch (error) {
        eni.ips.push(...ips);
        throw error;
      }
    }
    enis.finishUnassign(this.model, eni, ips);
    this.#note(eni.instanceId);
  }

  /**
   * Waits until no card is on its way to another state.
   *
   * @returns When all is done.
   */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
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
   * Stops: what is on its way stays so, calls that hang end.
   *
   * @returns When nothing of it runs any more.
   */
  async close(): Promise<void> {
    this.#end.abort(new DOMException("The cloud is closed", "AbortError"));
    await this.settled();
  }

  #later(ms: number, work: () => Promise<void>): void {
    const task = this.#wait(ms).then(work, () => {
      // Closed meanwhile: the card stays on its way.
    }).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  #wait(ms: number): Promise<void> {
    return ms === 0
      ? Promise.resolve()
      : wait(this.clock, ms, this.#end.signal);
  }

  #body(eni: EniRecord): FabricEni {
    const { cidr } = vSwitchOf(this.model, eni.vSwitchId);
    return { ...eni, ips: [...eni.ips], cidr };
  }

  #note(instanceId: string | undefined): void {
    if (instanceId === undefined) return;
    const seen = seenEnis(this.model, instanceId);
    this.history.note(instanceId, seen, this.clock.nowMs());
  }
}
