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
 * @param target What is called; the server itself unless told.
 * @returns The client's address as the server saw it; empty when the client
 * didn't get through.
 */
export async function seenBy(
  server: { netns: string; ip: Ip },
  clientNetns: string,
  target: { ip: Ip; port: number } = { ip: server.ip, port: 8080 },
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
    `exec 3<>/dev/tcp/${target.ip}/${target.port} && cat <&3`,
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

/**
 * Makes a node's service address lead to a backend, as kube-proxy does: the
 * destination is translated, and the source too unless it is a pod's that the
 * cluster knows.
 *
 * @param nodeNetns The node's namespace.
 * @param service The service's address, port 80, and its backend, port 8080;
 * whether the source is left, as of a pod of the cluster.
 */
export async function addService(
  nodeNetns: string,
  { ip, backend, keepsSource = false }: {
    ip: Ip;
    backend: Ip;
    keepsSource?: boolean;
  },
): Promise<void> {
  const family = ip.includes(":") ? "ip6" : "ip";
  const to = family === "ip6" ? `[${backend}]:8080` : `${backend}:8080`;
  const mark = keepsSource ? "" : "meta mark set 0x4000";
  const rules = `table ${family} service {
    chain to { type nat hook prerouting priority dstnat;
      ${family} daddr ${ip} tcp dport 80 ${mark} dnat to ${to}; }
    chain from { type nat hook postrouting priority srcnat;
      meta mark 0x4000 masquerade; }
  }`;
  const { success } = await runIn(nodeNetns, ["nft", rules]);
  if (!success) throw new Error(`Cannot make ${ip} a service's address`);
}
