/**
 * A rtnetlink socket: requests one at a time, and dumps. It serves for good
 * the namespace in which it was opened, wherever its thread is.
 *
 * libnl parses the dumps; requests are sent from here, because libnl 3.7 keeps
 * neither the kernel's error number (many become "unspecific failure") nor its
 * sentence (the extended acknowledgement). libnl's own sequence numbers are
 * left to its dumps.
 *
 * @module
 */
import { errnoName, NetlinkError } from "./errno.ts";
import {
  check,
  checkErrno,
  libc,
  libcAside,
  libnl,
  Owned,
  type Pointer,
  stored,
} from "./ffi.ts";
import type { Message } from "./message.ts";
import { type Namespace, within } from "./namespace.ts";

/** Makes the object when it isn't there. Source: linux/netlink.h. */
export const CREATE = 0x400;
/** Refuses when the object is there. */
export const EXCL = 0x200;
/** Overwrites the object when it is there. */
export const REPLACE = 0x100;

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Source: linux/netlink.h. */
const NETLINK_ROUTE = 0;
const HEADER_BYTES = 16;
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST_ACK = 0x5;
const NLM_F_DUMP = 0x300;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** An acknowledgement is 36 bytes and a sentence; a page is ample. */
const answer = new Uint8Array(4096);
/** What the kernel gives in one read at most. Source: netlink(7). */
const DUMP_BYTES = 32 << 10;
const answerView = new DataView(answer.buffer);

/** Stores a message where libnl is told to, and returns libnl's code. */
export type Build = (place: BigUint64Array<ArrayBuffer>) => number;

/** A connection with the rtnetlink of one namespace. */
export class RouteSocket implements Disposable {
  /** The namespace that it serves; undefined for the thread's own. */
  readonly namespace: Namespace | undefined;
  readonly #socket: Owned;
  readonly #fd: number;
  #sequence = 0;

  /**
   * Opens one in the namespace that this thread is in.
   *
   * @param namespace That namespace, when it isn't the thread's own.
   * @param protocol Of netlink; rtnetlink when absent.
   * @returns The socket; close it by `using`.
   * @throws {NetlinkError} `EMFILE` when there are too many open files.
   */
  static open(
    namespace?: Namespace,
    protocol: number = NETLINK_ROUTE,
  ): RouteSocket {
    const nl = libnl();
    const socket = new Owned(nl.nl_socket_alloc(), nl.nl_socket_free);
    try {
      const code = nl.nl_connect(socket.pointer, protocol);
      check("open a netlink socket", code);
      return new RouteSocket(socket, namespace);
    } catch (error) {
      socket[Symbol.dispose]();
      throw error;
    }
  }

  private constructor(socket: Owned, namespace: Namespace | undefined) {
    this.namespace = namespace;
    this.#socket = socket;
    this.#fd = libnl().nl_socket_get_fd(socket.pointer);
    // Kernels before 4.12 refuse them: then errors come without a sentence.
    this.#set(NETLINK_EXT_ACK, 1);
    this.#set(NETLINK_CAP_ACK, 1);
  }

  /** libnl's own socket, for its dumps. */
  get pointer(): Pointer {
    return this.#socket.pointer;
  }

  /** The file descriptor, for poll(2). */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Sends one message, and waits until the kernel has carried it out.
   *
   * @param op The command that does the same, for the error.
   * @param message The message.
   * @returns The bodies of what it answered, none for a change.
   * @throws {NetlinkError} What the kernel refused it with.
   */
  exchange(op: string, message: Message): Uint8Array<ArrayBuffer>[] {
    return this.#send(op, writeMessage(message));
  }

