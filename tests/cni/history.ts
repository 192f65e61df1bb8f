/**
 * Who asked what and heard what, and whether one order of all that explains
 * it: linearizability, owner by owner, and no address with two owners.
 *
 * An owner is a register that holds an address or nothing. Each call takes
 * effect at one moment between its start and its end. One whose caller was
 * killed may take effect at any later moment, or never; and what an ADD made
 * that nobody heard of may be taken back.
 *
 * Source of the search: J. Wing and C. Gong, "Testing and verifying concurrent
 * objects" (1993).
 *
 * @module
 */

/** One call of one owner. */
export interface Call {
  /** Whose. */
  readonly owner: string;
  /** What was asked; `gone` is a GC whose list the owner isn't on. */
  readonly kind: "ADD" | "DEL" | "CHECK" | "gone" | "look";
  /** When it was sent, in ms. */
  readonly startMs: number;
  /** When its answer came; absent when the caller was killed before. */
  readonly endMs?: number;
  /** Whether it went well; absent when the caller was killed. */
  readonly ok?: boolean;
  /** The address that was heard; with `look`, nothing when there was none. */
  readonly ip?: string;
}

/** What an owner holds, as far as anybody can know. */
interface State {
  /** The address; `?` for one that nobody has heard. */
  readonly ip?: string;
  /** Whether a caller has heard of it. */
  readonly isHeard: boolean;
}

const NOTHING: State = { isHeard: false };

/** An address that some ADD got, and nobody heard which. */
const UNKNOWN = "?";

/**
 * Explains a history, or shows the owner that can't be explained.
 *
 * @param calls All calls, in any order.
 * @returns Nothing when there is an explanation, else what contradicts.
 */
export function contradiction(calls: readonly Call[]): string | undefined {
  for (const [owner, own] of Map.groupBy(calls, ({ owner }) => owner)) {
    if (!isExplained(own)) {
      const inOrder = own.toSorted((a, b) => a.startMs - b.startMs);
      // Of calls that say the same again and again, the first is enough.
      const lines = inOrder.filter(({ kind, ip }, at) =>
        kind !== inOrder[at - 1]?.kind || ip !== inOrder[at - 1]?.ip ||
        kind === "ADD"
      ).slice(0, 40).map(tell);
      return `no order explains ${owner}:\n${lines.join("\n")}`;
    }
  }
  return doubleOwner(calls);
}

/** One order of an owner's calls; what is left undone is tried with each. */
function isExplained(calls: readonly Call[]): boolean {
  const seen = new Set<string>();
  const search = (left: readonly Call[], state: State): boolean => {
    if (left.every(({ endMs }) => endMs === undefined)) return true;
    const key = `${state.ip} ${state.isHeard} ` +
      left.map((call) => calls.indexOf(call)).join();
    if (seen.has(key)) return false;
    seen.add(key);
    // Only what began before the first end can come first.
    const firstEndMs = Math.min(...left.map(({ endMs = Infinity }) => endMs));
    const next = left.filter(({ startMs }) => startMs <= firstEndMs);
    return next.some((call) => {
      const rest = left.filter((one) => one !== call);
      return effects(call, state).some((after) => search(rest, after));
    }) || (isForgettable(state, calls) && search(left, NOTHING));
  };
  return search(calls, NOTHING);
}

/** What an ADD made that nobody heard of is taken back, soon or late. */
function isForgettable(
  { ip, isHeard }: State,
  calls: readonly Call[],
): boolean {
  return ip !== undefined && !isHeard &&
    calls.some(({ kind, ok }) => kind === "ADD" && ok !== true);
}

/** The states after a call; none when it can't have happened here. */
function effects(call: Call, state: State): readonly State[] {
  const { ok, ip } = call;
  const isSame = state.ip === ip || (state.ip === UNKNOWN && ip !== undefined);
  switch (call.kind) {
    case "ADD":
      // One that fails may have had an address for a moment.
      if (!ok) {
        return state.ip === undefined
          ? [{ ip: UNKNOWN, isHeard: false }, state]
          : [state];
      }
      if (state.ip !== undefined && !isSame) return [];
      return ip === undefined ? [] : [{ ip, isHeard: true }];
    case "DEL":
    case "gone":
      if (ok === undefined) return [NOTHING, state];
      return ok ? [NOTHING] : [state];
    case "CHECK":
      if (ok === undefined) return [state];
      return ok === (state.ip !== undefined) ? [state] : [];
    case "look":
      if (!isSame) return [];
      return [ip === undefined ? state : { ...state, ip }];
  }
}

/**
 * From the answer of an ADD to the next call that could end it, an address is
 * its owner's for sure: such spans of two owners never meet.
 */
function doubleOwner(calls: readonly Call[]): string | undefined {
  const spans = calls.flatMap((call) => {
    const { kind, ok, ip, endMs, owner } = call;
    if (kind !== "ADD" || !ok || ip === undefined || endMs === undefined) {
      return [];
    }
    const ends = calls.filter((one) =>
      one.owner === owner && (one.kind === "DEL" || one.kind === "gone") &&
      (one.endMs ?? Infinity) > call.startMs
    ).map(({ startMs }) => startMs);
    return [{ owner, ip, fromMs: endMs, toMs: Math.min(...ends) }];
  });
  for (const [ip, all] of Map.groupBy(spans, ({ ip }) => ip)) {
    const sorted = all.toSorted((a, b) => a.fromMs - b.fromMs);
    for (const [at, span] of sorted.entries()) {
      const other = sorted.slice(at + 1).find((one) =>
        one.owner !== span.owner && one.fromMs < span.toMs &&
        span.fromMs < one.toMs
      );
      if (other !== undefined) {
        return `${ip} has two owners: ${span.owner} and ${other.owner}`;
      }
    }
  }
}

function tell({ kind, startMs, endMs, ok, ip }: Call): string {
  const heard = ok === undefined ? "killed" : ok ? ip ?? "well" : "failed";
  return `  ${startMs.toFixed(1)} to ${endMs?.toFixed(1) ?? "…"} ${kind}: ` +
    heard;
}
