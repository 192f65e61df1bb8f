/**
 * What travels between the daemon's thread and the kernel's: requests,
 * answers, events, and errors that keep their class and their fields.
 *
 * @module
 */
import type { DroppedDefault } from "./default_route.ts";
import type { Mac } from "./attachment.ts";
import { NetlinkError } from "./errno.ts";
import { LibraryError } from "./ffi.ts";
import type { KernelEvent } from "./event.ts";
import type { Ip } from "./ip.ts";
import type { LinkSeen } from "./link_object.ts";
import { NamespaceError } from "./namespace.ts";
import {
  type LegacyTables,
  type NftCommand,
  NftError,
  type NftObject,
} from "./nft.ts";
import { TakenError } from "./places.ts";
import type { Capability } from "./probe.ts";
import type { MarkedCard, PodRoom, Recalled, RecallWish } from "./recall.ts";
import type { Speaker } from "./speaker.ts";
import type { Difference, Plan } from "./step.ts";
import type { Sysctl } from "./sysctl.ts";
import type { SettingChange } from "./work.ts";

/** A route of table main that leads to one address. */
export interface HostRoute {
  /** The address. */
  readonly ip: Ip;
  /** The index of the link that it leads to. */
  readonly ifIndex: number;
}

/** What each request takes and gives. */
export interface Verbs {
  /** Enters the node's namespace; the first request. */
  readonly open: { in: { readonly netns?: string }; out: void };
  /** Makes a plan true. */
  readonly apply: { in: Plan; out: readonly SettingChange[] };
  /** Compares a plan with the kernel. */
  readonly compare: { in: Plan; out: readonly Difference[] };
  /** Compares many plans with one look at the node. */
  readonly compareAll: {
    in: readonly Plan[];
    out: readonly (readonly Difference[])[];
  };
  /** Walks a plan back. */
  readonly remove: { in: Plan; out: void };
  /** Waits for every link that is being deleted. */
  readonly settled: { in: undefined; out: void };
  /** Looks who on this node speaks for addresses. */
  readonly speakersFor: { in: readonly Ip[]; out: readonly Speaker[] };
  /** Looks for a card in the pods. */
  readonly findPodCard: { in: Mac; out: LinkSeen | undefined };
  /** Deletes the flows of addresses. */
  readonly forgetFlows: { in: readonly Ip[]; out: number };
  /** Lists the node's links. */
  readonly links: { in: undefined; out: readonly LinkSeen[] };
  /** Lists the node's routes to single addresses. */
  readonly hostRoutes: { in: undefined; out: readonly HostRoute[] };
  /** Looks at a pod's namespace. */
  readonly checkNamespace: { in: string; out: { readonly inode: bigint } };
  /** Reads what a pod without a record was made with. */
  readonly recall: { in: RecallWish; out: Recalled };
  /** Looks for cards in a pod that say whose they are. */
  readonly markedCards: { in: string; out: readonly MarkedCard[] };
  /** Looks what a pod's other interfaces have. */
  readonly lookForRoom: {
    in: { readonly netns: string; readonly ifName: string };
    out: PodRoom;
  };
  /** Tells whether pods can share a card by IPvlan. */
  readonly probeIpvlan: { in: undefined; out: Capability };
  /** Takes default routes of cards away. */
  readonly dropDefaults: {
    in: readonly string[];
    out: readonly DroppedDefault[];
  };
  /** Carries out commands of nftables on the node. */
  readonly nft: { in: readonly NftCommand[]; out: readonly NftObject[] };
  /** Names the tables of the older packet filter. */
  readonly legacyTables: { in: undefined; out: LegacyTables };
  /** Reads settings of the node. */
  readonly readSettings: {
    in: readonly string[];
    out: ReadonlyMap<string, string>;
  };
  /** Writes settings of the node. */
  readonly writeSettings: { in: readonly Sysctl[]; out: void };
  /** Ends; the last request. */
  readonly close: { in: undefined; out: void };
}

/** The name of a request. */
export type Verb = keyof Verbs;

/** A request, to the kernel's thread. */
export type Request = {
  [V in Verb]: {
    readonly id: number;
    readonly verb: V;
    readonly argument: Verbs[V]["in"];
  };
}[Verb];

/** Whom requests are asked of. */
export interface Asks {
  /**
   * Asks, and waits for the answer.
   *
   * @typeParam V The request's name.
   * @param verb The request.
   * @param argument What it takes.
   * @returns What it gives.
   */
  ask<V extends Verb>(verb: V, argument: Verbs[V]["in"]): Promise<
    Verbs[V]["out"]
  >;
}

/** An answer, or events, to the daemon's thread. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError }
  | { readonly events: readonly KernelEvent[] }
  | { readonly broken: WireError };

/** An error as plain data. */
export interface WireError {
  /** Its class. */
  readonly name: string;
  /** Its message. */
  readonly message: string;
  /** Its own fields. */
  readonly fields: Readonly<Record<string, string>>;
  /** Its cause, when that is an error. */
  readonly cause?: WireError;
}

/**
 * Writes an error as plain data.
 *
 * @param error Anything thrown.
 * @returns What {@linkcode toError} reads.
 */
export function fromError(error: unknown): WireError {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error), fields: {} };
  }
  const fields: Record<string, string> = {};
  for (const [key, value] of Object.entries(error)) {
    if (typeof value === "string" && key !== "name") fields[key] = value;
  }
  const { name, message, cause } = error;
  return {
    name,
    message,
    fields,
    ...cause instanceof Error && { cause: fromError(cause) },
  };
}

/** Builds an error of a class from its fields. */
type Build = (
  fields: Readonly<Record<string, string>>,
  message: string,
  options: ErrorOptions,
) => Error;

/** The classes that cross; every other arrives as a plain `Error`. */
const CLASSES: Readonly<Record<string, Build>> = {
  NetlinkError: (fields, _, options) =>
    new NetlinkError(fields as unknown as NetlinkError, options),
  NamespaceError: ({ problem, path = "" }, _, options) =>
    new NamespaceError(problem as NamespaceError["problem"], path, options),
  TakenError: ({ object = "", seen = "" }, _, options) =>
    new TakenError(object, seen, options),
  NftError: ({ kind }, message, options) =>
    new NftError(kind as NftError["kind"], message, options),
  LibraryError: ({ library = "" }, message, options) =>
    new LibraryError(library, message, options),
  RangeError: (_, message, options) => new RangeError(message, options),
  SyntaxError: (_, message, options) => new SyntaxError(message, options),
  TypeError: (_, message, options) => new TypeError(message, options),
};

/**
 * Reads an error written by {@linkcode fromError}.
 *
 * @example The class and the fields are kept
 * ```ts
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 * import { NetlinkError } from "./errno.ts";
 *
 * const sent = new NetlinkError({ op: "ip link add a", errno: "EEXIST" });
 * const error = toError(structuredClone(fromError(sent)));
 * assertInstanceOf(error, NetlinkError);
 * assertEquals([error.errno, error.message], ["EEXIST", sent.message]);
 * ```
 * @param wire Plain data.
 * @returns An error of the same class, fields, message and cause.
 */
export function toError(wire: WireError): Error {
  const { name, message, fields, cause } = wire;
  const options = cause === undefined ? {} : { cause: toError(cause) };
  const build = CLASSES[name];
  return build?.(fields, message, options) ?? new Error(message, options);
}
