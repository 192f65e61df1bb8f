/**
 * A node's life in virtual time: pods come and go, calls fail, answers get
 * lost, vSwitches run dry, others change the cloud, the disk fills up, and the
 * process is killed at any boundary. After each step what must hold is
 * checked.
 *
 * The same script lives the same life, bit for bit.
 *
 * @module
 */
import type { EmulatedCloud } from "../../tests/emulators/alibaba/cloud.ts";
import { buildStand, type Stand } from "../../tests/emulators/alibaba/stand.ts";
import type { Keeper, PoolHost } from "../contract.ts";
import { hasIp6 } from "../family.ts";
import { type Journal, openJournal } from "../journal.ts";
import { openKeeper } from "../keeper.ts";
import type { PoolLimits } from "../limits.ts";
import type { PoolNews } from "../news.ts";
import type { Change } from "../record.ts";
import { Chance, mix } from "./chance.ts";
import { Front } from "./front.ts";
import { Ledger } from "./ledger.ts";
import type { Op, Script, Wanted } from "./ops.ts";
import { Pods } from "./pods.ts";
import { type Outside, Process } from "./process.ts";
import { MemoryHost } from "./rig.ts";
import { SimClock } from "./sim_clock.ts";
import { changeLines, newsLine, Trace } from "./trace.ts";
import { Violation } from "./violation.ts";
import { ADOPT_TAGS, limitsIn, type Weather } from "./world.ts";

/** A life, and all that is looked at from outside. */
export class Simulation {
  /** What is lived. */
  readonly script: Script;
  /** Draws what isn't written in the step at hand. */
  chance: Chance;
  /** Virtual time. */
  readonly clock: SimClock = new SimClock();
  /** The region. */
  readonly stand: Stand;
  /** The pool's bounds. */
  limits: PoolLimits;
  /** What outlives processes. */
  readonly outside: Outside & { readonly journal: Journal };
  /** What the journal holds. */
  readonly ledger: Ledger = new Ledger((id) => !this.drifted.has(id));
  /** The kernel. */
  readonly host: MemoryHost = new MemoryHost();
  /** Those who want addresses. */
  readonly pods: Pods;
  /** What happened. */
  readonly trace: Trace;
  /** The cloud, watched. */
  readonly front: Front;
  /** Cards that somebody else made: as they must stay. */
  readonly foreign: Map<string, { readonly isAdopted: boolean }> = new Map();
  /** Cards that somebody else changed: nothing is promised for what was there. */
  readonly drifted: Set<string> = new Set();
  /** Cards that somebody else hung on our trunk. */
  readonly members: Set<string> = new Set();
  /** Loose cards with our tags that nobody here made, and since when. */
  readonly orphans: Map<string, number> = new Map();
  /** The groups that cards shall be in. */
  securityGroupIds: readonly string[];
  /** The cloud answers no call before. */
  awayUntilMs: number = 0;
  /** The process at work. */
  process: Process;
  /** Its keeper. */
  keeper: Keeper;
  /** How long nobody begins another one after it died. */
  downMs: number = 0;
  /** How often the process was killed. */
  killCount: number = 0;
  /** Whether who dies at a boundary has a successor at once. */
  isRestless: boolean = false;
  /** Boundaries that processes before this one have passed. */
  passedCount: number = 0;
  /** How calls fare. */
  weather: Weather;
  /** Whether the journal was lost, and is built anew. */
  isBereft: boolean = false;
  /** What doesn't hold. */
  broken: Violation | undefined;
  #journal: Journal;
  readonly #keeperChance: Chance;
  #tokenCount = 0;

  /**
   * Begins a life.
   *
   * @param script What is lived.
   * @param isQuiet Whether there is no trace.
   */
  constructor(script: Script, isQuiet: boolean) {
    const { seed, world } = script;
    this.script = script;
    this.chance = new Chance(seed);
    this.#keeperChance = new Chance(mix(seed, 2));
    this.weather = world.weather;
    const { clock } = this;
    this.trace = new Trace(() => clock.nowMs(), isQuiet);
    const stand = buildStand({
      clock,
      seed,
      replyMs: world.replyMs,
      attachMs: world.attachMs,
      detachMs: world.detachMs,
      deleteMs: world.deleteMs,
      ipv6: hasIp6(world.stack),
      // As many cards as by default, and a trunk may be one of them.
      ...world.trunk && { instanceType: "ecs.u1-c1m4.xlarge" },
      ...(world.eniQuota > 0 ? { eniQuota: world.eniQuota } : {}),
      callsPerMinute: throttled(world.callsPerMinute),
    });
    this.stand = world.isBig ? withBigNode(stand) : stand;
    this.front = new Front(this);
    this.limits = limitsIn(world, this.stand);
    this.securityGroupIds = [this.stand.securityGroupId];
    this.#journal = this.#emptyJournal();
    this.outside = {
      clock,
      cloud: this.front.open(),
      journal: this.#watched(),
      host: this.#plugged(),
    };
    this.pods = new Pods(this);
    this.process = new Process(this.outside);
    this.keeper = this.#open();
  }

  /** Whether the cloud answers no call now. */
  get isAway(): boolean {
    return this.clock.nowMs() < this.awayUntilMs;
  }

  /** The emulated region. */
  get cloud(): EmulatedCloud {
    return this.stand.cloud;
  }

  /** Does what must be done before anything happens, and starts the keeper. */
  async begin(): Promise<void> {
    const { vSwitchId, instanceId } = this.stand;
    for (const { secondaryCount, isAdopted } of this.script.world.foreign) {
      const { id } = await this.cloud.stranger.createEni({
        vSwitchId,
        instanceId,
        secondaryCount,
        tags: isAdopted ? ADOPT_TAGS : {},
      });
      this.foreign.set(id, { isAdopted });
    }
    this.#start();
  }

