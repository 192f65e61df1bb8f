/**
 * A node to try the keeper on: an emulated region, a journal, virtual time.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { openDirect } from "../../tests/emulators/alibaba/direct.ts";
import {
  buildStand,
  type Stand,
  type StandOptions,
} from "../../tests/emulators/alibaba/stand.ts";
import type { Cloud } from "../cloud.ts";
import type {
  ClaimWish,
  HostEni,
  Keeper,
  PoolConfig,
  PoolHost,
} from "../contract.ts";
import type { CallKind } from "../event.ts";
import { hasIp6, type IpStack } from "../family.ts";
import { type Journal, openJournal } from "../journal.ts";
import { openKeeper } from "../keeper.ts";
import { type LimitsWish, type PoolLimits, poolLimits } from "../limits.ts";
import type { PoolNews } from "../news.ts";
import type { Lease, OwnerKey } from "../state.ts";
import { SimClock } from "./sim_clock.ts";

/** How a rig shall be; by default as {@linkcode Stand} says, and no stock. */
export interface RigOptions {
  /** How the region shall be. */
  readonly cloud?: StandOptions;
  /** @default {0} */
  readonly minIdle?: number;
  /** @default {5} */
  readonly maxIdle?: number;
  /** @default {3} */
  readonly eniCount?: number;
  /** @default {6} */
  readonly addressesPerEni?: number;
  /** The families of pods' addresses; with IPv6, the region has it. */
  readonly stack?: IpStack;
  /** More of what {@linkcode poolLimits} takes. */
  readonly limits?: Partial<LimitsWish>;
  /** More of what the pool is told. */
  readonly config?: Partial<PoolConfig>;
  /** What is drawn, each time; from 0 to below 1. @default {0.5} */
  readonly chance?: number;
  /** Names of the stand's vSwitches. @default {["vSwitchId"]} */
  readonly vSwitches?: readonly ("vSwitchId" | "smallVSwitchId")[];
  /** The journal's file. @default {":memory:"} */
  readonly journalPath?: string;
  /** Hears what the keeper tells, when it does. */
  readonly onNews?: (news: PoolNews) => void;
}

/** The kernel side that remembers what was asked of it. */
export class MemoryHost implements PoolHost {
  /** Cards that are set up. */
  readonly prepared: Set<string> = new Set();
  /** How often. */
  prepareCount: number = 0;
  /** Addresses that something on the host uses. */
  readonly spoken: Set<string> = new Set();
  /** Thrown by `prepare` when set. */
  failure: Error | undefined;

  /** {@inheritDoc PoolHost.prepare} */
  prepare(eni: HostEni): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.prepared.add(eni.id);
    this.prepareCount++;
    return Promise.resolve();
  }

  /** {@inheritDoc PoolHost.retire} */
  retire(eni: HostEni): Promise<void> {
    this.prepared.delete(eni.id);
    return Promise.resolve();
  }

  /** {@inheritDoc PoolHost.speaksFor} */
  speaksFor(ip: string): Promise<boolean> {
    return Promise.resolve(this.spoken.has(ip));
  }
}

/** A node, its region and its keeper. */
export class Rig {
  /** Virtual time. */
  readonly clock: SimClock = new SimClock();
  /** The region. */
  readonly stand: Stand;
  /** The region as the pool sees it. */
  readonly cloud: Cloud;
  /** The pool's bounds. */
  readonly limits: PoolLimits;
  /** The kernel side. */
  readonly host: MemoryHost = new MemoryHost();
  /** What the keeper told. */
  readonly news: PoolNews[] = [];
  /** Calls that were made, in order. */
  readonly calls: string[] = [];
  /** Survives a restart of the keeper. */
  readonly journal: Journal;
  /** The keeper at work. */
  keeper: Keeper;
  readonly #config: Partial<PoolConfig>;
  readonly #chance: number;
  readonly #onNews: (news: PoolNews) => void;
  #tokens = 0;

  /**
   * Builds one; its keeper isn't started.
   *
   * @param options How it shall be.
   */
  constructor(options: RigOptions = {}) {
    const { eniCount = 3, addressesPerEni = 6, stack = "ipv4" } = options;
    this.stand = buildStand({
      clock: this.clock,
      replyMs: 100,
      attachMs: 2_000,
      detachMs: 2_000,
      ipv6: hasIp6(stack),
      ...options.cloud,
    });
    const before = this.stand.cloud.before;
    this.stand.cloud.before = (call) => {
      this.calls.push(call.action);
      return before(call);
    };
    this.cloud = openDirect(this.stand.cloud);
    const names = options.vSwitches ?? ["vSwitchId"];
    this.limits = poolLimits({
      instance: {
        eniCount,
        ipv4PerEniCount: addressesPerEni,
        ipv6PerEniCount: addressesPerEni,
      },
      stack,
      vSwitches: names.map((name) => ({
        id: this.stand[name],
        cidr: name === "vSwitchId" ? "10.0.1.0/24" : "10.0.2.0/29",
        ...(hasIp6(stack)
          ? { cidr6: name === "vSwitchId" ? "fd00:1::/64" : "fd00:2::/64" }
          : {}),
      })),
      minIdle: options.minIdle ?? 0,
      maxIdle: options.maxIdle ?? 5,
      ...options.limits,
    });
    this.#config = options.config ?? {};
    this.#chance = options.chance ?? 0.5;
    this.#onNews = options.onNews ?? (() => {});
    const { instanceId } = this.stand;
    const { journalPath = ":memory:" } = options;
    this.journal = openJournal(journalPath, { instanceId });
    this.keeper = this.open();
  }

