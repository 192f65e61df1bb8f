/**
 * Waits until the daemon can serve pods: a runtime that finds a list of
 * networks begins to call the plugin at once.
 *
 * @module
 */
import { ask, WireError } from "../wire.ts";

/** A daemon answers STATUS from memory. */
const REPLY_DEADLINE_MS = 5_000;

/** How often it is asked. */
const PAUSE_MS = 500;

/** STATUS came with this version of the spec. */
const QUESTION = { cniVersion: "1.1.0", name: "terway", type: "terway" };

/** How to wait. */
export interface WaitOptions {
  /** Where the daemon listens. */
  readonly socket: string;
  /** How long at most; it is asked once at least. */
  readonly waitMs: number;
  /** Told each time when another thing is waited for. */
  readonly onReason: (reason: string) => void;
}

/**
 * Waits until the daemon can serve pods.
 *
 * @param options See {@linkcode WaitOptions}.
 * @returns Nothing once it can, or what was waited for until the end.
 */
export async function untilServing(
  { socket, waitMs, onReason }: WaitOptions,
): Promise<string | undefined> {
  const endMs = performance.now() + waitMs;
  let told = "";
  while (true) {
    const reason = await askOnce(socket);
    if (reason === undefined || performance.now() + PAUSE_MS > endMs) {
      return reason;
    }
    if (reason !== told) onReason(reason);
    told = reason;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function askOnce(socket: string): Promise<string | undefined> {
  try {
    const { status, document } = await ask(socket, {
      variables: new Map([["CNI_COMMAND", "STATUS"]]),
      stdin: new TextEncoder().encode(JSON.stringify(QUESTION)),
    }, AbortSignal.timeout(REPLY_DEADLINE_MS));
    if (status === 0) return undefined;
    const { msg } = JSON.parse(document);
    return `the daemon answers: ${msg}`;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return error.kind === "late"
      ? `the daemon doesn't answer within ${REPLY_DEADLINE_MS / 1000} s`
      : error.message;
  }
}
