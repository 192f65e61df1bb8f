/**
 * Network namespaces, and the one way to be inside one.
 *
 * A thread enters synchronously, opens a socket or writes a sysctl, and comes
 * home; a netlink socket keeps serving the namespace that it was made in. Work
 * that is begun inside and ends later (a promise, a `nonblocking` call) would
 * leave threads of the runtime in a pod's namespace for good: the type of
 * {@linkcode within} doesn't let it compile.
 *
 * @module
 */
import { dirname } from "node:path";
import { type Errno, NetlinkError } from "./errno.ts";
import { checkErrno, cString, libc } from "./ffi.ts";

/** Source: linux/sched.h. */
const CLONE_NEWNET = 0x40000000;
/** The file system of namespaces. Source: linux/magic.h. */
const NSFS_MAGIC = 0x6e736673n;
/** Asks an nsfs file for its kind. Source: linux/nsfs.h, ioctl_ns(2). */
const NS_GET_NSTYPE = 0xb703n;
/** Source: asm-generic/fcntl.h; the same on x86-64 and arm64. */
const O_RDONLY_CLOEXEC = 0o2000000;
/** Source: sys/mount.h. */
const MS_BIND = 4096n;
/** Source: umount2(2). */
const MNT_DETACH = 2;
/** This thread's own namespace, not the main thread's. */
const OWN_NAMESPACE = "/proc/thread-self/ns/net";
/** EX_OSERR: the exit status of a process that couldn't come home. */
const LOST_STATUS = 71;

/** Why a path can't serve as a pod's namespace. */
export type NamespaceProblem = "missing" | "notNamespace" | "own" | "denied";

const PROBLEMS: Readonly<Record<NamespaceProblem, string>> = {
  missing: "it does not exist",
  notNamespace: "it is not a network namespace",
  own: "it is this process's own network namespace",
  denied: "access is denied",
};

/** A path can't serve as a pod's namespace. */
export class NamespaceError extends Error {
  /** Its class, also after a `postMessage`. */
  override readonly name = "NamespaceError";
  /** Why. */
  readonly problem: NamespaceProblem;
  /** Which. */
  readonly path: string;

  /**
   * Makes one.
   *
   * @param problem Why.
   * @param path Which.
   * @param options The cause, when it is another error.
   */
  constructor(problem: NamespaceProblem, path: string, options?: ErrorOptions) {
    super(`Cannot use namespace ${path}: ${PROBLEMS[problem]}`, options);
    this.problem = problem;
    this.path = path;
  }
}

/** A network namespace held open: it lives as long as this. */
export class Namespace implements Disposable {
  /** An open file descriptor; what netlink names the namespace by. */
  readonly fd: number;
  /** The path that was opened. */
  readonly path: string;
  /** Its inode, which identifies it while it lives. */
  readonly inode: bigint;
  #closed = false;

  /**
   * Takes a file descriptor over.
   *
   * @param file The descriptor and what it was opened from.
   */
  constructor(file: { fd: number; path: string; inode: bigint }) {
    this.fd = file.fd;
    this.path = file.path;
    this.inode = file.inode;
  }

