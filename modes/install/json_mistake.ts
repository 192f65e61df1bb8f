/**
 * Where a text stops being JSON. `JSON.parse` tells that for some mistakes
 * only, and a person has to find the place in a file.
 *
 * @module
 */

/** A place in a text. */
export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** What stands there: a few characters, or nothing at the end. */
  readonly found: string;
}

/** What may come next. */
type Want = "value" | "value or ]" | "key" | "key or }" | ":" | ", or end";

/** A token; a text that isn't closed or has raw control characters is none. */
const TOKEN = new RegExp(
  [
    /[{}[\]:,]/,
    /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/u,
    /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/,
    /true|false|null/,
  ].map(({ source }) => source).join("|"),
  "yu",
);

const BLANKS = /[ \t\r\n]*/y;

/**
 * Finds the first place at which a text isn't JSON.
 *
 * @example A comma is missing
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(findMistake('{\n  "a": 1\n  "b": 2\n}'), {
 *   line: 3,
 *   column: 3,
 *   found: '"b": 2',
 * });
 * assertEquals(findMistake("[1, 2]"), undefined);
 * ```
 * @param text A text.
 * @returns The place; absent when the text is JSON.
 */
export function findMistake(text: string): Place | undefined {
  const open: string[] = [];
  let want: Want = "value";
  for (let at = skipBlanks(text, 0); at < text.length;) {
    const token = tokenAt(text, at);
    const next: Want | undefined = token === ""
      ? undefined
      : follow(want, token, open);
    if (next === undefined) return placeOf(text, at);
    want = next;
    at = skipBlanks(text, at + token.length);
  }
  const isWhole = want === ", or end" && open.length === 0;
  return isWhole ? undefined : placeOf(text, text.length);
}

/** What may come after a token; nothing when the token itself mayn't come. */
function follow(want: Want, token: string, open: string[]): Want | undefined {
  const isString = token.startsWith('"');
  switch (want) {
    case ":":
      return token === ":" ? "value" : undefined;
    case "key":
    case "key or }":
      if (isString) return ":";
      return want === "key or }" ? close("}", token, open) : undefined;
    case ", or end":
      if (token !== ",") return close(open.at(-1), token, open);
      if (open.length === 0) return undefined;
      return open.at(-1) === "}" ? "key" : "value";
    case "value or ]":
      if (token === "]") return close("]", token, open);
  }
  if (token === "{") return open.push("}"), "key or }";
  if (token === "[") return open.push("]"), "value or ]";
  return /^[}\]:,]/.test(token) ? undefined : ", or end";
}

function close(
  bracket: string | undefined,
  token: string,
  open: string[],
): Want | undefined {
  if (token !== bracket) return undefined;
  open.pop();
  return ", or end";
}

function skipBlanks(text: string, at: number): number {
  BLANKS.lastIndex = at;
  return at + (BLANKS.exec(text)?.[0].length ?? 0);
}

function tokenAt(text: string, at: number): string {
  TOKEN.lastIndex = at;
  return TOKEN.exec(text)?.[0] ?? "";
}

function placeOf(text: string, at: number): Place {
  const before = text.slice(0, at).split("\n");
  return {
    line: before.length,
    column: [...before.at(-1) ?? ""].length + 1,
    found: text.slice(at).split("\n", 1)[0]?.slice(0, 20).trimEnd() ?? "",
  };
}
