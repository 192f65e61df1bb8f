/**
 * Settings of a namespace's kernel: what `sysctl` does, for those that netlink
 * can't make (all of IPv6's). `conf.ts` makes the others.
 *
 * `/proc/sys/net` shows the namespace of the thread that opens a file, so the
 * thread goes inside for each of them, synchronously. A container that isn't
 * privileged can't write there: a manifest mounts the host's at another place.
 *
 * @module
 */
import { ERRNO, type Errno, isGone, NetlinkError } from "./errno.ts";
import { type Namespace, within } from "./namespace.ts";

/** A setting and what it shall be. */
export interface Sysctl {
  /** Such as `net/ipv6/conf/eth1/accept_ra`. */
  readonly key: string;
  /** As the kernel shows it. */
  readonly value: string;
}

/** Settings that aren't of the network are the whole machine's. */
const KEY = /^net(\/[A-Za-z0-9_][A-Za-z0-9_.:@-]*)+$/;

/**
 * Where a container has the host's settings, that it may write; and where all
 * others have them. A mount of the folder goes by the thread too.
 */
const MOUNTED = "/host/proc/sys";
const OWN = "/proc/sys";

let root: string | undefined;

const NAMES: ReadonlySet<string> = new Set(
  Object.values(ERRNO).map(([name]) => name),
);

/**
 * Reads a setting.
 *
 * Equivalent to: `sysctl -n $key`
 *
 * @param key Such as `net/ipv6/conf/eth1/accept_ra`.
 * @param namespace Where; this thread's own when absent.
 * @returns Its value; undefined when there is no such setting, as for a link that is gone.
 * @throws {NetlinkError} When it can't be read.
 * @throws {SyntaxError} When the key isn't one of the network.
 */
export function readSysctl(
  key: string,
  namespace?: Namespace,
): string | undefined {
  const path = pathOf(key);
  try {
    const read = (): string => Deno.readTextFileSync(path);
    const text = namespace === undefined
      ? read()
      : within<string>(namespace, read);
    return text.trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw refusal(`sysctl ${key}`, error);
  }
}

/**
 * Writes a setting.
 *
 * Equivalent to: `sysctl $key=$value`
 *
 * @param setting The setting and its value.
 * @param namespace Where; this thread's own when absent.
 * @throws {NetlinkError} `ENOENT` when there is no such setting, `EROFS` or `EACCES` when this container mayn't write it.
 * @throws {SyntaxError} When the key isn't one of the network.
 */
export function writeSysctl(setting: Sysctl, namespace?: Namespace): void {
  const { key, value } = setting;
  const path = pathOf(key);
  try {
    const write = (): void =>
      // Never made: a name that isn't there is a setting that isn't there.
      Deno.writeTextFileSync(path, value, { create: false });
    if (namespace === undefined) write();
    else within<void>(namespace, write);
  } catch (error) {
    throw refusal(`sysctl ${key}=${value}`, error);
  }
}

/**
 * Reads many settings.
 *
 * @param keys Such as `net/ipv4/ip_forward`.
 * @param namespace Where; this thread's own when absent.
 * @returns Values by key; a setting that isn't there is left out.
 * @throws {NetlinkError} When one can't be read.
 */
export function readSettings(
  keys: readonly string[],
  namespace?: Namespace,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const key of keys) {
    const value = readSysctl(key, namespace);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}

/**
 * Writes many settings, in order; one that isn't there is passed over.
 *
 * @param settings Keys and values.
 * @param namespace Where; this thread's own when absent.
 * @throws {NetlinkError} When one can't be written; those before it are.
 */
export function writeSettings(
  settings: readonly Sysctl[],
  namespace?: Namespace,
): void {
  for (const setting of settings) {
    try {
      writeSysctl(setting, namespace);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

function pathOf(key: string): string {
  root ??= isFolder(`${MOUNTED}/net`) ? MOUNTED : OWN;
  if (KEY.test(key)) return `${root}/${key}`;
  throw new SyntaxError(
    `Cannot use a setting as it must be net/…: it is "${key}"`,
  );
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    // Not mounted, or not to be seen, which comes to the same.
    return false;
  }
}

/** A system's error as the rest of `netns/` tells them; others unchanged. */
function refusal(op: string, cause: unknown): unknown {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  if (typeof code !== "string" || !NAMES.has(code)) return cause;
  return new NetlinkError({ op, errno: code as Errno }, { cause });
}
