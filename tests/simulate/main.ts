/**
 * `deno task simulate`: lives of a node in virtual time.
 *
 * @module
 */
import { crashEverywhere } from "../../pool/testing/crash_points.ts";
import { type Life, live } from "../../pool/testing/live.ts";
import { type Script, scriptBy } from "../../pool/testing/ops.ts";
import { SCENARIOS } from "../../pool/testing/scenarios.ts";
import { Violation } from "../../pool/testing/violation.ts";
import { type Command, readCommand, USAGE, UsageError } from "./arguments.ts";
import { failureLines } from "./report.ts";

/** Between two lines of progress, for who waits. */
const PROGRESS_MS = 10_000;

type One = Extract<Command, { name: "one" }>;
type Many = Extract<Command, { name: "many" }>;

async function main(): Promise<number> {
  let command: Command;
  try {
    command = readCommand(Deno.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    complain(error.message);
    return 2;
  }
  switch (command.name) {
    case "help":
      say(USAGE.trimEnd());
      return 0;
    case "crash points":
      return await crashPoints(command.scenario);
    case "one":
      return await one(command);
    case "many":
      return await many(command);
  }
}

async function one(command: One): Promise<number> {
  const { seed, stepCount, keep, without, shrinks } = command;
  const drawn = scriptBy(seed, stepCount);
  const ops = drawn.ops.filter(({ id }) => keep?.has(id) ?? true);
  const script = { ...drawn, ops, without };
  const life = await live(script);
  const isWhole = keep === undefined;
  if (life.violation !== undefined && shrinks && isWhole) {
    return await fail(script, life, stepCount);
  }
  if (!command.isQuiet) { for (const line of life.trace) say(line); }
  const end = life.violation === undefined
    ? "nothing broken"
    : `broken: ${life.violation.rule}`;
  say(`seed ${seed}: ${countsOf(life)}; ${end}; trace ${life.hash}`);
  return life.violation === undefined ? 0 : 1;
}

async function many(command: Many): Promise<number> {
  const { firstSeed, lastSeed, stepCount, without, shrinks } = command;
  const startMs = performance.now();
  const sum = { stepCount: 0, leaseCount: 0, callCount: 0, killCount: 0 };
  let toldMs = startMs;
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const script = { ...scriptBy(seed, stepCount), without };
    const life = await live(script, { isQuiet: true });
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) {
      sum[name] += life[name];
    }
    if (life.violation !== undefined) {
      if (shrinks) return await fail(script, life, stepCount);
      say(`seed ${seed}: broken: ${life.violation.rule}`);
      return 1;
    }
    if (performance.now() - toldMs < PROGRESS_MS) continue;
    toldMs = performance.now();
    complain(`${seed - firstSeed + 1} seeds, ${sum.stepCount} steps`);
  }
  const perSecond = sum.stepCount / (performance.now() - startMs) * 1_000;
  say(
    `${lastSeed - firstSeed + 1} seeds: ${countsOf(sum)}; nothing broken; ` +
      `${Math.round(perSecond)} steps/s`,
  );
  return 0;
}

async function crashPoints(part: string): Promise<number> {
  const chosen = SCENARIOS.filter(({ name }) => name.includes(part));
  let [pointCount, intentCount] = [0, 0];
  for (const scenario of chosen) {
    try {
      const found = await crashEverywhere(scenario);
      pointCount += found.pointCount;
      intentCount += found.intentCount;
      say(`${scenario.name}: ${found.pointCount} crash points`);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const [first = "", ...trace] = error.message.split("\n");
      for (const line of trace) say(line);
      say(`broken: ${first}`);
      return 1;
    }
  }
  say(
    `${chosen.length} scenarios, ${pointCount} crash points, ${intentCount} ` +
      "open intents taken up; nothing broken",
  );
  return 0;
}

async function fail(
  script: Script,
  life: Life,
  stepCount: number,
): Promise<number> {
  const options = { stepCount, lineCount: Infinity };
  for (const line of await failureLines(script, life, options)) say(line);
  return 1;
}

function countsOf(
  life: Pick<Life, "stepCount" | "leaseCount" | "callCount" | "killCount">,
): string {
  const { stepCount, leaseCount, callCount, killCount } = life;
  return `${stepCount} steps, ${leaseCount} leases, ${callCount} calls, ` +
    `${killCount} kills`;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
}

function complain(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text + "\n"));
}

if (import.meta.main) Deno.exit(await main());