  /**
   * Notes that something doesn't hold; the next check throws it.
   *
   * @param violation What.
   */
  fail(violation: Violation): void {
    this.broken ??= violation;
  }

  /** Begins another process on the same disk, after the one before ended. */
  reopen(): void {
    const { isDiskFull, fuse, isEnded, passedCount } = this.process;
    this.passedCount += passedCount;
    this.process = new Process(this.outside);
    this.process.isDiskFull = isDiskFull;
    // A boundary that is still to come may be the next one's.
    if (this.isRestless && isEnded) this.process.fuse = fuse;
    this.keeper = this.#open();
    this.#start();
  }

  /** Loses the journal; the process must be dead. */
  loseJournal(): void {
    this.#journal.close();
    this.#journal = this.#emptyJournal();
    this.ledger.clear();
    this.isBereft = true;
    this.pods.orphan();
    this.trace.add("journal", () => "it is lost");
  }

  /**
   * Tells the pool what its operator wants from now on.
   *
   * @param wanted What.
   */
  configure({ groups, ...bounds }: Wanted): void {
    const { securityGroupId: one, otherSecurityGroupId: other } = this.stand;
    this.securityGroupIds = { one: [one], other: [other], both: [one, other] }[
      groups
    ];
    this.limits = limitsIn({ ...this.script.world, ...bounds }, this.stand);
    if (this.process.isDead) return;
    const { limits, securityGroupIds } = this;
    this.keeper.reconfigure({ limits, securityGroupIds });
  }

  /** Sets what the choices of a step follow from. */
  enter(op: Op | undefined): void {
    const { seed } = this.script;
    this.chance = new Chance(mix(seed, 3, op === undefined ? -1 : op.id));
  }

  /** Ends the life. */
  async close(): Promise<void> {
    if (!this.process.isDead) await this.keeper.stop();
    this.#journal.close();
    await this.cloud.close();
  }

  #start(): void {
    this.trace.add("process", () => "begins");
    this.keeper.start(new AbortController().signal).catch(() => {});
  }

  #open(): Keeper {
    const { process } = this;
    const { instanceId } = this.stand;
    const instance = this.cloud.model.instances.get(instanceId);
    const primary = this.cloud.model.enis.get(instance?.primaryEniId ?? "");
    return openKeeper({
      cloud: process.cloud,
      journal: process.journal,
      host: process.host,
      clock: process.clock,
      config: {
        instanceId,
        clusterId: "c1",
        primaryMac: primary?.mac ?? "",
        securityGroupIds: this.securityGroupIds,
        adopt: { tags: ADOPT_TAGS },
      },
      limits: this.limits,
      chance: () => this.#keeperChance.next(),
      token: () => `token-${++this.#tokenCount}`,
      onNews: (news) => this.#hear(process, news),
    });
  }

  /** The kernel has a card's link only while the card is attached. */
  #plugged(): PoolHost {
    const { host } = this;
    const { enis } = this.cloud.model;
    return {
      prepare: (eni) => {
        if (enis.get(eni.id)?.state === "InUse") return host.prepare(eni);
        return Promise.reject(new Error(`no link has the MAC ${eni.mac}`));
      },
      retire: (eni) => host.retire(eni),
      speaksFor: (ip) => host.speaksFor(ip),
    };
  }

  #emptyJournal(): Journal {
    return openJournal(":memory:", { instanceId: this.stand.instanceId });
  }

  /** The disk has room: only a record that can't be is refused. */
  #commit(change: Change): void {
    try {
      this.#journal.commit(change);
    } catch (cause) {
      const { message } = cause as Error;
      throw new Violation("journal", message, { cause });
    }
  }

  #watched(): Journal {
    return {
      load: () => this.#journal.load(),
      commit: (change) => {
        this.guarded(() => this.#commit(change));
        const { enis } = this.ledger;
        for (const line of changeLines(change, (key) => enis.get(key))) {
          this.trace.add("journal", () => line);
        }
        this.guarded(() => this.ledger.apply(change, this.clock.nowMs()));
      },
      close(): void {},
      [Symbol.dispose](): void {},
    };
  }

  /**
   * Runs a check whose violation is thrown by the next one.
   *
   * @param work The check.
   */
  guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.fail(error);
    }
  }

  #hear(process: Process, news: PoolNews): void {
    if (process.isDead) return;
    this.trace.add("news", () => newsLine(news));
    if (news.kind !== "broken") return;
    const { message } = news.error;
    this.fail(new Violation("broken", message, { cause: news.error }));
  }
}

/** The same region, and in it a node of 15 cards of 30 addresses. */
function withBigNode(stand: Stand): Stand {
  const instanceType = "ecs.g7.32xlarge";
  const { cloud, vSwitchId } = stand;
  const { id } = cloud.addInstance({ type: instanceType, vSwitchId });
  return { ...stand, instanceType, instanceId: id };
}

/** APIs that an account is bounded on. */
const BOUNDED = [
  "AssignIpv6Addresses",
  "AssignPrivateIpAddresses",
  "AttachNetworkInterface",
  "CreateNetworkInterface",
  "DeleteNetworkInterface",
  "DetachNetworkInterface",
  "UnassignIpv6Addresses",
  "UnassignPrivateIpAddresses",
];

function throttled(count: number): Record<string, number> {
  if (count === 0) return {};
  return Object.fromEntries([
    ...BOUNDED.map((action) => [action, count]),
    // Looking is needed by all of them.
    ["DescribeNetworkInterfaces", count * 4],
  ]);
}