  /** Closes the descriptor; a second time does nothing. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    libc().close(this.fd);
  }
}

/**
 * Opens a namespace, and makes sure that it is one.
 *
 * A path of which the bind mount isn't visible here is an ordinary empty file:
 * that is `notNamespace`, which doesn't prove that the pod is gone.
 *
 * @param path Such as `/run/netns/cni-…`.
 * @returns The namespace; close it by `using`.
 * @throws {NamespaceError} When it can't serve as a pod's namespace.
 */
export function openNamespace(path: string): Namespace {
  const fd = openFile(path);
  try {
    if (!isNetworkNamespace(fd)) throw new NamespaceError("notNamespace", path);
    const inode = inodeOf(`/proc/self/fd/${fd}`);
    if (inode === home().inode) throw new NamespaceError("own", path);
    return new Namespace({ fd, path, inode });
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/**
 * Tells whether a path is a namespace's, by a look that opens nothing and
 * needs no library: fit for a thread that may not be held up.
 *
 * Its kind isn't looked at: who opens it will.
 *
 * @param path Such as `/run/netns/$name`.
 * @returns Its inode; undefined for anything else, and for this thread's own.
 */
export function glanceAtNamespace(path: string): bigint | undefined {
  try {
    // Every namespace is a file of the one nsfs. Source: namespaces(7).
    const own = Deno.statSync(OWN_NAMESPACE);
    const { dev, ino } = Deno.statSync(path);
    if (dev !== own.dev || ino === own.ino || ino === null) return undefined;
    return BigInt(ino);
  } catch {
    return undefined;
  }
}

/** What can be done inside a namespace: nothing that ends later. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * Runs `work` with this thread inside a namespace, and comes home whatever
 * happens. When the kernel doesn't let it home the process ends at once: all
 * that it would do from then on would be done to a pod.
 *
 * @example Open a socket that serves a pod for good
 * ```ts ignore
 * const socket = within<RouteSocket>(pod, () => RouteSocket.open());
 * ```
 * @typeParam T What the work returns; a promise doesn't compile.
 * @param namespace Where.
 * @param work Opens a socket, or writes a sysctl.
 * @returns What the work returned.
 * @throws {NetlinkError} When the namespace can't be entered.
 */
export function within<T>(namespace: Namespace, work: () => Sync<T>): Sync<T> {
  home();
  const entered = libc().setns(namespace.fd, CLONE_NEWNET);
  checkErrno(`nsenter --net=${namespace.path}`, entered);
  try {
    return work();
  } finally {
    comeHome();
  }
}

/**
 * Makes a namespace that a path keeps alive, the parent folder too.
 *
 * Equivalent to: `ip netns add $name`, for `/run/netns/$name`.
 *
 * @param path Where it is mounted; mustn't exist.
 * @throws {NetlinkError} `EEXIST` when the path is taken, `EPERM` without the right.
 */
export function createNamespace(path: string): void {
  home();
  const op = `ip netns add ${path}`;
  Deno.mkdirSync(dirname(path), { recursive: true });
  try {
    Deno.writeTextFileSync(path, "", { createNew: true });
  } catch (cause) {
    const errno = cause instanceof Deno.errors.AlreadyExists
      ? "EEXIST"
      : "EACCES";
    throw new NetlinkError({ op, errno }, { cause });
  }
  try {
    checkErrno(op, libc().unshare(CLONE_NEWNET));
    try {
      checkErrno(op, bind(OWN_NAMESPACE, path));
    } finally {
      comeHome();
    }
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
}

/**
 * Takes a namespace's path away; it dies when no process is left in it.
 *
 * Equivalent to: `ip netns delete $name`. Removing what isn't there succeeds.
 *
 * @param path Where it is mounted.
 */
export function removeNamespace(path: string): void {
  // Unmounting fails when it is gone or never was a mount: the file decides.
  libc().umount2(cString(path), MNT_DETACH);
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** This thread's own namespace, opened before the thread first leaves it. */
let homeNamespace: Namespace | undefined;

function home(): Namespace {
  return homeNamespace ??= new Namespace({
    fd: openFile(OWN_NAMESPACE),
    path: OWN_NAMESPACE,
    inode: inodeOf(OWN_NAMESPACE),
  });
}

/**
 * Gives the namespace that this thread is at home in, for netlink messages
 * that name it. It is the thread's own: don't close it.
 *
 * @returns Open until {@linkcode closeHome}.
 */
export function ownNamespace(): Namespace {
  return home();
}

/**
 * Closes what this thread knows its own namespace by, as a Worker that ends
 * must: descriptors belong to the process. It is opened again when needed.
 */
export function closeHome(): void {
  homeNamespace?.[Symbol.dispose]();
  homeNamespace = undefined;
}

function comeHome(): void {
  if (libc().setns(home().fd, CLONE_NEWNET) === 0) return;
  // Deno.exit() in a Worker ends only the Worker; the thread would live on.
  Deno.stderr.writeSync(cString("Cannot leave a pod's network namespace\n"));
  libc()._exit(LOST_STATUS);
}

function openFile(path: string): number {
  try {
    const fd = libc().open(cString(path), O_RDONLY_CLOEXEC);
    return checkErrno(`open ${path}`, fd);
  } catch (cause) {
    if (!(cause instanceof NetlinkError)) throw cause;
    const problem = OPEN_PROBLEMS[cause.errno];
    if (problem === undefined) throw cause;
    throw new NamespaceError(problem, path, { cause });
  }
}

const OPEN_PROBLEMS: Partial<Record<Errno, NamespaceProblem>> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EACCES: "denied",
  EPERM: "denied",
  // Opening a device or a socket file: it is something else for sure.
  ENXIO: "notNamespace",
};

function isNetworkNamespace(fd: number): boolean {
  // struct statfs is 120 bytes on both architectures; f_type comes first.
  const statfs = new BigInt64Array(15);
  if (libc().fstatfs(fd, statfs) !== 0 || statfs[0] !== NSFS_MAGIC) {
    return false;
  }
  return libc().ioctl(fd, NS_GET_NSTYPE, null) === CLONE_NEWNET;
}

function inodeOf(path: string): bigint {
  return BigInt(Deno.statSync(path).ino ?? 0);
}

function bind(from: string, to: string): number {
  return libc().mount(
    cString(from),
    cString(to),
    cString("none"),
    MS_BIND,
    null,
  );
}
