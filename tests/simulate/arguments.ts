/**
 * What `deno task simulate` was asked to do: its words, read once.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import {
  CALL_TROUBLES,
  OTHER_TROUBLES,
  type Trouble,
} from "../../pool/testing/world.ts";

/** What shall be done. */
export type Command =
  | { readonly name: "help" }
  /** Scenarios, in which the process dies at each boundary once. */
  | { readonly name: "crash points"; readonly scenario: string }
  /** One life, with its trace. */
  | {
    readonly name: "one";
    readonly seed: number;
    readonly stepCount: number;
    /** Which of its steps happen; all of them when undefined. */
    readonly keep: ReadonlySet<number> | undefined;
    readonly without: readonly Trouble[];
    readonly isQuiet: boolean;
    readonly shrinks: boolean;
  }
  /** Many lives, quietly, until one fails. */
  | {
    readonly name: "many";
    readonly firstSeed: number;
    readonly lastSeed: number;
    readonly stepCount: number;
    readonly without: readonly Trouble[];
    readonly shrinks: boolean;
  };

/** Words that can't be understood. */
export class UsageError extends Error {
  /** The class's name. */
  override readonly name = "UsageError";
}

const TROUBLES: readonly Trouble[] = [...CALL_TROUBLES, ...OTHER_TROUBLES];

/** What `deno task simulate` says about itself. */
export const USAGE: string =
  `deno task simulate: lives of a node in virtual time, by \
chance that can be had again

  --seed N         one life, and its trace (1)
  --steps M        so many things happen in it (200)
  --keep LIST      only these of its steps, such as 3,17-22
  --without LIST   no trouble of these kinds:
                   ${CALL_TROUBLES.join(" ")}
                   ${OTHER_TROUBLES.join(" ")}
  --seeds A..B     many lives, without their traces, until one fails
  --count N        so many, from --seed on
  --quiet          no trace of one life
  --crash-points   scenarios instead, each lived once for each boundary at which
                   the process may die
  --scenario TEXT  only those with this in their names
  --no-shrink      a failing life is shown as it is, not made smaller

The same words give the same trace, bit for bit; its hash is in the last line.
Ends with 1 when a promise is broken, and shows the smallest life that breaks
it and how to live it again.
`;

const SEED_LIMIT = 2 ** 32 - 1;
const STEP_LIMIT = 1_000_000;

/**
 * Reads a command line.
 *
 * @param words What followed `deno task simulate`.
 * @returns What to do.
 * @throws {UsageError} When it can't be understood.
 */
export function readCommand(words: readonly string[]): Command {
  const args = parseArgs([...words], {
    string: [
      "seed",
      "seeds",
      "steps",
      "count",
      "keep",
      "without",
      "scenario",
      "_",
    ],
    boolean: ["help", "quiet", "no-shrink", "crash-points"],
    alias: { h: "help" },
    unknown: (word) => {
      throw new UsageError(`Cannot understand ${word}: see --help`);
    },
  });
  if (args.help) return { name: "help" };
  if (args["crash-points"]) {
    return { name: "crash points", scenario: args.scenario ?? "" };
  }
  if (args.scenario !== undefined) {
    throw new UsageError("Cannot use --scenario without --crash-points");
  }
  const { seed, seeds, count, keep, without } = args;
  const more = {
    stepCount: whole("steps", args.steps ?? "200", [1, STEP_LIMIT]),
    without: kinds(without),
    shrinks: !args["no-shrink"],
  };
  if (seeds === undefined && count === undefined) {
    return {
      name: "one",
      seed: whole("seed", seed ?? "1", [0, SEED_LIMIT]),
      keep: keep === undefined ? undefined : places(keep, more.stepCount),
      isQuiet: args.quiet,
      ...more,
    };
  }
  if (keep !== undefined) {
    throw new UsageError("Cannot use --keep with many seeds: it is of one");
  }
  return { name: "many", ...range({ seed, seeds, count }), ...more };
}

function range(
  { seed, seeds, count }: {
    readonly seed: string | undefined;
    readonly seeds: string | undefined;
    readonly count: string | undefined;
  },
): { firstSeed: number; lastSeed: number } {
  if (seeds === undefined) {
    const firstSeed = whole("seed", seed ?? "1", [0, SEED_LIMIT]);
    const most = SEED_LIMIT - firstSeed + 1;
    const number = whole("count", count ?? "", [1, most]);
    return { firstSeed, lastSeed: firstSeed + number - 1 };
  }
  if (seed !== undefined || count !== undefined) {
    throw new UsageError("Cannot use --seeds with --seed or --count");
  }
  const [first, last, ...rest] = seeds.split("..");
  if (first === undefined || last === undefined || rest.length > 0) {
    throw new UsageError(`Cannot use --seeds ${seeds} as it must be A..B`);
  }
  const firstSeed = whole("seeds", first, [0, SEED_LIMIT]);
  return { firstSeed, lastSeed: whole("seeds", last, [firstSeed, SEED_LIMIT]) };
}

function whole(
  name: string,
  text: string,
  [least, most]: readonly [number, number],
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(
    `Cannot use --${name} ${text} as it must be ${least} to ${most}`,
  );
}

function kinds(text: string | undefined): Trouble[] {
  const names = (text ?? "").split(",").filter(Boolean);
  return names.map((name) => {
    const found = TROUBLES.find((kind) => kind === name);
    if (found !== undefined) return found;
    throw new UsageError(
      `Cannot use --without ${name} as it must be one of ${
        TROUBLES.join(", ")
      }`,
    );
  });
}

function places(text: string, stepCount: number): ReadonlySet<number> {
  const kept = new Set<number>();
  for (const part of text.split(",").filter(Boolean)) {
    const [first = "", last = first, ...rest] = part.split("-");
    if (rest.length > 0) {
      throw new UsageError(`Cannot use --keep ${part}: see --help`);
    }
    const from = whole("keep", first, [0, stepCount - 1]);
    const to = whole("keep", last, [from, stepCount - 1]);
    for (let at = from; at <= to; at++) kept.add(at);
  }
  return kept;
}

/**
 * Writes steps as `--keep` reads them.
 *
 * @param ids Places of steps, ascending.
 * @returns Such as `3,17-22`.
 */
export function keepList(ids: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < ids.length;) {
    let end = at;
    while (ids[end + 1] === (ids[end] ?? 0) + 1) end++;
    parts.push(end === at ? `${ids[at]}` : `${ids[at]}-${ids[end]}`);
    at = end + 1;
  }
  return parts.join(",");
}
