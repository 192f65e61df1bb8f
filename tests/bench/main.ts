/**
 * `deno task bench [--json] [--rounds N] [--only PART,…]`: what terway costs,
 * as ratios against a peer that ran in between. Nothing here passes or fails.
 *
 * With `--json` the last line is one object, with the figures of every part.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { concurrent } from "./concurrent.ts";
import { growth } from "./growth.ts";
import { guestPart } from "./guest.ts";
import { kernelWork } from "./kernel.ts";
import { memory } from "./memory.ts";
import { packets } from "./packets.ts";
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
];

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    boolean: ["json"],
    string: ["rounds", "only"],
    default: { rounds: "60" },
  });
  const chosen = flags.only?.split(",") ?? PARTS.map(({ name }) => name);
  const unknown = chosen.filter((name) => !PARTS.some((p) => p.name === name));
  if (unknown.length > 0) {
    say(
      `there is no part ${unknown.join(", ")}: there are ` +
        PARTS.map(({ name }) => name).join(", "),
    );
    return 2;
  }
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
  for (const part of PARTS) {
    if (!chosen.includes(part.name)) continue;
    say(`\n${part.title}`);
    const roundCount = Number(flags.rounds);
    report = { ...report, ...await part.measure({ roundCount, say }) };
  }
  if (flags.json) say(JSON.stringify(report));
  return 0;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text + "\n"));
}

if (import.meta.main) Deno.exit(await main());
