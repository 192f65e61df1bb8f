/**
 * An emulated Alibaba Cloud region: its records, in time.
 *
 * This is the state machine with a clock and a fabric over `records.ts`. Two fronts
 * speak to it through `perform.ts`: HTTP (`serve.ts`) and, without wire, `direct.ts`.
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
import { type Clock, systemClock } from "../../../pool/clock.ts";
import { SESSION_MS } from "./access_keys.ts";
import * as enis from "./enis.ts";
import * as ipv6 from "./eni_ipv6.ts";
import * as blocks from "./eni_prefixes.ts";
import { instanceOf, vSwitchOf } from "./eni_rules.ts";
import type { Fabric, FabricEni } from "./fabric.ts";
import { type FaultHook, FaultQueue } from "./faults.ts";
import type { TypeLimits } from "./limits.ts";
import type { EniRecord, RouteRecord } from "./model.ts";
import { OidcTrust } from "./oidc.ts";
import { CloudRecords } from "./records.ts";
import * as routes from "./routes.ts";
import { FaultScript } from "./script.ts";
import { Stranger } from "./stranger.ts";
import { Throttle } from "./throttle.ts";
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
  /** Instance types besides those that every cloud knows. @default {none} */
  readonly types?: Readonly<Record<string, TypeLimits>>;
  /** How long a route is `Pending`, in milliseconds. @default {0} */
  readonly routeMs?: number;
  /** How long a role's session in metadata lasts. @default {SESSION_MS} */
  readonly sessionMs?: number;
  /** Calls a minute by action, over the service's; see `throttle.ts`. */
  readonly callsPerMinute?: Readonly<Record<string, number>>;
}

/** How long what takes time takes. */
type Delays = Required<
  Pick<CloudOptions, "attachMs" | "detachMs" | "deleteMs" | "routeMs">
>;

/** An emulated region. */
export class EmulatedCloud extends CloudRecords {
  /** Faults that wait for calls. */
  readonly faults: FaultQueue = new FaultQueue();
  /** Faults by a script. */
  readonly script: FaultScript = new FaultScript();
  /** How often it may be called. */
  readonly throttle: Throttle;
  /** Whose OIDC tokens it trusts. */
  readonly oidc: OidcTrust;
  /** Somebody else who changes it, behind its users' backs. */
  readonly stranger: Stranger = new Stranger(this);
  /** What was answered to which ClientToken. */
  readonly tokens: TokenMemory = new TokenMemory();
  /** How long every call takes, in milliseconds. */
  readonly replyMs: number;
  /** How long a role's session in metadata lasts, in milliseconds. */
  readonly sessionMs: number;
  /** What moves the packets; without it there are records only. */
  fabric?: Fabric;
  /** Asked for a fault before each call; by default queue, then script. */
  before: FaultHook = (call) =>
    this.faults.take(call) ?? this.script.take(call);
  readonly #delays: Delays;
  /** By card: how much longer its next attach takes. */
  readonly #attachDelays = new Map<string, number>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #end = new AbortController();

