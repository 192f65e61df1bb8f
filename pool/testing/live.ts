/**
 * Lives simulated lives from beginning to end.
 *
 * @module
 */
import { elapse, happen, revive } from "./happen.ts";
import { demand } from "./invariants.ts";
import { type Script, scriptBy } from "./ops.ts";
import { checkEmptied, checkSettled } from "./settled.ts";
import { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";
import { FAIR } from "./world.ts";

/** What came of a life. */
export interface Life {
  /** How many things happened. */
  readonly stepCount: number;
  /** Leases that were granted and told. */
  readonly leaseCount: number;
  /** Calls to the cloud. */
  readonly callCount: number;
  /** How often the process was killed. */
  readonly killCount: number;
  /** What happened, a line each; empty when it was lived quietly. */
  readonly trace: readonly string[];
  /** SHA-256 of the trace; the same script gives the same. */
  readonly hash: string;
  /** The promise that was broken, if one was: it ended there. */
  readonly violation: Violation | undefined;
}

/** How a life is lived. */
export interface LiveOptions {
  /** Whether there is no trace. @default {false} */
  readonly isQuiet?: boolean;
}

/** After so long the last call of the trouble has ended, and is tried again. */
const AFTERMATH_MS = 3 * 60_000;

/**
 * After so long with nothing to wait for everything has settled: cards are
 * given 3 min and more to be attached, and orphans go 10 min after they are
 * seen.
 */
const CALM_MS = 12 * 60_000;

/** … and then nothing is left to do but to look now and then. */
const IDLE_MS = 4 * 60_000;

/** Surveys, of 3 calls each at most, come every 40 s; a few for what is stuck. */
const IDLE_CALLS = 40;

/**
 * Lives a script, then lets everything settle and go.
 *
 * @param script What.
 * @param options How.
 * @returns What came of it.
 */
export async function live(
  script: Script,
  options: LiveOptions = {},
): Promise<Life> {
  const life = new Simulation(script, options.isQuiet ?? false);
  let stepCount = 0;
  let violation: Violation | undefined;
  try {
    await life.begin();
    for (const op of script.ops) {
      stepCount++;
      await happen(life, op);
    }
    await calmDown(life);
    checkSettled(life);
    await checkEmptied(life);
  } catch (error) {
    violation = error instanceof Violation
      ? error
      : new Violation("broken", (error as Error).message, { cause: error });
    const { rule, message } = violation;
    life.trace.add("process", () => `VIOLATION of "${rule}": ${message}`);
  } finally {
    await life.close();
  }
  const { killCount, trace } = life;
  const { callCount } = life.front;
  const { leaseCount } = life.pods;
  const { lines, hash } = trace;
  const counts = { stepCount, leaseCount, callCount, killCount };
  return { ...counts, trace: lines, hash, violation };
}

/**
 * Lives the life of a seed.
 *
 * @param life Its seed, and how many things happen.
 * @param options How.
 * @returns What came of it.
 */
export function simulate(
  life: { readonly seed: number; readonly stepCount: number },
  options: LiveOptions = {},
): Promise<Life> {
  return live(scriptBy(life.seed, life.stepCount), options);
}

/**
 * Ends all trouble, and lets what is under way come to its end.
 *
 * @param life The life.
 * @throws {Violation} When something doesn't hold.
 */
export async function calmDown(life: Simulation): Promise<void> {
  life.enter(undefined);
  life.trace.add("step", () => "calm");
  life.weather = FAIR;
  life.awayUntilMs = 0;
  life.cloud.faults.clear();
  life.process.fuse = Infinity;
  await revive(life);
  life.process.isDiskFull = false;
  await elapse(life, AFTERMATH_MS);
  await elapse(life, restMs(life));
  await elapse(life, CALM_MS);
  const before = life.front.callCount;
  await elapse(life, IDLE_MS);
  const count = life.front.callCount - before;
  demand(count <= IDLE_CALLS, "haste", () => `${count} calls in 4 min`);
}

/**
 * How long the pool still holds back for what the cloud refused: a vSwitch for
 * 10 min, new cards for up to 30. An empty pool begins only then, and sees only
 * then what is loose.
 */
function restMs({ keeper, clock }: Simulation): number {
  const { full, rests } = keeper.status();
  const endsMs = rests.map(({ untilMs }) => untilMs);
  const endMs = Math.max(full?.untilMs ?? 0, ...endsMs);
  return Math.max(0, endMs - clock.nowMs());
}
