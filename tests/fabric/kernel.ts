/**
 * What every namespace needs first: its loopback, its kernel settings.
 *
 * @module
 */
import { setLink } from "../../netns/link.ts";
import {
  type Namespace,
  openNamespace,
  within,
} from "../../netns/namespace.ts";
import { openRoutes } from "../../netns/socket.ts";

/** `lo` is the first link of every namespace. Source: net/core/dev.c. */
export const LOOPBACK_INDEX = 1;

/**
 * Writes settings below `/proc/sys/net`, which shows a thread the namespace
 * that it is in.
 *
 * @param namespace Where.
 * @param values By path, such as `ipv4/ip_forward`.
 */
export function writeSysctls(
  namespace: Namespace,
  values: Readonly<Record<string, string>>,
): void {
  within(namespace, () => {
    for (const [path, value] of Object.entries(values)) {
      Deno.writeTextFileSync(`/proc/sys/net/${path}`, value);
    }
  });
}

/**
 * Brings a namespace's loopback up, as a runtime does for a sandbox.
 *
 * @param netns The namespace's path.
 */
export function bringLoopbackUp(netns: string): void {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  setLink(routes, LOOPBACK_INDEX, { up: true });
}
