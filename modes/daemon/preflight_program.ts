/**
 * Runs a program of the host's network, such as `iptables-legacy`.
 *
 * @module
 */

/** How a program ended. */
export interface ProgramEnd {
  /** Whether with status 0. */
  readonly success: boolean;
  /** What it printed. */
  readonly stdout: string;
  /** What it complained of. */
  readonly stderr: string;
}

/**
 * Runs a program.
 *
 * @param program Its name.
 * @param args Its arguments.
 * @returns How it ended; undefined when it isn't installed.
 */
export type RunProgram = (
  program: string,
  args: readonly string[],
) => Promise<ProgramEnd | undefined>;

/** Another program may hold iptables' lock; this is far longer. */
const DEADLINE_MS = 5_000;

/**
 * Runs a program in this process's network namespace, for 5 s at most.
 *
 * @param program Its name.
 * @param args Its arguments.
 * @returns How it ended; undefined when it isn't installed.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
): Promise<ProgramEnd | undefined> {
  const text = new TextDecoder();
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      // A service's PATH may lack the folders of administration.
      env: { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin` },
      stdin: "null",
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).output();
    return {
      success,
      stdout: text.decode(stdout),
      stderr: text.decode(stderr),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
