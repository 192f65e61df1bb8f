/**
 * What a broken promise is told with: the smallest life that breaks it, and
 * how to live it again.
 *
 * @module
 */
import type { Life } from "../../pool/testing/live.ts";
import type { Script } from "../../pool/testing/ops.ts";
import { smallest } from "../../pool/testing/smallest.ts";
import { keepList } from "./arguments.ts";

/**
 * Writes the command that lives a life again.
 *
 * @param script The life, as drawn from its seed or less of it.
 * @param stepCount How many steps were drawn.
 * @returns The command.
 */
export function commandOf(script: Script, stepCount: number): string {
  const words = [`deno task simulate --seed ${script.seed}`];
  words.push(`--steps ${stepCount}`);
  if (script.ops.length < stepCount) {
    words.push(`--keep ${keepList(script.ops.map(({ id }) => id))}`);
  }
  if (script.without.length > 0) {
    words.push(`--without ${script.without.join(",")}`);
  }
  return words.join(" ");
}

/**
 * Makes a failing life smaller, and tells it.
 *
 * @param script The life.
 * @param failed What came of it.
 * @param options How many steps were drawn; how many lines of the trace are
 * told, from its end.
 * @returns Lines for people.
 */
export async function failureLines(
  script: Script,
  failed: Life,
  options: { readonly stepCount: number; readonly lineCount: number },
): Promise<string[]> {
  const { stepCount, lineCount } = options;
  const found = await smallest(script, failed);
  const { violation, trace } = found.life;
  return [
    ...trace.slice(-lineCount),
    "",
    `broken: ${violation?.rule}: ${violation?.message}`,
    `found by ${commandOf(script, stepCount)}`,
    `smallest of ${found.tryCount} lives, ${found.script.ops.length} steps: ${
      commandOf(found.script, stepCount)
    }`,
    `to keep it, put this into pool/testing/regressions.ts: ${
      JSON.stringify(found.script)
    }`,
  ];
}
