/**
 * Leadership by a Lease: of many that ask, one works at a time.
 *
 * Whoever holds the Lease renews it; others take it once it hasn't been
 * renewed for its whole duration. Who can't renew in time stops by itself
 * before anybody else may begin: no two ever work at once as long as clocks
 * run equally fast, whatever they show.
 *
 * @module
 */
import { V1MicroTime } from "@kubernetes/client-node";
import type { V1Lease } from "@kubernetes/client-node";
import { type ApiError, asApiError, type Kubernetes } from "./client.ts";

/** Who asks, and for what. */
export interface LeadershipOptions {
  /** The Lease's namespace. */
  readonly namespace: string;
  /** The Lease's name. */
  readonly name: string;
  /** Who asks; no two processes may have the same. */
  readonly identity: string;
  /** How long a Lease holds without being renewed; 15 seconds unless told. */
  readonly durationMs?: number;
  /** How often it is renewed or asked for; 5 seconds unless told. */
  readonly periodMs?: number;
  /** Ends it; a Lease that is held is given up. */
  readonly signal: AbortSignal;
  /** Hears of a call that failed. */
  readonly onProblem?: (error: ApiError) => void;
}

/** As the API's other users have it. Source: client-go, leaderelection. */
const DURATION_MS = 15_000;
const PERIOD_MS = 5_000;

/** What was seen of somebody else's Lease, and since when. */
interface Seen {
  version: string;
  sinceMs: number;
}

/**
 * Works whenever this process leads, until the signal.
 *
 * @param kubernetes The API.
 * @param options See {@linkcode LeadershipOptions}.
 * @param work What a leader does; its signal ends when it leads no more, and
 * then it has to end at once.
 */
export async function lead(
  kubernetes: Kubernetes,
  options: LeadershipOptions,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { durationMs = DURATION_MS, periodMs = PERIOD_MS, signal } = options;
  const seen: Seen = { version: "", sinceMs: 0 };
  let term: { stop: AbortController; done: Promise<void> } | undefined;
  let renewedMs = 0;
  const stepDown = async (): Promise<void> => {
    term?.stop.abort();
    await term?.done;
    term = undefined;
  };
  while (!signal.aborted) {
    const askedMs = performance.now();
    const holds = await hold(kubernetes, options, seen);
    if (holds) {
      renewedMs = askedMs;
      term ??= begin(work);
    } else if (
      // Before another may begin, and with time to end.
      term !== undefined && performance.now() - renewedMs > durationMs * 2 / 3
    ) await stepDown();
    else if (holds === false) await stepDown();
    await pause(periodMs, signal);
  }
  const didLead = term !== undefined;
  await stepDown();
  if (didLead) await giveUp(kubernetes, options);
}

function begin(
  work: (signal: AbortSignal) => Promise<void>,
): { stop: AbortController; done: Promise<void> } {
  const stop = new AbortController();
  return { stop, done: work(stop.signal) };
}

/** Takes or renews it. Nothing when the API server can't be asked. */
async function hold(
  kubernetes: Kubernetes,
  options: LeadershipOptions,
  seen: Seen,
): Promise<boolean | undefined> {
  const { namespace, name, identity } = options;
  const { coordination } = kubernetes;
  try {
    const found = await find(kubernetes, options);
    if (found === undefined) {
      const body = leaseFor(options);
      await coordination.createNamespacedLease({ namespace, body });
      return true;
    }
    const holder = found.spec?.holderIdentity ?? "";
    if (holder !== identity && holder !== "" && !isOver(found, options, seen)) {
      return false;
    }
    const body = leaseFor(options, found);
    await coordination.replaceNamespacedLease({ namespace, name, body });
    return true;
  } catch (error) {
    const problem = asApiError(`hold the lease ${namespace}/${name}`, error);
    // Somebody was faster.
    if (problem.status === 409) return false;
    options.onProblem?.(problem);
    return undefined;
  }
}

async function find(
  { coordination }: Kubernetes,
  { namespace, name }: LeadershipOptions,
): Promise<V1Lease | undefined> {
  try {
    return await coordination.readNamespacedLease({ namespace, name });
  } catch (error) {
    const problem = asApiError("read a lease", error);
    if (problem.status === 404) return undefined;
    throw problem;
  }
}

/** By our own clock alone: what is written in it was another's. */
function isOver(
  lease: V1Lease,
  { durationMs = DURATION_MS }: LeadershipOptions,
  seen: Seen,
): boolean {
  const version = lease.metadata?.resourceVersion ?? "";
  const nowMs = performance.now();
  if (version !== seen.version) {
    seen.version = version;
    seen.sinceMs = nowMs;
  }
  const heldMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
  return nowMs - seen.sinceMs > Math.max(heldMs, durationMs);
}

function leaseFor(
  options: LeadershipOptions,
  found?: V1Lease,
): V1Lease {
  const { namespace, name, identity, durationMs = DURATION_MS } = options;
  const now = new V1MicroTime();
  const isOurs = found?.spec?.holderIdentity === identity;
  const count = found?.spec?.leaseTransitions ?? 0;
  return {
    metadata: {
      name,
      namespace,
      ...(found?.metadata?.resourceVersion === undefined
        ? {}
        : { resourceVersion: found.metadata.resourceVersion }),
    },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1000)),
      acquireTime: isOurs ? found?.spec?.acquireTime ?? now : now,
      renewTime: now,
      leaseTransitions: isOurs || found === undefined ? count : count + 1,
    },
  };
}

/** So that nobody has to wait for a leader that went in peace. */
async function giveUp(
  kubernetes: Kubernetes,
  options: LeadershipOptions,
): Promise<void> {
  const { namespace, name, identity } = options;
  try {
    const found = await find(kubernetes, options);
    if (found?.spec?.holderIdentity !== identity) return;
    const body = leaseFor(options, found);
    if (body.spec !== undefined) body.spec.holderIdentity = "";
    await kubernetes.coordination
      .replaceNamespacedLease({ namespace, name, body });
  } catch (error) {
    options.onProblem?.(asApiError("give the lease up", error));
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
