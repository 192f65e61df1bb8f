/**
 * Crash points: a scenario is lived again and again, and each time its process
 * dies at another boundary: before a call, while it is on its way, when its
 * answer comes; before and after a write. The next process begins at once on
 * the same journal.
 *
 * @module
 */
import { calmDown } from "./live.ts";
import { happen } from "./happen.ts";
import type { Act, Script } from "./ops.ts";
import { checkEmptied, checkSettled } from "./settled.ts";
import { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";
import { PLAIN, type World } from "./world.ts";

/** A short life in which one thing is tried. */
export interface Scenario {
  /** What is tried. */
  readonly name: string;
  /** How its world differs from a plain one. */
  readonly world?: Partial<World>;
  /** What happens. */
  readonly acts: readonly Act[];
}

/** What came of all lives of a scenario. */
export interface CrashReport {
  /** Boundaries, at each of which the process died once. */
  readonly pointCount: number;
  /** Intents that were open at those deaths, and were taken up. */
  readonly intentCount: number;
}

/** What came of one of them. */
interface Outcome {
  readonly passedCount: number;
  readonly intentCount: number;
}

/**
 * Lives a scenario once without a death, then once for each boundary.
 *
 * @param scenario The scenario.
 * @returns How many there were.
 * @throws {Violation} When a promise is broken; the message names the
 * boundary, and ends with the trace.
 */
export async function crashEverywhere(
  scenario: Scenario,
): Promise<CrashReport> {
  const { passedCount } = await lived(scenario, undefined);
  let intentCount = 0;
  for (let point = 0; point < passedCount; point++) {
    intentCount += (await lived(scenario, point)).intentCount;
  }
  return { pointCount: passedCount, intentCount };
}

async function lived(
  scenario: Scenario,
  point: number | undefined,
): Promise<Outcome> {
  const isQuiet = true;
  try {
    return await once(
      scenario,
      point,
      new Simulation(scriptOf(scenario), isQuiet),
    );
  } catch {
    // Again, and this time it is told.
    const life = new Simulation(scriptOf(scenario), !isQuiet);
    try {
      return await once(scenario, point, life);
    } catch (cause) {
      const { rule = "broken", message } = cause as Partial<Violation> & Error;
      throw new Violation(
        rule,
        `${scenario.name}, boundary ${point ?? "none"}: ${rule}: ${message}\n${
          life.trace.lines.join("\n")
        }`,
        { cause },
      );
    }
  }
}

async function once(
  scenario: Scenario,
  point: number | undefined,
  life: Simulation,
): Promise<Outcome> {
  try {
    life.isRestless = true;
    life.process.fuse = point ?? Infinity;
    await life.begin();
    for (const op of scriptOf(scenario).ops) await happen(life, op);
    const passedCount = life.passedCount + life.process.passedCount;
    await calmDown(life);
    checkSettled(life);
    const intentCount = point === undefined ? 0 : life.front.tokens.met();
    await checkEmptied(life);
    return { passedCount, intentCount };
  } finally {
    await life.close();
  }
}

function scriptOf({ world, acts }: Scenario): Script {
  return {
    seed: 1,
    world: { ...PLAIN, ...world },
    ops: acts.map((act, id) => ({ id, ...act })),
    without: [],
  };
}