  /**
   * Makes another keeper, as a restart does.
   *
   * @param parts What it gets instead of the rig's own.
   * @returns The keeper; `keeper` isn't changed.
   */
  open(parts: { journal?: Journal; cloud?: Cloud } = {}): Keeper {
    const { instanceId, securityGroupId } = this.stand;
    return openKeeper({
      cloud: parts.cloud ?? this.cloud,
      journal: parts.journal ?? this.journal,
      config: {
        instanceId,
        clusterId: "c1",
        primaryMac: this.primaryMac,
        securityGroupIds: [securityGroupId],
        ...this.#config,
      },
      limits: this.limits,
      host: this.host,
      clock: this.clock,
      chance: () => this.#chance,
      token: () => `token-${++this.#tokens}`,
      onNews: (news) => {
        this.news.push(news);
        this.#onNews(news);
      },
    });
  }

  /** The MAC of the node's primary card. */
  get primaryMac(): string {
    const { model } = this.stand.cloud;
    const id = model.instances.get(this.stand.instanceId)?.primaryEniId ?? "";
    return model.enis.get(id)?.mac ?? "";
  }

  /** Starts the keeper. */
  async start(): Promise<void> {
    await this.within(this.keeper.start(this.deadline(60_000)), 60_000);
  }

  /** Stops the keeper and begins another on the same journal. */
  async restart(): Promise<void> {
    await this.keeper.stop();
    this.keeper = this.open();
    await this.start();
  }

  /** Claims; settles when the promise does. */
  claim(ownerKey: OwnerKey, withinMs: number = 60_000): Promise<Lease> {
    return this.keeper.claim(wishFor(ownerKey), this.deadline(withinMs));
  }

  /** Claims and moves time on until there is a lease. */
  async lease(ownerKey: OwnerKey): Promise<Lease> {
    return await this.within(this.claim(ownerKey), 61_000);
  }

  /** Empties the pool, and moves time on until it is. */
  async drain(): Promise<void> {
    await this.within(this.keeper.drain(this.deadline(600_000)), 600_000);
  }

  /** Waits for a promise while time moves on. */
  async within<T>(work: Promise<T>, withinMs: number): Promise<T> {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    work.then(over, over);
    await this.clock.until(() => isOver, withinMs + 1);
    return await work;
  }

  /** A signal that ends with virtual time. */
  deadline(withinMs: number): AbortSignal {
    const controller = new AbortController();
    this.clock.after(withinMs, () => {
      controller.abort(new DOMException("too late", "TimeoutError"));
    });
    return controller.signal;
  }

  /** Counts the calls of an API since the rig was built. */
  countOf(action: string): number {
    return this.calls.filter((call) => call === action).length;
  }

  /** The news of one kind. */
  newsOf<K extends PoolNews["kind"]>(
    kind: K,
  ): readonly Extract<PoolNews, { kind: K }>[] {
    return this.news.filter((one): one is Extract<PoolNews, { kind: K }> =>
      one.kind === kind
    );
  }

  /** Calls in flight, by what the keeper says. */
  get openCalls(): readonly CallKind[] {
    return this.keeper.status().calls.map(({ kind }) => kind);
  }

  /** The secondary cards in the region, by id. */
  get cloudEnis(): readonly { id: string; state: string; ips: number }[] {
    return [...this.stand.cloud.model.enis.values()]
      .filter(({ type }) => type !== "Primary")
      .map(({ id, state, ips }) => ({ id, state, ips: ips.length }));
  }

  /** Ends everything. */
  async close(): Promise<void> {
    await this.keeper.stop();
    this.journal.close();
    await this.stand.cloud.close();
  }
}

/**
 * A wish whose attachment tells what it was made of.
 *
 * @param ownerKey For whom.
 * @returns The wish.
 */
export function wishFor(ownerKey: OwnerKey): ClaimWish {
  return {
    ownerKey,
    attach: ({ ip, ip6, eni }) => ({
      recipe: "test/1",
      attachment: {
        ...{ ownerKey, ip, eniId: eni.id, mac: eni.mac },
        ...(ip6 === undefined ? {} : { ip6 }),
      },
    }),
  };
}

/**
 * Runs a case on a started rig.
 *
 * @param options How the rig shall be.
 * @param run The case.
 */
export async function on(
  options: RigOptions,
  run: (rig: Rig) => Promise<void>,
): Promise<void> {
  const rig = new Rig(options);
  try {
    await rig.start();
    await run(rig);
    assertEquals(rig.newsOf("broken"), []);
  } finally {
    await rig.close();
  }
}

/**
 * Takes so many of a node's addresses, for `pod-0` and on.
 *
 * @param rig The node.
 * @param count How many.
 */
export async function fill(rig: Rig, count: number): Promise<void> {
  const owners = Array.from({ length: count }, (_, i) => `pod-${i}`);
  await rig.within(Promise.all(owners.map((one) => rig.claim(one))), 61_000);
}
