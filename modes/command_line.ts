/**
 * What all modes that people call have in common: they read a command line,
 * say what is wrong with it, and print.
 *
 * @module
 */

/** A mode, and how it is called. */
export interface Usage {
  /** Its name, as in `terway NAME`. */
  readonly mode: string;
  /** What `--help` prints, with its last line's end. */
  readonly usage: string;
}

/**
 * Reads a command line. A wrong one is told with the usage on stderr; one that
 * asks for help gets the usage on stdout.
 *
 * @typeParam Wish What a right one says.
 * @param usage The mode.
 * @param read Reads it; throws an error whose message says all that is wrong.
 * @returns The wish; or the exit status, as there is nothing left to do: 2 for
 * a wrong command line, 0 after help.
 */
export function readCommandLine<Wish extends { readonly help: boolean }>(
  { mode, usage }: Usage,
  read: () => Wish,
): Wish | number {
  let wish: Wish;
  try {
    wish = read();
  } catch (error) {
    print(Deno.stderr, `terway ${mode}: ${messageOf(error)}\n\n${usage}`);
    return 2;
  }
  if (!wish.help) return wish;
  print(Deno.stdout, usage);
  return 0;
}

/**
 * Gives what an error says.
 *
 * @param error Anything thrown.
 * @returns Its message, or the thing itself as text.
 */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Writes a text at once: a process that ends next loses nothing of it.
 *
 * @param stream `Deno.stdout` or `Deno.stderr`.
 * @param text With its last line's end.
 */
export function print(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  let rest = new TextEncoder().encode(text);
  // A pipe may take less than all of it at a time.
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}
