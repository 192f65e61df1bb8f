/**
 * A script of faults: what goes wrong, with which calls, how often.
 *
 * Every rule sees the calls that it fits, in the order in which they come, and
 * draws from a seed of its own: the fate of a rule's n-th call depends on the
 * script, its seed and n alone, so that a run repeats bit for bit. The first
 * rule that strikes wins; the rules behind it see the call nevertheless.
 *
 * @module
 */
import type { Fault, FaultyCall } from "./faults.ts";
import { Identity } from "./identity.ts";

/** What a rule can do. */
export type FaultKind =
  /** The API is refused until the next minute. */
  | "throttle"
  /** The service fails: `status` 500 (default) or 503. Nothing is done. */
  | "5xx"
  /** No answer ever comes; the work is done if `done` says so. */
  | "timeout"
  /** The work is done, then the connection breaks in the answer. */
  | "lost"
  /** A proxy's page; the work is done if `done` says so. */
  | "garbage"
  /** RAM refuses. Nothing is done. */
  | "denied"
  /** The answer comes `ms` later (default 1 s). */
  | "slow"
  /** An attach is answered in time, but takes `ms` longer (default 60 s). */
  | "slow attach"
  /** Metadata shows the cards of `ms` earlier (default 30 s). */
  | "stale metadata";

/** One line of a script. */
export interface FaultRule {
  /** What goes wrong. */
  readonly fault: FaultKind;
  /** With which action; a trailing `*` stands for any end. @default {"*"} */
  readonly action?: string;
  /** How many fitting calls pass unharmed first. @default {0} */
  readonly after?: number;
  /** How often at most; by default once, but any number with `probability`. */
  readonly times?: number;
  /** How likely a fitting call is struck, 0 to 1. @default {1} */
  readonly probability?: number;
  /** How much later or older, in milliseconds; see {@linkcode FaultKind}. */
  readonly ms?: number;
  /** The HTTP status of `5xx`. */
  readonly status?: 500 | 503;
  /** Whether `timeout` and `garbage` come after the work. @default {false} */
  readonly done?: boolean;
}

/** A rule and what became of it. */
export interface RuleState extends FaultRule {
  /** How many calls fitted. */
  readonly seenCount: number;
  /** How many were struck. */
  readonly struckCount: number;
}

/** A script and what became of it; plain data. */
export interface ScriptState {
  /** The script's seed. */
  readonly seed: number;
  /** Its rules. */
  readonly rules: readonly RuleState[];
}

/** How long what takes time takes, unless the rule says. */
const DEFAULT_MS: Readonly<Partial<Record<FaultKind, number>>> = {
  "slow": 1_000,
  "slow attach": 60_000,
  "stale metadata": 30_000,
};

/** A rule that is under way. */
interface Entry {
  readonly rule: FaultRule;
  readonly chance: Identity;
  seenCount: number;
  struckCount: number;
}

/** A script that is under way; at first an empty one. */
export class FaultScript {
  #seed = 1;
  #entries: Entry[] = [];

  /**
   * Begins a script; the one before is forgotten.
   *
   * @param rules Its rules, in order.
   * @param seed Any whole number.
   */
  begin(rules: readonly FaultRule[], seed = 1): void {
    this.#seed = seed;
    this.#entries = rules.map((rule, place) => ({
      rule,
      // Far apart, so that neighbouring rules don't draw alike.
      chance: new Identity(seed + Math.imul(place + 1, 0x9e3779b1)),
      seenCount: 0,
      struckCount: 0,
    }));
  }

  /** Ends the script. */
  clear(): void {
    this.begin([], this.#seed);
  }

  /**
   * Tells what became of the script.
   *
   * @returns Plain data.
   */
  state(): ScriptState {
    return {
      seed: this.#seed,
      rules: this.#entries.map(({ rule, seenCount, struckCount }) => ({
        ...rule,
        seenCount,
        struckCount,
      })),
    };
  }

  /**
   * Decides about a call.
   *
   * @param call The call.
   * @returns Its fault, if it is struck.
   */
  take(call: FaultyCall): Fault | undefined {
    const struck = this.#strike(({ fault, action }) =>
      fault !== "stale metadata" && fits(action, call.action) &&
      (fault !== "slow attach" || call.action === "AttachNetworkInterface")
    );
    return struck === undefined ? undefined : faultOf(struck);
  }

  /**
   * Decides about a read of metadata.
   *
   * @returns How much older its answer is, in milliseconds.
   */
  takeStaleMs(): number {
    const struck = this.#strike(({ fault }) => fault === "stale metadata");
    return struck === undefined ? 0 : msOf(struck);
  }

  #strike(isMeant: (rule: FaultRule) => boolean): FaultRule | undefined {
    let winner: FaultRule | undefined;
    for (const entry of this.#entries) {
      if (!isMeant(entry.rule)) continue;
      if (!isStruck(entry) || winner !== undefined) continue;
      entry.struckCount++;
      winner = entry.rule;
    }
    return winner;
  }
}

/** Counts the call, and always draws: the n-th draw is the n-th call's. */
function isStruck(entry: Entry): boolean {
  const { after = 0, probability } = entry.rule;
  const times = entry.rule.times ??
    (probability === undefined ? 1 : Infinity);
  const drawn = entry.chance.random();
  return ++entry.seenCount > after && entry.struckCount < times &&
    drawn < (probability ?? 1);
}

function fits(pattern: string | undefined, action: string): boolean {
  if (pattern === undefined) return true;
  return pattern.endsWith("*")
    ? action.startsWith(pattern.slice(0, -1))
    : action === pattern;
}

function msOf({ fault, ms }: FaultRule): number {
  return ms ?? DEFAULT_MS[fault] ?? 0;
}

function faultOf(rule: FaultRule): Fault | undefined {
  const done = rule.done ?? false;
  switch (rule.fault) {
    case "throttle":
      return { kind: "throttle" };
    case "5xx":
      return rule.status === 503
        ? { kind: "refuse", code: "ServiceUnavailable" }
        : { kind: "refuse", code: "InternalError" };
    case "timeout":
      return { kind: "hang", done };
    case "lost":
      return { kind: "lost" };
    case "garbage":
      return { kind: "garbage", done };
    case "denied":
      return { kind: "refuse", code: "Forbidden.RAM" };
    case "slow":
      return { kind: "slow", ms: msOf(rule) };
    case "slow attach":
      return { kind: "slow attach", ms: msOf(rule) };
    case "stale metadata":
      return undefined; // no call's fault
  }
}
