/**
 * What people write into `eni_conf` that belongs to no format: the documents'
 * annotations. A blank and `//…` to the end of a line is dropped, with a word
 * about it; an arrow `<-----` or a `...` that was copied along is refused, as
 * it stands for something that only the writer knows.
 *
 * @module
 */
import type { ConfigProblem } from "./eni_conf_problem.ts";

/** A text without annotations. */
export interface StrippedText {
  /** The rest; each line is where it was. */
  readonly text: string;
  /** The lines that had an annotation, from 1. */
  readonly annotatedLines: readonly number[];
  /** What must not stand there. */
  readonly problems: readonly ConfigProblem[];
}

/** The mark of a quoted text that is still open, or nothing. */
type Quote = '"' | "'" | "";

/** One line, read up to what ends it. */
interface ScannedLine {
  /** What is still open at its end. */
  readonly quote: Quote;
  /** Where the annotation or the left-over begins, from 0. */
  readonly at?: number;
  /** The left-over that begins there, unless it is an annotation. */
  readonly leftover?: string;
}

/** Only here can a quote begin: elsewhere it is an apostrophe. */
const BEFORE_QUOTE = /[\s,:[{]/;

/**
 * Drops annotations, and finds what was left over from a document.
 *
 * Quoted texts and YAML's own comments (`#`) are left alone.
 *
 * @example An annotation ends its line
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { text, annotatedLines } = stripAnnotations(
 *   'max_pool_size: 5  //optional\nurl: "http://x //y"',
 * );
 * assertEquals(text, 'max_pool_size: 5\nurl: "http://x //y"');
 * assertEquals(annotatedLines, [1]);
 * ```
 * @param text JSON or YAML, as people write it.
 * @returns The rest; lines end with `\n`.
 */
export function stripAnnotations(text: string): StrippedText {
  const kept: string[] = [];
  const annotatedLines: number[] = [];
  const problems: ConfigProblem[] = [];
  let quote: Quote = "";
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    const scanned: ScannedLine = scanLine(line, quote);
    quote = scanned.quote;
    kept.push(
      scanned.at === undefined ? line : line.slice(0, scanned.at).trimEnd(),
    );
    if (scanned.at === undefined) continue;
    if (scanned.leftover === undefined) annotatedLines.push(index + 1);
    else {
      problems.push({
        path: `line ${index + 1}, column ${scanned.at + 1}`,
        rule: `must not hold ${scanned.leftover}, which documents use for ` +
          "what they leave out or point at: write what is meant, or nothing",
        value: "",
      });
    }
  }
  return { text: kept.join("\n"), annotatedLines, problems };
}

function scanLine(line: string, open: Quote): ScannedLine {
  let quote = open;
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    if (quote !== "") {
      // A backslash, or a doubled single quote, takes its neighbour along.
      const pair = quote === '"' ? char === "\\" : line.startsWith("''", at);
      if (pair) at++;
      else if (char === quote) quote = "";
      continue;
    }
    const before = at === 0 ? " " : line.charAt(at - 1);
    if ((char === '"' || char === "'") && BEFORE_QUOTE.test(before)) {
      quote = char;
    } else if (/\s/.test(before)) {
      if (char === "#") return { quote };
      if (line.startsWith("//", at)) return { quote, at };
    }
    const leftover = leftoverAt(line, at);
    if (leftover !== undefined) return { quote, at, leftover };
  }
  return { quote };
}

function leftoverAt(line: string, at: number): string | undefined {
  const rest = line.slice(at);
  const arrow = /^<-{2,}/.exec(rest)?.[0];
  if (arrow !== undefined) return arrow;
  const alone = at === 0 || BEFORE_QUOTE.test(line.charAt(at - 1));
  return alone ? /^\.\.\.(?=[\s,\]}]|$)/.exec(rest)?.[0] : undefined;
}
