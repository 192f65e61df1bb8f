/**
 * What changes in a namespace, as the kernel tells it: links, addresses,
 * routes, rules and qdiscs. Deleting a rule changes no link, nor does deleting
 * a qdisc, so all five are listened to. Neighbours are not: they come and go with the traffic. Nor are routes
 * that the kernel derives from addresses: those tell.
 *
 * @module
 */
import { type AddressSeen, readAddress } from "./address.ts";
import { NetlinkError } from "./errno.ts";
import {
  check,
  checkErrno,
  cString,
  libc,
  libcAside,
  libnl,
  libnlRoute,
  Owned,
  type Pointer,
  stored,
} from "./ffi.ts";
import { type LinkSeen, readLink } from "./link_object.ts";
import type { Namespace } from "./namespace.ts";
import { readRoute, type RouteSeen, RTPROT_KERNEL } from "./route.ts";
import { readRule, type RuleSeen } from "./rule.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";

/** Whether an object is there now (new, or in a new form) or not any more. */
export type Action = "new" | "deleted";

/** A change, or that changes were lost and everything must be looked at. */
export type KernelEvent =
  | { readonly kind: "link"; readonly action: Action; readonly link: LinkSeen }
  | {
    readonly kind: "address";
    readonly action: Action;
    readonly address: AddressSeen;
  }
  | {
    readonly kind: "route";
    readonly action: Action;
    readonly route: RouteSeen;
  }
  | { readonly kind: "rule"; readonly action: Action; readonly rule: RuleSeen }
  | {
    /**
     * What a link sends through was set, changed or taken away; or filters of
     * it, or the place where they hang, were taken away.
     */
    readonly kind: "qdisc";
    readonly action: Action;
    /** The link's index. */
    readonly ifIndex: number;
  }
  | { readonly kind: "lost" };

/**
 * RTNLGRP_*: link, IPv4 and IPv6 address, route, rule, and all of tc. Source:
 * linux/rtnetlink.h.
 */
const GROUPS = [1, 5, 9, 7, 11, 8, 19, 4] as const;

/** A kind of object, and what libnl calls the cache that can read it. */
type Kind = "link" | "address" | "route" | "rule";

/** RTM_NEWQDISC, RTM_DELQDISC, RTM_DELTFILTER. Source: linux/rtnetlink.h. */
const QDISC_TYPES: Readonly<Record<number, Action>> = {
  36: "new",
  37: "deleted",
  45: "deleted",
};
/** Where tcmsg has the link's index and the parent, after the header. */
const QDISC_IFINDEX_AT = 20;
const QDISC_PARENT_AT = 28;
/** Source: linux/pkt_sched.h, TC_H_ROOT, TC_H_CLSACT and its two ends. */
const ROOT = 0xffffffff;
const CLSACTS: readonly number[] = [0xfffffff1, 0xfffffff2, 0xfffffff3];

const CACHES: Readonly<Record<Kind, string>> = {
  link: "route/link",
  address: "route/addr",
  route: "route/route",
  rule: "route/rule",
};

/** RTM_NEW* and RTM_DEL*. Source: linux/rtnetlink.h. */
const TYPES: Readonly<Record<number, readonly [Kind, Action]>> = {
  16: ["link", "new"],
  17: ["link", "deleted"],
  20: ["address", "new"],
  21: ["address", "deleted"],
  24: ["route", "new"],
  25: ["route", "deleted"],
  32: ["rule", "new"],
  33: ["rule", "deleted"],
};

/** Messages are in the machine's order; x86-64 and arm64 have this one. */
const LITTLE_ENDIAN = true;
/** Source: sys/eventfd.h, poll.h, sys/socket.h. */
const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const POLLIN = 1;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Some 5,000 messages: what 500 pods cause while a garbage collection runs. */
const QUEUE_BYTES = 4 << 20;
/** The kernel puts one message into a read, which may be 32 kB. */
const READ_BYTES = 64 << 10;

/**
 * The changes of one namespace, from the moment this is made.
 *
 * @example Wait for links
 * ```ts ignore
 * await using stream = new EventStream();
 * for (let batch; (batch = await stream.next()) !== undefined;) use(batch);
 * ```
 */
export class EventStream implements AsyncDisposable {
  readonly #socket: RouteSocket;
  readonly #wakeFd: number;
  readonly #resources = new DisposableStack();
  readonly #caches: Readonly<Record<Kind, Owned>>;
  readonly #bytes = new Uint8Array(READ_BYTES);
  #closing = false;
  #waiting: Promise<unknown> = Promise.resolve();

