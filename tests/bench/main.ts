/**
 * `deno task bench [--json] [--rounds N] [--only PART,…]`: what terway costs,
 * as ratios against a peer that ran in between. Nothing here passes or fails.
 *
 * With `--json` the last line is one object, with the figures of every part;
 * of one that can't be measured here, with what is missing. A part that fails
 * is told, stops no other, and is the exit status 1.
 *
 * @module
 */
import { clusterPart } from "./cluster.ts";
import { type Command, readCommand, UsageError, usageOf } from "./arguments.ts";
import { concurrent } from "./concurrent.ts";
import { growth } from "./growth.ts";
import { guestPart } from "./guest.ts";
import { kernelWork } from "./kernel.ts";
import { memory } from "./memory.ts";
import { packets } from "./packets.ts";
import { findMissing } from "../packages.ts";
import type { Part } from "./part.ts";
import { pool } from "./pool.ts";
import { verbs } from "./verbs.ts";

/** In the order in which they run. */
const PARTS: readonly Part[] = [
  verbs,
  concurrent,
  kernelWork,
  growth,
  packets,
  memory,
  pool,
  guestPart,
  clusterPart,
];

async function main(): Promise<number> {
  try {
    const command = readCommand(Deno.args, PARTS.map(({ name }) => name));
    if (command.name === "help") {
      say(usageOf(PARTS).trimEnd());
      return 0;
    }
    requireRoot();
    return await measure(command);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    return 2;
  }
}

/** Every part makes namespaces. */
function requireRoot(): void {
  if (Deno.uid() === 0) return;
  throw new UsageError("Cannot measure as it needs root: sudo deno task bench");
}

async function measure(
  { only, roundCount, isJson }: Extract<Command, { name: "measure" }>,
): Promise<number> {
  const machine = {
    cpuCount: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    loadAverage: Deno.loadavg()[0],
  };
  say(
    `${machine.cpuCount} CPUs, Linux ${machine.kernel}, load ` +
      `${machine.loadAverage?.toFixed(2)}`,
  );
  let report: Readonly<Record<string, unknown>> = { machine };
  const failures: Record<string, string> = {};
  for (const part of PARTS) {
    if (only?.includes(part.name) === false) continue;
    say(`\n${part.title}`);
    const missing = await findMissing(part.needs);
    if (missing.length > 0) {
      const why = missing.map(({ name, why }) => `${name} (${why})`).join(", ");
      say(`not measured, as packages are missing: ${why}`);
      report = { ...report, [part.name]: { missing: why } };
      continue;
    }
    try {
      report = { ...report, ...await part.measure({ roundCount, say }) };
    } catch (error) {
      // The others' figures are worth having, and took an hour.
      failures[part.name] = String(error);
      say(`it failed: ${error}`);
    }
  }
  const isWhole = Object.keys(failures).length === 0;
  if (isJson) say(JSON.stringify(isWhole ? report : { ...report, failures }));
  return isWhole ? 0 : 1;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
}

if (import.meta.main) Deno.exit(await main());
