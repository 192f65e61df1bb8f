/**
 * The door to C: the only place that opens a shared library.
 *
 * Libraries open at first use, by soname, so that a process that never touches
 * the kernel loads none. libnl-3 must be open before libnl-route-3: glibc then
 * satisfies the latter's need by the soname already there.
 *
 * What libnl allocates is an {@linkcode Owned}, freed by `using`. libnl ends
 * the whole process on some misuse (a failed `assert` is SIGABRT), so callers
 * pass what they have checked, and never a null pointer.
 *
 * @module
 */
import { errnoName, errnoOfLibnl, NetlinkError } from "./errno.ts";
import {
  LIBC,
  LIBC_ASIDE,
  LIBNFTABLES,
  LIBNL,
  LIBNL_ROUTE,
  LIBNL_ROUTE_ASIDE,
} from "./symbols.ts";

/** An address in this process that isn't null. */
export type Pointer = Deno.PointerObject;

/** A declaration of `symbols.ts` in Deno's own form. */
export type Declared<T, Aside extends boolean> = {
  [K in keyof T]: T[K] extends readonly [
    infer R extends Deno.NativeResultType,
    ...infer P extends readonly Deno.NativeType[],
  ] ? { parameters: P; result: R; nonblocking: Aside }
    : never;
};

/** The functions of a library, called on this thread. */
export type Calls<T> = Deno.DynamicLibrary<Declared<T, false>>["symbols"];

/** The functions of a library, called on a thread of the runtime's pool. */
export type AsideCalls<T> = Deno.DynamicLibrary<Declared<T, true>>["symbols"];

/** A shared library can't be opened here. */
export class LibraryError extends Error {
  /** Its class, also after a `postMessage`. */
  override readonly name = "LibraryError";
  /** The library's soname. */
  readonly library: string;

  /**
   * Makes one.
   *
   * @param library The soname.
   * @param message What is wrong and which package cures it.
   * @param options The loader's own error as cause.
   */
  constructor(library: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.library = library;
  }
}

interface Source {
  readonly soname: string;
  readonly debian: string;
  readonly rpm: string;
}

const GLIBC = { soname: "libc.so.6", debian: "libc6", rpm: "glibc" };
const NL3 = { soname: "libnl-3.so.200", debian: "libnl-3-200", rpm: "libnl3" };
const NL_ROUTE3 = {
  soname: "libnl-route-3.so.200",
  debian: "libnl-route-3-200",
  rpm: "libnl3",
};
const NFTABLES = {
  soname: "libnftables.so.1",
  debian: "libnftables1",
  rpm: "nftables",
};

type Table = Readonly<Record<string, readonly string[]>>;

const opened = new Map<Table, unknown>();

/** Opens a library whose functions run on this thread. */
function open<T extends Table>(source: Source, table: T): Calls<T> {
  return load(source, { table, nonblocking: false }) as Calls<T>;
}

/** Opens a library whose functions run on a thread of the pool. */
function openAside<T extends Table>(source: Source, table: T): AsideCalls<T> {
  return load(source, { table, nonblocking: true }) as AsideCalls<T>;
}

/** Opens a library, once a thread and table. Throws a LibraryError. */
function load(
  source: Source,
  { table, nonblocking }: { table: Table; nonblocking: boolean },
): unknown {
  const before = opened.get(table);
  if (before !== undefined) return before;
  const declared: Record<string, Deno.ForeignFunction> = {};
  for (const [name, [result, ...parameters]] of Object.entries(table)) {
    declared[name] = {
      parameters: parameters as Deno.NativeType[],
      result: result as Deno.NativeResultType,
      nonblocking,
    };
  }
  try {
    const { symbols } = Deno.dlopen(source.soname, declared);
    opened.set(table, symbols);
    return symbols;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const { soname, debian, rpm } = source;
    const said = cause instanceof Error ? cause.message : String(cause);
    const why = said.replaceAll("Could not open library: ", "");
    throw new LibraryError(
      soname,
      `Cannot open ${soname}: install ${debian} (Debian) or ${rpm} (RPM): ${why}`,
      { cause },
    );
  }
}

/**
 * Gives glibc.
 *
 * @returns Its functions.
 * @throws {LibraryError} When it can't be opened (musl).
 */
export function libc(): Calls<typeof LIBC> {
  return open(GLIBC, LIBC);
}

/**
 * Gives the calls of glibc that sleep; never start one inside a namespace.
 *
 * @returns Functions that give promises.
 * @throws {LibraryError} When it can't be opened (musl).
 */
export function libcAside(): AsideCalls<typeof LIBC_ASIDE> {
  return openAside(GLIBC, LIBC_ASIDE);
}

/**
 * Gives libnl-3.
 *
 * @returns Its functions.
 * @throws {LibraryError} When it is missing.
 */
export function libnl(): Calls<typeof LIBNL> {
  return open(NL3, LIBNL);
}

/**
 * Gives libnl-route-3.
 *
 * @returns Its functions.
 * @throws {LibraryError} When it is missing.
 */