  /**
   * Subscribes.
   *
   * @param namespace Where; this thread's own when absent.
   * @param queueBytes What the kernel may hold back for us.
   * @throws {NetlinkError} When no socket can be had.
   */
  constructor(namespace?: Namespace, queueBytes: number = QUEUE_BYTES) {
    using resources = new DisposableStack();
    this.#socket = resources.use(openRoutes(namespace));
    this.#subscribe(queueBytes);
    const eventFd = libc().eventfd(0, EFD_CLOEXEC_NONBLOCK);
    this.#wakeFd = checkErrno("make an eventfd", eventFd);
    resources.defer(() => libc().close(this.#wakeFd));
    libnlRoute(); // registers its caches with libnl
    this.#caches = {
      link: resources.use(openCache("link")),
      address: resources.use(openCache("address")),
      route: resources.use(openCache("route")),
      rule: resources.use(openCache("rule")),
    };
    this.#resources = resources.move();
  }

  /**
   * Waits for the next changes, on a thread of the runtime's pool. One call
   * at a time.
   *
   * @returns All that came, in order, never empty; undefined once it is closed.
   * @throws {NetlinkError} When the socket is broken.
   */
  async next(): Promise<readonly KernelEvent[] | undefined> {
    while (!this.#closing) {
      const waiting = this.#poll();
      this.#waiting = waiting;
      await waiting;
      if (this.#closing) return undefined;
      const events = this.#drain();
      if (events.length > 0) return events;
    }
    return undefined;
  }

  /** Ends the waiting and frees everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const one = new Uint8Array(new BigUint64Array([1n]).buffer);
    libc().write(this.#wakeFd, one, 8n);
    await this.#waiting; // poll(2) still uses both descriptors
    this.#resources.dispose();
  }

  #subscribe(queueBytes: number): void {
    const nl = libnl();
    for (const group of GROUPS) {
      const code = nl.nl_socket_add_membership(this.#socket.pointer, group);
      check("ip monitor", code);
    }
    // Refused without CAP_NET_ADMIN; then the default queue must do.
    const size = new Uint8Array(new Int32Array([queueBytes]).buffer);
    const { fd } = this.#socket;
    libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, 4);
  }

  /** Waits until the socket or the eventfd can be read. */
  async #poll(): Promise<void> {
    const fds = new Uint8Array(16);
    const view = new DataView(fds.buffer);
    for (const [i, fd] of [this.#socket.fd, this.#wakeFd].entries()) {
      view.setInt32(8 * i, fd, LITTLE_ENDIAN);
      view.setInt16(8 * i + 4, POLLIN, LITTLE_ENDIAN);
    }
    // A result of -1 is a signal that interrupted it: the caller looks again.
    await libcAside().poll(fds, 2n, -1);
  }

  #drain(): KernelEvent[] {
    const events: KernelEvent[] = [];
    while (true) {
      const length = this.#read();
      if (length === "empty") return events;
      if (length === "overrun") {
        events.push({ kind: "lost" });
        continue;
      }
      events.push(...this.#parse(length));
    }
  }

  #read(): number | "empty" | "overrun" {
    const size = BigInt(this.#bytes.length);
    const { fd } = this.#socket;
    try {
      const length = libc().recv(fd, this.#bytes, size, MSG_DONTWAIT);
      return checkErrno("ip monitor", length);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      if (error.errno === "EAGAIN" || error.errno === "EINTR") return "empty";
      if (error.errno === "ENOBUFS") return "overrun";
      throw error;
    }
  }

  /** Reads the messages of one datagram. */
  *#parse(length: number): Generator<KernelEvent> {
    const view = new DataView(this.#bytes.buffer, 0, length);
    for (let at = 0; at + 16 <= length;) {
      const size = view.getUint32(at, LITTLE_ENDIAN);
      if (size < 16 || at + size > length) return;
      const number = view.getUint16(at + 4, LITTLE_ENDIAN);
      const type = TYPES[number];
      const message = this.#bytes.subarray(at, at + size);
      const event = type === undefined
        ? toQdiscEvent(QDISC_TYPES[number], message)
        : this.#parseMessage(type, message);
      if (event !== undefined) yield event;
      at += (size + 3) & ~3;
    }
  }

  /** Has libnl read a message into a cache, as it reads a dump. */
  #parseMessage(
    [kind, action]: readonly [Kind, Action],
    bytes: Uint8Array<ArrayBuffer>,
  ): KernelEvent | undefined {
    const nl = libnl();
    const cache = this.#caches[kind].pointer;
    using message = new Owned(nl.nlmsg_convert(bytes), nl.nlmsg_free);
    try {
      // Messages of other families (bridge ports) aren't understood: skipped.
      if (nl.nl_cache_parse_and_add(cache, message.pointer) < 0) return;
      const object = nl.nl_cache_get_first(cache);
      return object === null ? undefined : toEvent(kind, action, object);
    } finally {
      nl.nl_cache_clear(cache);
    }
  }
}

/** Of what a link sends through, its root; of filters, that some went. */
function toQdiscEvent(
  action: Action | undefined,
  bytes: Uint8Array<ArrayBuffer>,
): KernelEvent | undefined {
  if (action === undefined || bytes.length < QDISC_PARENT_AT + 4) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parent = view.getUint32(QDISC_PARENT_AT, LITTLE_ENDIAN);
  const isFilters = action === "deleted" && CLSACTS.includes(parent);
  if (parent !== ROOT && !isFilters) return;
  const ifIndex = view.getInt32(QDISC_IFINDEX_AT, LITTLE_ENDIAN);
  return { kind: "qdisc", action, ifIndex };
}

function openCache(kind: Kind): Owned {
  const nl = libnl();
  const pointer = stored(
    "ip monitor",
    (place) => nl.nl_cache_alloc_name(cString(CACHES[kind]), place),
  );
  return new Owned(pointer, nl.nl_cache_free);
}

function toEvent(
  kind: Kind,
  action: Action,
  object: Pointer,
): KernelEvent | undefined {
  switch (kind) {
    case "link":
      return { kind, action, link: readLink(object) };
    case "address": {
      const address = readAddress(object);
      return address && { kind, action, address };
    }
    case "route": {
      const route = readRoute(object);
      if (route === undefined || route.protocol === RTPROT_KERNEL) return;
      return { kind, action, route };
    }
    case "rule": {
      const rule = readRule(object);
      return rule && { kind, action, rule };
    }
  }
}
