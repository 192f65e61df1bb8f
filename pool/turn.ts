/**
 * One turn of the keeper, as far as it is thought: what happened and what was
 * asked for goes in, the next state and what must be done go out. Effects are
 * the keeper's.
 *
 * @module
 */
import type { ClaimWish, Grant, PoolConfig } from "./contract.ts";
import { invariant } from "./error.ts";
import type { Call, OpenCall, PoolEvent } from "./event.ts";
import { hostEni } from "./guard.ts";
import type { PoolLimits } from "./limits.ts";
import type { PoolNews } from "./news.ts";
import { type Action, type CallWish, plan } from "./plan.ts";
import { eniOf, type Lease, type OwnerKey, type PoolState } from "./state.ts";
import { step } from "./step.ts";
import { tell } from "./tell.ts";

/** What a turn works with. */
export interface TurnOptions {
  /** The pool's bounds. */
  readonly limits: PoolLimits;
  /** What new cards get. */
  readonly config: PoolConfig;
  /** Gives a token that was never given before. */
  readonly token: () => string;
  /** Finds what an owner is to get. */
  readonly wishOf: (ownerKey: OwnerKey) => ClaimWish | undefined;
}

/** A claim that ends without a lease. */
export interface Refused {
  /** Whose. */
  readonly ownerKey: OwnerKey;
  /** Why: the plan's reason, or what the caller's own `attach` threw. */
  readonly cause: Extract<Action, { kind: "refuse" }>["reason"] | Error;
}

/** The state as a turn changes it, and what must be done once it is written. */
export class Turn {
  /** The pool as it is now. */
  state: PoolState;
  /** Calls to begin. */
  readonly calls: OpenCall[] = [];
  /** Owners that have a lease since this turn. */
  readonly granted: Set<OwnerKey> = new Set<OwnerKey>();
  /** Claims that end without a lease. */
  readonly refused: Refused[] = [];
  /** What to tell. */
  readonly news: PoolNews[] = [];
  readonly #options: TurnOptions;

  /**
   * Begins a turn.
   *
   * @param state The pool before.
   * @param options What it works with.
   */
  constructor(state: PoolState, options: TurnOptions) {
    this.state = state;
    this.#options = options;
  }

  /**
   * Applies an event.
   *
   * @throws {PoolError} `broken` when it can't have happened.
   */
  apply(event: PoolEvent): void {
    const before = this.state;
    this.state = step(before, event);
    if (this.state !== before) {
      this.news.push(...tell(event, before, this.state));
    }
  }

  /**
   * Plans until there is nothing left to do now.
   *
   * @param nowMs The time.
   * @throws {PoolError} `broken` when the plan doesn't come to rest.
   */
  decide(nowMs: number): void {
    for (let round = 0;; round++) {
      const actions = plan(this.state, this.#options.limits, nowMs);
      if (actions.length === 0) return;
      invariant(
        round < MOST_ROUNDS,
        `the plan comes to no rest: it wants ${actions[0]?.kind} again`,
      );
      for (const action of actions) this.#act(action, nowMs);
    }
  }

  #act(action: Action, nowMs: number): void {
    switch (action.kind) {
      case "grant":
        return this.#grant(action, nowMs);
      case "refuse": {
        const { ownerKey, reason } = action;
        this.#refuse(ownerKey, reason);
        this.news.push({ kind: "claimRefused", ownerKey, reason });
        return;
      }
      case "warmed":
        return this.apply(action);
      case "cool":
        return this.apply({ ...action, kind: "cooled", nowMs });
      case "call": {
        const id = this.state.nextCallId;
        this.apply({ kind: "begun", call: this.#complete(action.call), nowMs });
        const open = this.state.calls.get(id);
        invariant(open !== undefined, `call ${id} didn't begin`);
        this.calls.push(open);
      }
    }
  }

  #grant(action: Extract<Action, { kind: "grant" }>, nowMs: number): void {
    const { ownerKey, eniKey, ip, ip6 } = action;
    const wish = this.#options.wishOf(ownerKey);
    // Nobody waits any more: the event that tells so is on its way.
    if (wish === undefined) return this.apply({ kind: "dropped", ownerKey });
    const eni = hostEni(eniOf(this.state, eniKey));
    try {
      const held = { ownerKey, ip, ...(ip6 === undefined ? {} : { ip6 }) };
      const made = attached(wish, { ...held, eni });
      const lease = {
        ...held,
        eniKey,
        eniId: eni.id,
        ...made,
        atMs: nowMs,
      };
      this.apply({ kind: "granted", lease });
      this.granted.add(ownerKey);
    } catch (error) {
      if (!(error instanceof AttachError)) throw error;
      this.#refuse(ownerKey, error);
    }
  }

  #refuse(ownerKey: OwnerKey, cause: Refused["cause"]): void {
    this.apply({ kind: "dropped", ownerKey });
    this.refused.push({ ownerKey, cause });
  }

  #complete(wish: CallWish): Call {
    const { token, config } = this.#options;
    if (wish.kind === "create" && wish.eniKey === undefined) {
      const { securityGroupIds } = config;
      const intent = { ...wish.wish, securityGroupIds };
      return { kind: "create", eniKey: token(), intent };
    }
    if ("count" in wish) return { ...wish, token: wish.token ?? token() };
    return wish;
  }
}

/** More than any plan needs: each round hands out, refuses or begins something. */
const MOST_ROUNDS = 64;

/** What a caller's `attach` threw, or that what it gave can't be written. */
export class AttachError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "AttachError";
}

function attached(
  wish: ClaimWish,
  grant: Grant,
): Pick<Lease, "recipe" | "attachment"> {
  try {
    const { recipe, attachment } = wish.attach(grant);
    // As it will be read after a restart, and out of the caller's reach.
    const text = JSON.stringify(attachment);
    return { recipe, attachment: JSON.parse(text) as unknown };
  } catch (cause) {
    throw new AttachError(
      `Cannot lease ${grant.ip} to ${grant.ownerKey} as its attachment can't be made: ${
        cause instanceof Error ? cause.message : String(cause)
      }`,
      { cause },
    );
  }
}
