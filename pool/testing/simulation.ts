/**
 * A node's life by chance, in virtual time: pods come and go, calls fail,
 * answers get lost, vSwitches run dry, the disk fills up, and the process is
 * killed at any boundary. After each step what must hold is checked.
 *
 * @module
 */
import type { EmulatedCloud } from "../../tests/emulators/alibaba/cloud.ts";
import { openDirect } from "../../tests/emulators/alibaba/direct.ts";
import type { Fault } from "../../tests/emulators/alibaba/faults.ts";
import { buildStand, type Stand } from "../../tests/emulators/alibaba/stand.ts";
import type { Keeper } from "../contract.ts";
import { type Journal, openJournal } from "../journal.ts";
import { openKeeper } from "../keeper.ts";
import { type PoolLimits, poolLimits } from "../limits.ts";
import type { PoolNews } from "../news.ts";
import { Chance } from "./chance.ts";
import { checkAlways, checkSettled } from "./invariants.ts";
import { Pods } from "./pods.ts";
import { type Outside, Process } from "./process.ts";
import { MemoryHost } from "./rig.ts";
import { SimClock } from "./sim_clock.ts";

/** Which life. */
export interface SimulationOptions {
  /** Everything follows from it. */
  readonly seed: number;
  /** How many things happen. */
  readonly stepCount: number;
}

/** What came of it. */
export interface SimulationResult {
  /** Leases that were granted and told. */
  readonly leaseCount: number;
  /** Calls to the cloud. */
  readonly callCount: number;
  /** How often the process was killed. */
  readonly killCount: number;
  /** What happened, one line each; the same for the same seed. */
  readonly trace: readonly string[];
}

/** A life, and all that is looked at from outside. */
export class Simulation {
  /** Draws what happens. */
  readonly chance: Chance;
  /** Virtual time. */
  readonly clock: SimClock = new SimClock();
  /** The region. */
  readonly stand: Stand;
  /** The pool's bounds. */
  readonly limits: PoolLimits;
  /** What outlives processes. */
  readonly outside: Outside & { readonly journal: Journal };
  /** The kernel. */
  readonly host: MemoryHost = new MemoryHost();
  /** Those who want addresses. */
  readonly pods: Pods;
  /** What happened. */
  readonly trace: string[] = [];
  /** The process at work. */
  process: Process;
  /** Its keeper. */
  keeper: Keeper;
  /** How many calls the cloud got. */
  callCount: number = 0;
  /** How often the process was killed. */
  killCount: number = 0;
  /** One call in so many goes wrong; Infinity for none. */
  faultRarity: number = Infinity;
  /** What doesn't hold. */
  broken: Error | undefined;
  readonly #keeperChance: Chance;
  #tokens = 0;

  /**
   * Begins a life.
   *
   * @param seed From which everything follows.
   */
  constructor(seed: number) {
    this.chance = new Chance(seed);
    this.#keeperChance = new Chance(seed ^ 0x5bd1e995);
    const { chance, clock } = this;
    this.stand = buildStand({
      clock,
      seed,
      replyMs: chance.int(0, 300),
      attachMs: chance.int(0, 5_000),
      detachMs: chance.int(0, 5_000),
      deleteMs: chance.int(0, 2_000),
    });
    this.limits = limitsBy(chance, this.stand);
    this.faultRarity = rarityBy(chance);
    this.stand.cloud.before = (call) => {
      this.callCount++;
      return this.#fault(call.action);
    };
    const { instanceId } = this.stand;
    this.outside = {
      clock,
      cloud: openDirect(this.stand.cloud),
      journal: openJournal(":memory:", { instanceId }),
      host: this.host,
    };
    this.pods = new Pods(this);
    this.process = new Process(this.outside);
    this.keeper = this.#open();
  }

  /** The emulated region. */
  get cloud(): EmulatedCloud {
    return this.stand.cloud;
  }

  /** Notes what happened. */
  note(text: string): void {
    const ms = this.clock.nowMs() - Date.parse("2026-11-21T12:00:00Z");
    this.trace.push(`${(ms / 1000).toFixed(3)} ${text}`);
  }

  /** Notes that something doesn't hold; the next check throws it. */
  fail(text: string): void {
    this.broken ??= new Error(text);
  }

  /** Begins another process on the same disk, after the one before ended. */
  begin(): void {
    this.note("a process begins");
    this.process = new Process(this.outside);
    this.keeper = this.#open();
  }

  /** Ends the life. */
  async close(): Promise<void> {
    if (!this.process.isDead) await this.keeper.stop();
    this.outside.journal.close();
    await this.cloud.close();
  }

  #open(): Keeper {
    const { process } = this;
    const { instanceId, securityGroupId } = this.stand;
    const instance = this.cloud.model.instances.get(instanceId);
    const primary = this.cloud.model.enis.get(instance?.primaryEniId ?? "");
    const keeper = openKeeper({
      cloud: process.cloud,
      journal: process.journal,
      host: process.host,
      clock: process.clock,
      config: {
        instanceId,
        clusterId: "c1",
        primaryMac: primary?.mac ?? "",
        securityGroupIds: [securityGroupId],
      },
      limits: this.limits,
      chance: () => this.#keeperChance.next(),
      token: () => `token-${++this.#tokens}`,
      onNews: (news) => this.#hear(process, news),
    });
    keeper.start(new AbortController().signal).catch(() => {});
    return keeper;
  }

  #hear(process: Process, news: PoolNews): void {
    if (process.isDead) return;
    this.note(brief(news));
    if (news.kind === "broken") this.broken = news.error;
  }

  #fault(action: string): Fault | undefined {
    if (!this.chance.oneIn(this.faultRarity)) {
      this.note(`  ${action}`);
      return undefined;
    }
    const kind = this.chance.pick(FAULT_KINDS) ?? "lost";
    this.note(`  ${action}: ${kind}`);
    const done = this.chance.oneIn(2);
    switch (kind) {
      case "lost":
        return { kind };
      case "hang":
      case "garbage":
        return { kind, done };
      case "slow":
        // Half of them are done after the caller's deadline of 20 s.
        return { kind, ms: this.chance.int(5_000, 35_000) };
      default:
        return { kind: "refuse", code: kind };
    }
  }
}

