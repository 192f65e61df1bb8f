/**
 * What `deno task bench` was asked to do: its words, read once.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";

/** What shall be done. */
export type Command =
  | { readonly name: "help" }
  | {
    readonly name: "measure";
    /** The parts, as they were named; all of them when absent. */
    readonly only?: readonly string[];
    /** How many rounds count. */
    readonly roundCount: number;
    /** Whether the last line is one object. */
    readonly isJson: boolean;
  };

/** A command line that can't be understood. */
export class UsageError extends Error {
  /** Its class. */
  override readonly name = "UsageError";
}

/** Enough for medians that hold on a machine with other work. */
const ROUND_COUNT = 60;

/** Some hours. */
const ROUND_LIMIT = 10_000;

/**
 * Says what `deno task bench` is.
 *
 * @param parts What can be measured: names and titles.
 * @returns Lines for people.
 */
export function usageOf(
  parts: readonly { readonly name: string; readonly title: string }[],
): string {
  const lines = parts.map(({ name, title }) => `  ${name.padEnd(17)} ${title}`);
  return `deno task bench: what terway costs, each beside a peer that runs in \
between

  --only PART,…   these parts alone, of the list below
  --rounds N      rounds that count (${ROUND_COUNT}; 1 to ${ROUND_LIMIT})
  --json          the last line is one object with every part's figures

${lines.join("\n")}

It needs root, and makes namespaces of its own. A part that can't be measured
here says what is missing. On a busy machine: chrt -r 5 deno task bench …
`;
}

/**
 * Reads a command line.
 *
 * @param words What followed `deno task bench`.
 * @param parts The names of all parts.
 * @returns What to do.
 * @throws {UsageError} When it can't be understood.
 */
export function readCommand(
  words: readonly string[],
  parts: readonly string[],
): Command {
  const args = parseArgs([...words], {
    string: ["rounds", "only"],
    boolean: ["help", "json"],
    alias: { h: "help" },
    unknown: (word) => {
      throw new UsageError(`Cannot understand ${word}: see --help`);
    },
  });
  if (args.help) return { name: "help" };
  const only = args.only?.split(",");
  const unknown = (only ?? []).filter((name) => !parts.includes(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `Cannot use --only ${args.only} as there is no part ` +
        `"${unknown.join('", "')}": there are ${parts.join(", ")}`,
    );
  }
  return {
    name: "measure",
    ...only !== undefined && { only },
    roundCount: readCount(args.rounds),
    isJson: args.json,
  };
}

function readCount(text: string | undefined): number {
  if (text === undefined) return ROUND_COUNT;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= ROUND_LIMIT) return count;
  throw new UsageError(
    `Cannot use --rounds ${text} as it must be 1 to ${ROUND_LIMIT}`,
  );
}
