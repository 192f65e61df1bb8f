/**
 * What the demo and the stage put on a terminal: steps, tables, a matrix.
 *
 * Texts are made by pure functions and written by one: colour is used only
 * where a terminal shows it.
 *
 * @module
 */

/** Writes texts; colour by what the output is. */
export class Printer {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;
  readonly #startMs: number = performance.now();
  #stepMs: number = performance.now();

  /**
   * Makes one.
   *
   * @param options Where texts go, and whether colour is wanted.
   */
  constructor(options: { write: (text: string) => void; colour: boolean }) {
    this.#write = options.write;
    this.#colour = options.colour;
  }

  /**
   * Makes one for standard output. Colour is used on a terminal that wants it.
   *
   * @returns The printer.
   * @see https://no-color.org
   */
  static stdout(): Printer {
    return new Printer({
      write: (text) => writeAll(new TextEncoder().encode(text)),
      colour: Deno.stdout.isTerminal() && !Deno.noColor,
    });
  }

  /**
   * Writes lines as they are.
   *
   * @param text One line or several.
   */
  say(text = ""): void {
    this.#write(text + "\n");
  }

  /**
   * Writes that a step is done, with the time since the step before it.
   *
   * @param text What is true now.
   */
  step(text: string): void {
    const nowMs = performance.now();
    const took = `${((nowMs - this.#stepMs) / 1000).toFixed(2)} s`;
    this.#stepMs = nowMs;
    this.say(`  ${this.#paint("32", "ok")}  ${took.padStart(7)}  ${text}`);
  }

  /**
   * Writes a heading with an empty line before it.
   *
   * @param text The heading.
   */
  heading(text: string): void {
    this.say(`\n${this.#paint("1", text)}`);
  }

  /** The time since this printer was made, in seconds. */
  get seconds(): string {
    return ((performance.now() - this.#startMs) / 1000).toFixed(1);
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/**
 * Lays rows out in columns; a column of figures is set to the right.
 *
 * @example Two columns
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   table(["pod", "ms"], [["a", "9.1"], ["bcde", "10.0"]]),
 *   "pod     ms\na      9.1\nbcde  10.0",
 * );
 * ```
 * @param head The columns' names.
 * @param rows As many cells in each as there are names.
 * @returns Lines without a newline at the end.
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const columns = head.map((name, at) => {
    const cells = rows.map((row) => row[at] ?? "");
    const isFigures = cells.length > 0 && cells.every(isFigure);
    const width = Math.max(...[name, ...cells].map((cell) => cell.length));
    return (cell: string): string =>
      isFigures ? cell.padStart(width) : cell.padEnd(width);
  });
  const line = (row: readonly string[]): string =>
    columns.map((pad, at) => pad(row[at] ?? "")).join("  ").trimEnd();
  return [line(head), ...rows.map(line)].join("\n");
}

/**
 * Draws who reaches whom: a row says who asks, a column whom.
 *
 * @example One that doesn't answer
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   matrix(["a", "b"], (from, to) => from === to || from === "a" ? 0.5 : undefined),
 *   "      a     b\na  0.50  0.50\nb     -  0.50",
 * );
 * ```
 * @param names Those who ask and are asked.
 * @param timeMs How long the answer took; `undefined` when none came.
 * @returns Lines without a newline at the end.
 */
export function matrix(
  names: readonly string[],
  timeMs: (from: string, to: string) => number | undefined,
): string {
  const cell = (from: string, to: string): string =>
    timeMs(from, to)?.toFixed(2) ?? "-";
  return table(
    ["", ...names.map((name) => name.padStart(4))],
    names.map((from) => [
      from,
      ...names.map((to) => cell(from, to).padStart(Math.max(4, to.length))),
    ]),
  );
}

/**
 * Says how the reader runs Deno: under npx there is none on the PATH.
 *
 * @returns A command to be followed by `task …` or `run …`.
 */
export function denoCommand(): string {
  const npx = Deno.env.get("npm_command") === "exec";
  return npx ? `npx -y deno@${Deno.version.deno}` : "deno";
}

/**
 * Counts things, in words.
 *
 * @param number How many.
 * @param noun What, in the singular.
 * @returns Such as `1 node` or `2 nodes`.
 */
export function count(number: number, noun: string): string {
  const plural = noun.endsWith("s") ? "es" : "s";
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : plural}`;
}

function isFigure(cell: string): boolean {
  return /^\s*(-|\d+(\.\d+)?)$/.test(cell);
}

/** A pipe may take less than it is given. */
function writeAll(bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length;) {
    sent += Deno.stdout.writeSync(bytes.subarray(sent));
  }
}