  /**
   * Makes an empty region.
   *
   * @param options How it shall be.
   */
  constructor(options: CloudOptions = {}) {
    super({
      region: options.region ?? "cn-hangzhou",
      seed: options.seed ?? 1,
      clock: options.clock ?? systemClock(),
      metadataLagMs: options.metadataLagMs ?? 0,
      eniQuota: options.eniQuota ?? Infinity,
      types: options.types ?? {},
    });
    this.replyMs = options.replyMs ?? 0;
    this.sessionMs = options.sessionMs ?? SESSION_MS;
    this.throttle = new Throttle(options.callsPerMinute);
    this.oidc = new OidcTrust(this.keys);
    this.#delays = {
      attachMs: options.attachMs ?? 0,
      detachMs: options.detachMs ?? 0,
      deleteMs: options.deleteMs ?? 0,
      routeMs: options.routeMs ?? 0,
    };
  }

  /** Ends when the cloud is closed. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /**
   * Begins to attach a card; it goes on by itself.
   *
   * @param ids Which to which.
   */
  attach(ids: { eniId: string; instanceId: string; trunkId?: string }): void {
    const instance = instanceOf(this.model, ids.instanceId);
    const eni = enis.beginAttach(this.model, ids);
    const extraMs = this.#attachDelays.get(eni.id) ?? 0;
    this.#attachDelays.delete(eni.id);
    this.#later(this.#delays.attachMs + extraMs, async () => {
      try {
        await this.fabric?.attach(this.body(eni), instance);
        enis.finishAttach(eni, "attached");
      } catch {
        enis.finishAttach(eni, "failed");
      }
      this.note(instance.id);
    });
  }

  /**
   * Makes a card's next attach slow.
   *
   * @param eniId Which.
   * @param ms How much longer it takes than others.
   */
  delayAttach(eniId: string, ms: number): void {
    this.#attachDelays.set(eniId, ms);
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
        await this.fabric?.detach(this.body(eni), instance);
        enis.finishDetach(eni, "detached");
      } catch {
        enis.finishDetach(eni, "failed");
      }
      this.note(instance.id);
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
        await this.fabric?.assign(this.body(eni), ips);
      } catch (error) {
        enis.finishUnassign(this.model, eni, ips);
        throw error;
      }
    }
    this.note(eni.instanceId);
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
        await this.fabric?.unassign(this.body(eni), ips);
      } catch (error) {
        eni.ips.push(...ips);
        throw error;
      }
    }
    enis.finishUnassign(this.model, eni, ips);
    this.note(eni.instanceId);
  }

  /**
   * Adds IPv4 prefixes to a card, and their addresses to its body.
   *
   * @param eniId Which.
   * @param wanted How many, or which.
   * @returns The new prefixes.
   */
  async assignPrefixes(
    eniId: string,
    wanted: number | readonly Cidr[],
  ): Promise<readonly Cidr[]> {
    const { eni, prefixes } = blocks.assignPrefixes(this.model, eniId, wanted);
    try {
      if (eni.state === "InUse") {
        await this.fabric?.assign(this.body(eni), blocks.ipsIn(prefixes));
      }
    } catch (error) {
      blocks.finishUnassignPrefixes(this.model, eni, prefixes);
      throw error;
    }
    return prefixes;
  }

  /**
   * Takes IPv4 prefixes from a card, and their addresses from its body.
   *
   * @param eniId Which.
   * @param prefixes The prefixes.
   */
  async unassignPrefixes(
    eniId: string,
    prefixes: readonly Cidr[],
  ): Promise<void> {
    const eni = blocks.beginUnassignPrefixes(this.model, eniId, prefixes);
    try {
      if (eni.state === "InUse") {
        await this.fabric?.unassign(this.body(eni), blocks.ipsIn(prefixes));
      }
    } catch (error) {
      eni.prefixes.push(...prefixes);
      throw error;
    }
    blocks.finishUnassignPrefixes(this.model, eni, prefixes);
  }

  /**
   * Adds IPv6 addresses to a card, and to its body if it is attached.
   *
   * @param eniId Which.
   * @param wanted How many, or which.
   * @returns The new addresses.
   */
  async assign6(eniId: string, wanted: ipv6.Wanted6): Promise<
    readonly Ip[]
  > {
    const { eni, ips } = ipv6.assignIps6(this.model, eniId, wanted);
    if (eni.state === "InUse") {
      try {
        await this.fabric?.assign(this.body(eni), ips);
      } catch (error) {
        ipv6.finishUnassign6(this.model, eni, ips);
        throw error;
      }
    }
    this.note(eni.instanceId);
    return ips;
  }

  /**
   * Takes IPv6 addresses from a card, and from its body if it is attached.
   *
   * @param eniId Which.
   * @param texts The addresses.
   */
  async unassign6(eniId: string, texts: readonly string[]): Promise<void> {
    const { eni, ips } = ipv6.beginUnassign6(this.model, eniId, texts);
    if (eni.state === "InUse") {
      try {
        await this.fabric?.unassign(this.body(eni), ips);
      } catch (error) {
        eni.ips6.push(...ips);
        throw error;
      }
    }
    ipv6.finishUnassign6(this.model, eni, ips);
    this.note(eni.instanceId);
  }

  /**
   * Begins to add a route; it goes on by itself.
   *
   * @param order What is wanted.
   * @returns The route.
   */
  addRoute(order: routes.RouteOrder): RouteRecord {
    const route = routes.createRoute(this.model, order, this.identity);
    const nextHop = this.model.instances.get(order.nextHopId);
    this.#later(this.#delays.routeMs, async () => {
      await this.fabric?.route?.(order.cidr, nextHop?.primaryEniId ?? "");
      routes.finishCreate(route);
    });
    return route;
  }

  /**
   * Removes a route at once.
   *
   * @param which By its id, or by its table, prefix and next hop.
   */
  removeRoute(which: routes.RouteChoice): void {
    routes.deleteRoute(this.model, which);
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
   * Stops: what is on its way stays so, calls that hang end.
   *
   * @returns When nothing of it runs any more.
   */
  async close(): Promise<void> {
    this.#end.abort(new DOMException("The cloud is closed", "AbortError"));
    await this.settled();
  }

  /**
   * Shows a card as a fabric sees it.
   *
   * @param eni The card.
   * @returns Its body.
   */
  body(eni: EniRecord): FabricEni {
    const { cidr, book6 } = vSwitchOf(this.model, eni.vSwitchId);
    return {
      ...eni,
      ips: [...eni.ips, ...blocks.ipsIn(eni.prefixes), ...eni.ips6],
      cidr,
      ...(book6 === undefined ? {} : { cidr6: book6.cidr }),
    };
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
}
