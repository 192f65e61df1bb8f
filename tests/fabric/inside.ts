/**
 * Commands that run inside a namespace, as a person would run them there.
 *
 * @module
 */
import type { Ip } from "../../netns/ip.ts";

/**
 * Runs a command in a namespace.
 *
 * @param netns The namespace's path.
 * @param command The program and its arguments.
 * @returns What it printed.
 */
export async function runIn(
  netns: string,
  command: readonly string[],
): Promise<{ success: boolean; stdout: string }> {
  const { success, stdout } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, ...command],
    stderr: "null",
  }).output();
  return { success, stdout: new TextDecoder().decode(stdout) };
}

/**
 * Pings, three times within half a second.
 *
 * @param netns From this namespace.
 * @param ip To this address.
 * @param more More options of ping(8).
 * @returns How many answers came.
 */
export async function ping(
  netns: string,
  ip: Ip,
  more: readonly string[] = [],
): Promise<number> {
  const command = ["ping", "-q", "-n", "-c3", "-i0.1", "-W0.3", ...more, ip];
  const { stdout } = await runIn(netns, command);
  return Number(/(\d+) received/.exec(stdout)?.[1]);
}
