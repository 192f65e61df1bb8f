/**
 * What a kernel or libnl says no with, by name.
 *
 * Callers decide by {@linkcode NetlinkError.errno}, never by a message. The
 * numbers are those of asm-generic, the same on x86-64 and arm64.
 *
 * @module
 */

/** Name and meaning by number. Source: asm-generic/errno-base.h and errno.h. */
export const ERRNO = {
  1: ["EPERM", "Operation not permitted"],
  2: ["ENOENT", "No such object"],
  3: ["ESRCH", "No such process or route"],
  4: ["EINTR", "Interrupted"],
  6: ["ENXIO", "No such device or address"],
  9: ["EBADF", "Bad file descriptor"],
  11: ["EAGAIN", "Try again"],
  12: ["ENOMEM", "Out of memory"],
  13: ["EACCES", "Permission denied"],
  14: ["EFAULT", "Bad address"],
  16: ["EBUSY", "Device or resource busy"],
  17: ["EEXIST", "Object exists"],
  19: ["ENODEV", "No such device"],
  20: ["ENOTDIR", "Not a directory"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in the system"],
  24: ["EMFILE", "Too many open files"],
  25: ["ENOTTY", "Inappropriate ioctl"],
  28: ["ENOSPC", "No space left"],
  30: ["EROFS", "Read-only file system"],
  34: ["ERANGE", "Out of range"],
  71: ["EPROTO", "Protocol error"],
  90: ["EMSGSIZE", "Message too long"],
  92: ["ENOPROTOOPT", "Protocol not available"],
  93: ["EPROTONOSUPPORT", "Protocol not supported"],
  95: ["EOPNOTSUPP", "Operation not supported"],
  97: ["EAFNOSUPPORT", "Address family not supported"],
  98: ["EADDRINUSE", "Address in use"],
  99: ["EADDRNOTAVAIL", "No such address"],
  100: ["ENETDOWN", "Network is down"],
  101: ["ENETUNREACH", "Network is unreachable"],
  105: ["ENOBUFS", "No buffer space"],
  107: ["ENOTCONN", "Not connected"],
  110: ["ETIMEDOUT", "Timed out"],
  113: ["EHOSTUNREACH", "No route to host"],
  // Past what Linux uses: libnl's "unspecific failure", and unlisted numbers.
  4096: ["EFAILURE", "Unspecific failure"],
} as const;

/** The name of an error, such as `EEXIST`; `EFAILURE` when none is known. */
export type Errno = (typeof ERRNO)[keyof typeof ERRNO][0];

const MEANING: ReadonlyMap<Errno, string> = new Map(Object.values(ERRNO));

/**
 * errno by libnl's code, as near as libnl tells (it folds ESRCH into
 * OBJ_NOTFOUND, and many more into FAILURE). Source: netlink/errno.h, 3.7.
 */
const LIBNL: Readonly<Record<number, Errno>> = {
  2: "EINTR",
  3: "EBADF",
  4: "EAGAIN",
  5: "ENOMEM",
  6: "EEXIST",
  7: "EINVAL",
  8: "ERANGE",
  9: "EMSGSIZE",
  10: "EOPNOTSUPP",
  11: "EAFNOSUPPORT",
  12: "ENOENT",
  19: "EADDRNOTAVAIL",
  25: "EBUSY",
  26: "EPROTONOSUPPORT",
  27: "EACCES",
  28: "EPERM",
  31: "ENODEV",
  33: "EINTR",
};

/** What a {@linkcode NetlinkError} is made of. */
export interface NetlinkFailure {
  /** What was tried, best as the `ip` command that does the same. */
  readonly op: string;
  /** Why not. */
  readonly errno: Errno;
  /** The kernel's own sentence (extended acknowledgement), when it gave one. */
  readonly detail?: string;
}

/**
 * The kernel or libnl refused.
 *
 * @example Decide by errno
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const error = new NetlinkError({ op: "ip link add a type veth", errno: "EEXIST" });
 * assertEquals(error.message, "Cannot run `ip link add a type veth`: EEXIST (Object exists)");
 * ```
 */
export class NetlinkError extends Error {
  /** Its class, also after a `postMessage`. */
  override readonly name = "NetlinkError";
  /** What was tried. */
  readonly op: string;
  /** Why not. */
  readonly errno: Errno;
  /** The kernel's own sentence, when it gave one. */
  readonly detail?: string;

  /**
   * Makes one.
   *
   * @param failure What was tried, and why not.
   * @param options The cause, when it is another error.
   */
  constructor(failure: NetlinkFailure, options?: ErrorOptions) {
    const { op, errno, detail } = failure;
    const meaning = detail ?? MEANING.get(errno);
    super(`Cannot run \`${op}\`: ${errno} (${meaning})`, options);
    this.op = op;
    this.errno = errno;
    if (detail !== undefined) this.detail = detail;
  }
}

/**
 * Names an errno.
 *
 * @param number As the kernel gives it, sign dropped.
 * @returns Its name; `EFAILURE` when it isn't listed.
 */
export function errnoName(number: number): Errno {
  const table: Readonly<Record<number, readonly [Errno, string]>> = ERRNO;
  return table[Math.abs(number)]?.[0] ?? "EFAILURE";
}

/**
 * Names what libnl returned.
 *
 * @param code A negative NLE_* code.
 * @returns The errno that comes nearest.
 */
export function errnoOfLibnl(code: number): Errno {
  return LIBNL[Math.abs(code)] ?? "EFAILURE";
}

/** What the kernel answers when that which shall go isn't there. */
const GONE: ReadonlySet<Errno> = new Set(
  ["ENODEV", "ENOENT", "ESRCH", "ENXIO", "EADDRNOTAVAIL"],
);

/**
 * Tells whether an error says that an object isn't there.
 *
 * @param error Anything thrown.
 * @returns True for a {@linkcode NetlinkError} of that meaning.
 */
export function isGone(error: unknown): boolean {
  return error instanceof NetlinkError && GONE.has(error.errno);
}

/**
 * Tells whether an error says that an object is there already.
 *
 * @param error Anything thrown.
 * @returns True for a {@linkcode NetlinkError} of that meaning.
 */
export function isThere(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === "EEXIST";
}

/**
 * Makes an undoing that is content when there is nothing left to undo.
 *
 * @param undo What shall be forgiven when its object is gone.
 * @returns The undoing.
 */
export function forgiving(undo: () => void): () => void {
  return () => {
    try {
      undo();
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  };
}