export function libnlRoute(): Calls<typeof LIBNL_ROUTE> {
  libnl();
  return open(NL_ROUTE3, LIBNL_ROUTE);
}

/**
 * Gives the calls of libnl-route-3 that sleep; each needs a socket of its own,
 * and none may be started inside a namespace.
 *
 * @returns Functions that give promises.
 * @throws {LibraryError} When it is missing.
 */
export function libnlRouteAside(): AsideCalls<typeof LIBNL_ROUTE_ASIDE> {
  libnl();
  return openAside(NL_ROUTE3, LIBNL_ROUTE_ASIDE);
}

/**
 * Gives libnftables.
 *
 * @returns Its functions.
 * @throws {LibraryError} When it is missing.
 */
export function libnftables(): Calls<typeof LIBNFTABLES> {
  return open(NFTABLES, LIBNFTABLES);
}

let livingCount = 0;

/**
 * Counts the objects that C made for this thread and that aren't freed.
 *
 * @returns Zero whenever no socket is open and no call is running.
 */
export function livingObjectCount(): number {
  return livingCount;
}

/** An object that C made: freed once, by `using` or by hand. */
export class Owned implements Disposable {
  readonly #pointer: Pointer;
  readonly #free: (pointer: Pointer) => void;
  #freed = false;

  /**
   * Takes an object over.
   *
   * @param pointer What the allocating function returned.
   * @param free What gives it back.
   * @throws {NetlinkError} `ENOMEM` when the pointer is null.
   */
  constructor(pointer: Deno.PointerValue, free: (pointer: Pointer) => void) {
    if (pointer === null) {
      throw new NetlinkError({ op: "allocate", errno: "ENOMEM" });
    }
    this.#pointer = pointer;
    this.#free = free;
    livingCount++;
  }

  /** The object's address. @throws {ReferenceError} When it is freed. */
  get pointer(): Pointer {
    // A freed object given to C is a crash of the process at best.
    if (this.#freed) throw new ReferenceError("Cannot use what was freed");
    return this.#pointer;
  }

  /** Frees the object; a second time does nothing. */
  [Symbol.dispose](): void {
    if (this.#freed) return;
    this.#freed = true;
    livingCount--;
    this.#free(this.#pointer);
  }
}

const out = new BigUint64Array(1);

/**
 * Calls a function that stores a pointer where its last argument says.
 *
 * @param op What it does, for the error.
 * @param call Gets the place, returns libnl's code.
 * @returns The pointer stored.
 * @throws {NetlinkError} When the code is negative.
 */
export function stored(
  op: string,
  call: (place: BigUint64Array<ArrayBuffer>) => number,
): Deno.PointerValue {
  out[0] = 0n;
  check(op, call(out));
  return Deno.UnsafePointer.create(out[0]);
}

/**
 * Passes libnl's code through when it isn't an error.
 *
 * @param op What was called, for the error.
 * @param code What it returned.
 * @returns The code.
 * @throws {NetlinkError} When it is negative.
 */
export function check(op: string, code: number): number {
  if (code < 0) throw new NetlinkError({ op, errno: errnoOfLibnl(code) });
  return code;
}

let errnoPlace: Deno.UnsafePointerView | undefined;

/**
 * Passes a system call's result through when it isn't -1.
 *
 * errno is this thread's, and it is read at once: nothing in between makes a
 * system call.
 *
 * @param op What was called, for the error.
 * @param result What it returned.
 * @returns The result.
 * @throws {NetlinkError} With errno's name when it is -1.
 */
export function checkErrno(op: string, result: number | bigint): number {
  if (Number(result) !== -1) return Number(result);
  if (errnoPlace === undefined) {
    const place = libc().__errno_location();
    if (place === null) throw new NetlinkError({ op, errno: "EFAILURE" });
    errnoPlace = new Deno.UnsafePointerView(place);
  }
  throw new NetlinkError({ op, errno: errnoName(errnoPlace.getInt32()) });
}

const encoder = new TextEncoder();

/**
 * Writes a text as C wants it.
 *
 * @param text Without a NUL.
 * @returns Its UTF-8 bytes and a NUL.
 * @throws {RangeError} When it holds a NUL: C would read another text.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new RangeError(
      `Cannot pass a text to C as it must not hold a NUL: it is ${
        JSON.stringify(text)
      }`,
    );
  }
  return encoder.encode(text + "\0");
}

/**
 * Reads a C text.
 *
 * @param pointer Where it begins, or null.
 * @returns The text; undefined for null.
 */
export function textAt(pointer: Deno.PointerValue): string | undefined {
  if (pointer === null) return undefined;
  return Deno.UnsafePointerView.getCString(pointer);
}

/**
 * Copies bytes out of C's memory.
 *
 * @param pointer Where they begin, or null.
 * @param length How many.
 * @returns A copy; empty for null.
 */
export function bytesAt(
  pointer: Deno.PointerValue,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (pointer !== null && length > 0) {
    Deno.UnsafePointerView.copyInto(pointer, bytes);
  }
  return pointer === null ? new Uint8Array() : bytes;
}
