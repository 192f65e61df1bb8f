/**
 * Whether what the host mounts becomes visible here: read from the kernel's
 * list of mounts.
 *
 * @module
 */
import type { NetnsMount } from "./preflight_seen.ts";

/** Where runtimes mount the network namespaces of pods. */
export const NETNS_FOLDER = "/run/netns";

/** Fields before those that are optional. Source: proc_pid_mountinfo(5). */
const OPTIONAL_FROM = 6;
const MOUNT_POINT = 4;

/**
 * Finds the mount that a folder lies in.
 *
 * @example A container whose manifest says HostToContainer
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const mount = netnsMount(
 *   "900 880 0:25 /netns /run/netns rw,nosuid master:13 - tmpfs tmpfs rw\n",
 *   { isHost: false },
 * );
 * assertEquals(mount?.propagation, "slave");
 * ```
 * @param mountinfo The text of `/proc/self/mountinfo`.
 * @param options Whether the mounts are the host's own, if that is known, and
 * the folder, as it is after symbolic links.
 * @returns The mount; undefined when the text names none.
 */
export function netnsMount(
  mountinfo: string,
  { isHost, path = NETNS_FOLDER }: {
    readonly isHost?: boolean;
    readonly path?: string;
  } = {},
): NetnsMount | undefined {
  const over = mountinfo.split("\n").filter((line) => line !== "")
    .map(readMount).filter(({ mountPoint }) => isIn(path, mountPoint));
  // The deepest, and of several at one place the last, which hides the others.
  const mount = over.findLast(({ mountPoint }) =>
    mountPoint.length ===
      Math.max(...over.map((one) => one.mountPoint.length))
  );
  return mount &&
    { path, ...mount, ...isHost !== undefined && { isHost } };
}

function readMount(
  line: string,
): Pick<NetnsMount, "mountPoint" | "propagation"> {
  const fields = line.split(" ");
  const optional = fields.slice(OPTIONAL_FROM, fields.indexOf("-"));
  const has = (name: string): boolean =>
    optional.some((field) => field.startsWith(`${name}:`));
  return {
    mountPoint: unescape(fields[MOUNT_POINT] ?? ""),
    propagation: has("master") ? "slave" : has("shared") ? "shared" : "private",
  };
}

/** The kernel writes a blank, a tab, a line's end and a backslash as octal. */
function unescape(text: string): string {
  return text.replaceAll(
    /\\([0-7]{3})/g,
    (_, octal) => String.fromCharCode(parseInt(octal, 8)),
  );
}

function isIn(path: string, mountPoint: string): boolean {
  return mountPoint === "/" || path === mountPoint ||
    path.startsWith(`${mountPoint}/`);
}