/** What a call may meet. */
const FAULT_KINDS = [
  "lost",
  "lost",
  "hang",
  "garbage",
  "slow",
  "slow",
  "slow",
  "slow",
  "Throttling.User",
  "InternalError",
  "ServiceUnavailable",
  "Forbidden.RAM",
  "Operation.Conflict",
  "InvalidVSwitchId.IpNotEnough",
] as const;

function rarityBy(chance: Chance): number {
  return chance.pick([Infinity, 20, 5, 3, 2]) ?? 5;
}

function limitsBy(chance: Chance, stand: Stand): PoolLimits {
  const maxIdle = chance.int(0, 6);
  const both = [
    { id: stand.smallVSwitchId, cidr: "10.0.2.0/29" },
    { id: stand.vSwitchId, cidr: "10.0.1.0/24" },
  ];
  return poolLimits({
    // The type allows 3 cards; now and then the pool believes more.
    instance: {
      eniCount: chance.oneIn(4) ? 5 : 3,
      ipv4PerEniCount: chance.oneIn(4) ? 1 : 6,
    },
    vSwitches: chance.oneIn(3) ? both.slice(1) : both,
    maxIdle,
    minIdle: chance.int(0, maxIdle),
  });
}

function brief(news: PoolNews): string {
  switch (news.kind) {
    case "callFailed":
      return `callFailed ${news.problem.call} ${news.problem.kind}: ${news.nextStep}`;
    case "claimWaiting":
    case "claimRefused":
      return `${news.kind} ${news.ownerKey}: ${news.reason.kind}`;
    case "broken":
      return `broken: ${news.error.message}`;
    default:
      return JSON.stringify(news);
  }
}

/**
 * Lives a life.
 *
 * @param options Which.
 * @returns What came of it.
 * @throws {Error} When something doesn't hold; says the seed and what was
 * last.
 */
export async function simulate(
  options: SimulationOptions,
): Promise<SimulationResult> {
  const life = new Simulation(options.seed);
  let stepCount = 0;
  try {
    for (; stepCount < options.stepCount; stepCount++) {
      await happen(life);
      checkAlways(life);
    }
    await calmDown(life);
    await checkSettled(life);
    const { callCount, killCount, trace } = life;
    return { leaseCount: life.pods.leaseCount, callCount, killCount, trace };
  } catch (cause) {
    throw new Error(
      `seed ${options.seed} step ${stepCount}: ${(cause as Error).message}\n${
        life.trace.slice(-60).join("\n")
      }`,
      { cause },
    );
  } finally {
    await life.close();
  }
}

/** One thing happens. */
async function happen(life: Simulation): Promise<void> {
  const { chance, clock, pods } = life;
  const die = chance.int(1, 100);
  if (life.process.isDead) {
    if (chance.oneIn(2)) life.begin();
    await elapse(life, chance.int(0, 20_000));
  } else if (die <= 20) {
    for (let count = chance.int(1, 6); count > 0; count--) pods.come();
  } else if (die <= 45) {
    for (let count = chance.int(1, 4); count > 0; count--) pods.go();
  } else if (die <= 48) {
    pods.giveUp();
  } else if (die <= 50) {
    pods.ask();
  } else if (die <= 53) {
    life.process.fuse = chance.int(0, 30);
    life.note(`it will die at boundary ${life.process.fuse}`);
  } else if (die === 54) {
    life.note("it is killed");
    life.process.kill();
  } else if (die === 55) {
    life.note("it is stopped");
    const { keeper, process } = life;
    const stopped = keeper.stop();
    while (await clock.step(clock.nowMs()));
    await stopped;
    process.kill();
  } else if (die === 56) {
    life.process.isDiskFull = !life.process.isDiskFull;
  } else if (die <= 58) {
    life.faultRarity = rarityBy(chance);
    life.note(`one call in ${life.faultRarity} goes wrong`);
  } else {
    const longest = chance.pick([10, 1_000, 10_000, 90_000]) ?? 10;
    await elapse(life, chance.int(0, longest));
  }
  await elapse(life, 0);
  if (life.process.isDead && life.pods.isServed) {
    life.killCount++;
    life.pods.bereave();
  }
}

async function elapse(life: Simulation, ms: number): Promise<void> {
  const endMs = life.clock.nowMs() + ms;
  while (await life.clock.step(endMs)) checkAlways(life);
}

/** Nothing goes wrong any more, and all that is under way comes to its end. */
async function calmDown(life: Simulation): Promise<void> {
  life.note("calm");
  life.faultRarity = Infinity;
  life.process.isDiskFull = false;
  life.process.fuse = Infinity;
  if (life.process.isDead) life.begin();
  await elapse(life, 45 * 60_000);
}
