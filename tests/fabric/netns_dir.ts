/**
 * The folder of named network namespaces, as `ip netns` keeps it.
 *
 * @module
 */
import { removeNamespace } from "../../netns/namespace.ts";

/** Where named namespaces are. Source: ip-netns(8). */
export const NETNS_DIR = "/run/netns";

/**
 * Makes the folder a mount of its own that is shared with others, as the
 * first `ip netns add` does. Were it left to that, a later one would bind the
 * folder over itself, and the namespaces of before would be mounted twice.
 *
 * It stays, as it does after `ip netns`.
 */
export async function shareNetnsDir(): Promise<void> {
  await Deno.mkdir(NETNS_DIR, { recursive: true });
  const script = `grep -q ' ${NETNS_DIR} ' /proc/self/mountinfo ||
    { mount --bind ${NETNS_DIR} ${NETNS_DIR} &&
      mount --make-shared ${NETNS_DIR}; }`;
  // `ip netns add` takes the same lock.
  const { success, stderr } = await new Deno.Command("flock", {
    args: [NETNS_DIR, "sh", "-c", script],
  }).output();
  if (success) return;
  throw new Error(
    `Cannot share ${NETNS_DIR}: ${new TextDecoder().decode(stderr).trim()}`,
  );
}

/**
 * Gives the path of a named namespace.
 *
 * @param name Its name.
 * @returns The path.
 */
export function netnsPath(name: string): string {
  return `${NETNS_DIR}/${name}`;
}

/**
 * Removes every namespace whose name begins so, whoever made it: for what a
 * killed process left.
 *
 * @param prefix How the names begin.
 * @returns The names that were removed.
 */
export function removeNamespaces(prefix: string): string[] {
  const removed: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(NETNS_DIR)) {
      if (!name.startsWith(prefix)) continue;
      removeNamespace(netnsPath(name));
      removed.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return removed;
}