  /**
   * Asks for all objects of a kind that libnl can't read. Between two groups
   * other work may be done, but none by this socket.
   *
   * @param op The command that does the same, for the error.
   * @param message The question.
   * @param options `strict` has the kernel heed what narrows the question;
   * before 4.20 it answers as if nothing did.
   * @returns The bodies of the answers, in groups of some dozens.
   * @throws {NetlinkError} What the kernel refused it with.
   */
  *dumpBodies(
    op: string,
    message: Message,
    { strict = false }: { readonly strict?: boolean } = {},
  ): Generator<Uint8Array<ArrayBuffer>[]> {
    const bytes = writeMessage({ ...message, flags: NLM_F_DUMP });
    this.#number(bytes);
    // Not for good: libnl's own dumps have less than a strict kernel wants.
    if (strict) this.#set(NETLINK_GET_STRICT_CHK, 1);
    try {
      checkErrno(op, libc().send(this.#fd, bytes, BigInt(bytes.length), 0));
    } finally {
      if (strict) this.#set(NETLINK_GET_STRICT_CHK, 0);
    }
    const buffer = new Uint8Array(DUMP_BYTES);
    while (true) {
      const { bodies, ended } = this.#readGroup(op, buffer);
      if (bodies.length > 0) yield bodies;
      if (ended) return;
    }
  }

  /**
   * Sends one message from a thread of the runtime's pool, for what takes the
   * kernel long. Nothing else may use the socket meanwhile.
   *
   * @param op The `ip` command that does the same, for the error.
   * @param message The message.
   * @returns Resolves when the kernel has carried it out.
   * @throws {NetlinkError} What the kernel refused it with.
   */
  async requestAside(op: string, message: Message): Promise<void> {
    const bytes = writeMessage(message);
    this.#number(bytes);
    const size = BigInt(bytes.length);
    const sent = await libcAside().send(this.#fd, bytes, size, 0);
    // The other thread's errno can't be read here.
    if (sent !== size) throw new NetlinkError({ op, errno: "EFAILURE" });
    this.#collect(op);
  }

  /**
   * Reads all objects of a kind.
   *
   * @typeParam T What becomes of an object.
   * @param op The `ip` command that does the same, for the error.
   * @param dump Fills a cache of libnl's.
   * @param read Reads one object; undefined leaves it out.
   * @returns What was read, in the kernel's order.
   * @throws {NetlinkError} What the kernel refused it with.
   */
  dump<T>(
    op: string,
    dump: Build,
    read: (object: Pointer) => T | undefined,
  ): T[] {
    const nl = libnl();
    using cache = new Owned(stored(op, dump), nl.nl_cache_free);
    const seen: T[] = [];
    let object = nl.nl_cache_get_first(cache.pointer);
    for (; object !== null; object = nl.nl_cache_get_next(object)) {
      const one = read(object);
      if (one !== undefined) seen.push(one);
    }
    return seen;
  }

  /** Closes the socket; a second time does nothing. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  /** What an old kernel refuses, it does without. */
  #set(option: number, value: number): void {
    const bytes = new Uint8Array(new Int32Array([value]).buffer);
    libc().setsockopt(this.#fd, SOL_NETLINK, option, bytes, 4);
  }

  /** Sends a message, and gives the bodies of what came before its end. */
  #send(op: string, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
    this.#number(bytes);
    const size = BigInt(bytes.length);
    checkErrno(op, libc().send(this.#fd, bytes, size, 0));
    return this.#collect(op);
  }

  /** Makes a message the next request, to be acknowledged. */
  #number(bytes: Uint8Array<ArrayBuffer>): void {
    const view = new DataView(bytes.buffer);
    const flags = view.getUint16(6, LITTLE_ENDIAN) | NLM_F_REQUEST_ACK;
    view.setUint16(6, flags, LITTLE_ENDIAN);
    view.setUint32(8, ++this.#sequence, LITTLE_ENDIAN);
  }

  /** Reads what answers the last request, to its acknowledgement. */
  #collect(op: string): Uint8Array<ArrayBuffer>[] {
    const bodies: Uint8Array<ArrayBuffer>[] = [];
    while (true) {
      const length = this.#receive(op);
      const type = answerView.getUint16(4, LITTLE_ENDIAN);
      const sequence = answerView.getUint32(8, LITTLE_ENDIAN);
      if (sequence !== this.#sequence) continue; // an older answer
      if (type !== NLMSG_ERROR) {
        bodies.push(answer.slice(HEADER_BYTES, length));
        continue;
      }
      requireGood(op, length);
      return bodies;
    }
  }

  /** Reads one datagram of a dump, which holds many answers. */
  #readGroup(
    op: string,
    buffer: Uint8Array<ArrayBuffer>,
  ): { bodies: Uint8Array<ArrayBuffer>[]; ended: boolean } {
    const length = this.#receive(op, buffer);
    const view = new DataView(buffer.buffer);
    const bodies: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at + HEADER_BYTES <= length;) {
      const size = view.getUint32(at, LITTLE_ENDIAN);
      const type = view.getUint16(at + 4, LITTLE_ENDIAN);
      if (size < HEADER_BYTES || at + size > length) break;
      if (view.getUint32(at + 8, LITTLE_ENDIAN) === this.#sequence) {
        // Both end it: an error, or a dump's own end with its errno.
        if (type === NLMSG_ERROR || type === NLMSG_DONE) {
          const code = size >= 20 ? view.getInt32(at + 16, LITTLE_ENDIAN) : 0;
          if (code === 0) return { bodies, ended: true };
          throw new NetlinkError({ op, errno: errnoName(code) });
        }
        bodies.push(buffer.slice(at + HEADER_BYTES, at + size));
      }
      at += align(size);
    }
    return { bodies, ended: false };
  }

  #receive(op: string, buffer: Uint8Array<ArrayBuffer> = answer): number {
    while (true) {
      const size = BigInt(buffer.length);
      try {
        return checkErrno(op, libc().recv(this.#fd, buffer, size, 0));
      } catch (error) {
        const again = error instanceof NetlinkError && error.errno === "EINTR";
        if (!again) throw error;
      }
    }
  }
}

/**
 * Opens a socket that serves a namespace for good.
 *
 * Equivalent to: `ip -n $namespace …`
 *
 * @param namespace Where; this thread's own when absent.
 * @returns The socket; close it by `using`.
 * @throws {NetlinkError} When it can't be entered, or no socket be had.
 */
export function openRoutes(namespace?: Namespace): RouteSocket {
  if (namespace === undefined) return RouteSocket.open();
  return within<RouteSocket>(namespace, () => RouteSocket.open(namespace));
}

/**
 * Opens a socket for connection tracking and packet filters.
 *
 * @param namespace Where; this thread's own when absent.
 * @returns The socket; close it by `using`.
 * @throws {NetlinkError} `EPROTONOSUPPORT` when the kernel has none.
 */
export function openNetfilter(namespace?: Namespace): RouteSocket {
  const open = (): RouteSocket =>
    RouteSocket.open(namespace, NETLINK_NETFILTER);
  return namespace === undefined
    ? open()
    : within<RouteSocket>(namespace, open);
}

/** Puts the header before a body. */
function writeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const { type, flags, body } = message;
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, flags, LITTLE_ENDIAN);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Reads an acknowledgement of so many bytes, and throws a refusal. */
function requireGood(op: string, length: number): void {
  const code = answerView.getInt32(16, LITTLE_ENDIAN);
  if (code === 0) return;
  const errno = errnoName(code);
  const unknown = errno === "EFAILURE" ? `errno ${-code}` : "";
  const detail = sentence(length) || unknown;
  throw new NetlinkError({ op, errno, ...detail && { detail } });
}

/** Finds the kernel's own sentence in an answer of so many bytes. */
function sentence(length: number): string {
  const flags = answerView.getUint16(6, LITTLE_ENDIAN);
  if ((flags & NLM_F_ACK_TLVS) === 0) return "";
  const echoed = (flags & NLM_F_CAPPED) === 0
    ? answerView.getUint32(20, LITTLE_ENDIAN)
    : 16;
  let at = 20 + align(echoed);
  while (at + 4 <= length) {
    const size = answerView.getUint16(at, LITTLE_ENDIAN);
    if (size < 4) return "";
    if (answerView.getUint16(at + 2, LITTLE_ENDIAN) === NLMSGERR_ATTR_MSG) {
      return new TextDecoder().decode(answer.subarray(at + 4, at + size - 1));
    }
    at += align(size);
  }
  return "";
}

function align(length: number): number {
  return (length + 3) & ~3;
}
