/**
 * Commands that run inside a namespace, as a person would run them there.
 *
 * @module
 */
import type { Ip } from "../../netns/ip.ts";
import { openNamespace, within } from "../../netns/namespace.ts";

/** A connection within one machine takes a millisecond. */
const CONNECT_DEADLINE_MS = 3_000;

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

/**
 * Connects by TCP, and lets the server say whom it sees.
 *
 * @param server Its namespace, and the address that it listens on.
 * @param clientNetns The namespace that calls.
 * @param target What is called; the server's own address unless told.
 * @returns The client's address as the server saw it; empty when the client
 * didn't get through.
 */
export async function seenBy(
  server: { netns: string; ip: Ip },
  clientNetns: string,
  target: Ip = server.ip,
): Promise<string> {
  using namespace = openNamespace(server.netns);
  using listener = within(
    namespace,
    () => Deno.listen({ hostname: server.ip, port: 8080 }),
  );
  const call = runIn(clientNetns, [
    "timeout",
    String(CONNECT_DEADLINE_MS / 1_000),
    "bash",
    "-c",
    `exec 3<>/dev/tcp/${target}/8080 && cat <&3`,
  ]);
  const accepted = listener.accept();
  const conn = await Promise.race([accepted, call]);
  if (!("remoteAddr" in conn)) {
    accepted.catch(() => {}); // the listener closes, and nobody waits
    return "";
  }
  await conn.write(new TextEncoder().encode(conn.remoteAddr.hostname));
  conn.close();
  return (await call).stdout;
}
