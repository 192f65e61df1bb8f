/**
 * The errors that callers of the pool read: each says what can't be done, the
 * cause in numbers, and what happens or helps next.
 *
 * @module
 */
import type { PoolStatus } from "./contract.ts";
import { PoolError } from "./error.ts";
import { holdersOf } from "./holder.ts";
import type { Reason } from "./news.ts";
import type { OwnerKey, PoolState } from "./state.ts";

/**
 * The pool takes no wishes, or none any more.
 *
 * @param wish What was wished, such as `drain the pool`.
 * @param mode What the keeper does.
 * @param failure Why it ended, when it didn't end by itself.
 * @returns The error.
 */
export function closedError(
  wish: string,
  mode: PoolStatus["mode"],
  failure?: PoolError,
): PoolError {
  if (failure !== undefined) {
    const { kind, message } = failure;
    return new PoolError(kind, message, { cause: failure });
  }
  const cause = mode === "new"
    ? "the pool hasn't started"
    : mode === "draining"
    ? "the pool is being emptied: run the pod on another node"
    : "the pool has stopped: ask the next daemon";
  return new PoolError("closing", `Cannot ${wish} as ${cause}`);
}

/**
 * A caller gave up before its address came.
 *
 * @param ownerKey For whom.
 * @param wait How long it waited, for what, and why it ended.
 * @returns The error: `timeout` when its time ended, else `cancelled`.
 */
export function gaveUpError(
  ownerKey: OwnerKey,
  wait: {
    readonly waitedMs: number;
    readonly reason: Reason | undefined;
    readonly signal: AbortSignal;
  },
): PoolError {
  const { waitedMs, reason, signal } = wait;
  const cause = signal.reason as unknown;
  const isLate = cause instanceof Error && cause.name === "TimeoutError";
  const why = reason === undefined
    ? "the caller gave up"
    : `${reason.text}${nextTry(reason)}`;
  return new PoolError(
    isLate ? "timeout" : "cancelled",
    `Cannot lease an address to ${ownerKey} within ${waitedMs} ms as ${why}`,
    { cause },
  );
}

/**
 * Waiting can't help.
 *
 * @param ownerKey For whom.
 * @param reason Why.
 * @returns The error, `full`.
 */
export function fullError(ownerKey: OwnerKey, reason: Reason): PoolError {
  return new PoolError(
    "full",
    `Cannot lease an address to ${ownerKey} as ${reason.text}${
      nextTry(reason)
    }; a pod that leaves makes room`,
  );
}

/**
 * The cloud hasn't answered in time.
 *
 * @param state The pool.
 * @returns The error, `timeout`.
 */
export function notStartedError(state: PoolState): PoolError {
  const problem = state.gates.get("survey")?.problem;
  const cause = problem === undefined
    ? "no answer yet"
    : `${problem.api} failed with ${problem.code}: ${problem.message}`;
  return new PoolError(
    "timeout",
    `Cannot start the pool in time as the cloud hasn't told which cards there are: ${cause}`,
  );
}

/**
 * The pool isn't empty in time.
 *
 * @param state The pool.
 * @returns The error, `timeout`; names what is left.
 */
export function notDrainedError(state: PoolState): PoolError {
  const enis = [...state.enis.values()].map((eni) =>
    `${eni.card?.id ?? eni.key} is ${eni.phase}`
  );
  const held = [...state.leases.values()];
  const leases = held.length === 0
    ? ""
    : `; ${held.length} leases hold them, whose pods must go first: ${
      holdersOf(held)
    }`;
  return new PoolError(
    "timeout",
    `Cannot empty the pool in time as ${enis.length} cards are left (${
      enis.join(", ")
    })${leases}`,
  );
}

function nextTry({ nextMs }: Reason): string {
  if (nextMs === undefined || !Number.isFinite(nextMs)) return "";
  return `; tried again by itself at ${new Date(nextMs).toISOString()}`;
}

/**
 * Says that more wait than can be kept in mind.
 *
 * @param ownerKey Who wants an address.
 * @param atOnce How many may wait.
 * @returns The error.
 */
export function overloadedError(ownerKey: OwnerKey, atOnce: number): PoolError {
  return new PoolError(
    "overloaded",
    `Cannot lease an address to ${ownerKey} as ${atOnce} claims wait already: try again later`,
  );
}

/**
 * Says that a claim ended with its owner.
 *
 * @param ownerKey Who wanted an address.
 * @returns The error.
 */
export function cancelledError(ownerKey: OwnerKey): PoolError {
  return new PoolError(
    "cancelled",
    `Cannot lease an address to ${ownerKey} as it was released while it waited`,
  );
}

/**
 * Says that the pool's own code failed.
 *
 * @param cause What it threw.
 * @returns The error; the cause itself when it says so already.
 */
export function brokenError(cause: unknown): PoolError {
  if (cause instanceof PoolError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new PoolError(
    "broken",
    `Cannot keep the pool as its code failed: ${why}`,
    { cause },
  );
}
