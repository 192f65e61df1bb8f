/**
 * What the plugin says by itself: its version, and everything when no daemon
 * gives an answer.
 *
 * ADD, CHECK and STATUS fail in a way that the runtime tries again. DEL and GC
 * succeed once they are written down: the runtime is about to destroy the
 * namespace, and a node full of dying pods must never wait for a daemon that
 * waits for the node. The launcher says the same words.
 *
 * @module
 */
import { type Reply, WireError } from "../wire.ts";
import type { Call } from "./call.ts";
import { writeTombstone } from "./tombstone.ts";

/** Codes of the CNI spec 1.1.0, section "Error" (read 2026-11-21). */
const CODE = {
  invalidVariable: 4,
  io: 5,
  invalidConfig: 7,
  tryAgain: 11,
  notAvailable: 50,
} as const;

/** The versions of the CNI spec that are spoken. */
const SUPPORTED_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/** What the runtime hears, by why there is no answer. */
const MESSAGES: Readonly<Record<string, string>> = {
  late: "the terway daemon didn't answer in time",
  broken: "the terway daemon went away before its answer was whole",
};

/** How a verb waits for its reply, and how it goes without one. */
export interface Verb {
  /** How long to wait. A bit longer than the daemon lets its own work take. */
  readonly replyTimeoutMs: number;
  /** The error's code; absent when the request is written down instead. */
  readonly code?: number;
}

/** The verbs that a daemon answers. */
export const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ["ADD", { replyTimeoutMs: 75_000, code: CODE.tryAgain }],
  ["CHECK", { replyTimeoutMs: 75_000, code: CODE.tryAgain }],
  ["STATUS", { replyTimeoutMs: 10_000, code: CODE.notAvailable }],
  ["DEL", { replyTimeoutMs: 20_000 }],
  ["GC", { replyTimeoutMs: 20_000 }],
]);

/**
 * Answers VERSION.
 *
 * @param call The call; its version is echoed, as the spec says.
 * @returns The reply.
 */
export function versionReply(call: Call): Reply {
  return reply(0, {
    cniVersion: call.cniVersion ?? SUPPORTED_VERSIONS.at(-1),
    supportedVersions: SUPPORTED_VERSIONS,
  });
}

/**
 * Answers a verb that isn't one.
 *
 * @param call The call.
 * @returns The reply.
 */
export function unknownVerbReply(call: Call): Reply {
  return failure(call.cniVersion, {
    code: CODE.invalidVariable,
    msg: "CNI_COMMAND isn't one of ADD, CHECK, DEL, GC, STATUS, VERSION",
    details: `CNI_COMMAND is "${call.verb}"`,
  });
}

/**
 * Answers a call that can't be read, or is too large to be sent.
 *
 * @param error Why.
 * @returns The reply.
 */
export function unreadableReply(error: unknown): Reply {
  const isLarge = error instanceof WireError && error.kind === "large";
  return failure(undefined, {
    code: isLarge ? CODE.invalidConfig : CODE.io,
    msg: isLarge
      ? "the network configuration is too large"
      : "the call can't be read",
    details: error instanceof Error ? error.message : String(error),
  });
}

/**
 * Answers in place of a daemon.
 *
 * Effects: DEL and GC write a tombstone.
 *
 * @param call The call.
 * @param verb Its verb.
 * @param error Why there is no answer.
 * @returns The reply.
 */
export function offlineReply(call: Call, verb: Verb, error: WireError): Reply {
  if (verb.code !== undefined) {
    return failure(call.cniVersion, {
      code: verb.code,
      msg: MESSAGES[error.kind] ?? "the terway daemon isn't there",
      details:
        `${error.message}: if it lasts, see why the terway pod of this ` +
        "node doesn't run",
    });
  }
  try {
    writeTombstone(call.tombstones, call.body);
    return { status: 0, document: "" };
  } catch (cause) {
    return failure(call.cniVersion, {
      code: CODE.io,
      msg: "without a daemon, the request can't be written down either",
      details: `${call.tombstones}: ${(cause as Error).message}: make room ` +
        "there and make it writable, or get the terway pod of this node to run",
    });
  }
}

interface Failure {
  readonly code: number;
  readonly msg: string;
  readonly details: string;
}

/** The spec lets an error name any version: what isn't known is 1.0.0. */
function failure(cniVersion: string | undefined, error: Failure): Reply {
  return reply(1, { cniVersion: cniVersion ?? "1.0.0", ...error });
}

function reply(status: number, document: unknown): Reply {
  return { status, document: JSON.stringify(document) + "\n" };
}
