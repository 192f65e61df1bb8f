/**
 * The pool of one node: the one loop with effects.
 *
 * Answers and wishes queue up; a turn takes them all, thinks (`turn.ts`),
 * writes the difference to the journal in one transaction, and only then lets
 * anybody know or begins a call. So a lease that was told is on disk, a call
 * that was made has its intent on disk, and callers that come together share
 * a commit.
 *
 * When the journal can't be written, what was wished is taken back: memory
 * never runs ahead of the disk, except with what the cloud said, which the
 * cloud can say again.
 *
 * @module
 */
import { Alarm, type Clock, systemClock } from "./clock.ts";
import type {
  ClaimWish,
  Keeper,
  KeeperOptions,
  LostAndFound,
  PoolStatus,
  Reconfiguration,
} from "./contract.ts";
import { PoolError } from "./error.ts";
import type { PoolEvent } from "./event.ts";
import { type CallEnd, Guard } from "./guard.ts";
import { CLAIMS_AT_ONCE, JOURNAL_RETRY_MS } from "./limits.ts";
import type { PoolNews } from "./news.ts";
import { reasonsOf } from "./reason.ts";
import { reconfigured } from "./reconfigure.ts";
import { leaseFound, notRecoveredError } from "./recover.ts";
import {
  brokenError,
  cancelledError,
  closedError,
  fullError,
  gaveUpError,
  notDrainedError,
  notStartedError,
  overloadedError,
} from "./refusal.ts";
import {
  emptyState,
  isEmptied,
  type Lease,
  type OwnerKey,
  type PoolState,
} from "./state.ts";
import { statusOf } from "./status.ts";
import { Turn, type TurnOptions } from "./turn.ts";
import { wakeMs } from "./wake.ts";
import { type Release, Waiters, Watchers } from "./waiters.ts";
import { WaitingNews } from "./waiting.ts";
import { Written } from "./written.ts";

/**
 * Makes the keeper of a node's pool; it does nothing before `start`.
 *
 * @param options What it works with.
 * @returns The keeper.
 */
export function openKeeper(options: KeeperOptions): Keeper {
  return new PoolKeeper(options);
}

class PoolKeeper implements Keeper {
  readonly #options: KeeperOptions;
  readonly #clock: Clock;
  readonly #chance: () => number;
  readonly #guard: Guard;
  #turnOptions: TurnOptions;
  readonly #waiters = new Waiters();
  readonly #watchers = new Watchers();
  readonly #waiting = new WaitingNews();
  #state: PoolState = emptyState();
  #mode: PoolStatus["mode"] = "new";
  /** What the cloud and the host said. */
  #facts: PoolEvent[] = [];
  /** What callers want, in order. */
  #wishes: (PoolEvent | Release)[] = [];
  #isTurnDue = false;
  readonly #alarm: Alarm;
  readonly #written: Written;
  #failure: PoolError | undefined;

  constructor(options: KeeperOptions) {
    const { cloud, host, config, limits } = options;
    this.#options = options;
    this.#written = new Written(options.journal);
    this.#clock = options.clock ?? systemClock();
    this.#alarm = new Alarm(this.#clock, () => this.#wake());
    this.#chance = options.chance ?? Math.random;
    this.#guard = new Guard({
      cloud,
      host,
      config,
      vSwitches: limits.vSwitches,
      clock: this.#clock,
      onEnd: (end) => this.#hear(end),
    });
    this.#turnOptions = {
      limits,
      config,
      token: options.token ?? (() => crypto.randomUUID()),
      wishOf: (ownerKey) => this.#waiters.wishOf(ownerKey),
    };
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#mode !== "new") throw this.#closed("start");
    this.#mode = "starting";
    this.#state = this.#written.load(this.#clock.nowMs());
    this.#configure();
    await this.#watchers.wait((state) => state.surveyedMs !== undefined, {
      signal,
      error: () => notStartedError(this.#state),
    });
    if (this.#mode === "starting") this.#mode = "serving";
  }

  async claim(wish: ClaimWish, signal: AbortSignal): Promise<Lease> {
    const { ownerKey } = wish;
    // An owner that has a lease gets it even while the pool is being emptied.
    const isShut = this.#state.draining && this.lease(ownerKey) === undefined;
    if (this.#mode === "new" || this.#mode === "stopped" || isShut) {
      throw this.#closed(`lease an address to ${ownerKey}`);
    }
    if (this.#waiters.ownerCount >= CLAIMS_AT_ONCE) {
      throw overloadedError(ownerKey, CLAIMS_AT_ONCE);
    }
    const nowMs = this.#clock.nowMs();
    if (signal.aborted) {
      throw this.#gaveUp(ownerKey, { signal, sinceMs: nowMs });
    }
    const lease = this.#waiters.wait(wish, signal, (isLast) => {
      const error = this.#gaveUp(ownerKey, { signal, sinceMs: nowMs });
      if (isLast) this.#wish({ kind: "dropped", ownerKey });
      return error;
    });
    this.#wish({ kind: "claimed", ownerKey, nowMs });
    return await lease;
  }

  release(ownerKey: OwnerKey): Promise<Lease | undefined> {
    const { promise, ...ends } = Promise.withResolvers<Lease | undefined>();
    if (this.#mode === "new" || this.#mode === "stopped") {
      ends.reject(this.#closed(`release ${ownerKey}`));
    } else {
      this.#wish({ ownerKey, ...ends });
    }
    return promise;
  }

  async recover(
    found: LostAndFound,
    signal: AbortSignal,
  ): Promise<Lease | undefined> {
    const lease = leaseFound(this.#state, found, this.#clock.nowMs());
    if (lease === undefined) return undefined;
    const { from } = found;
    this.#wish({ kind: "recovered", lease, ...from !== undefined && { from } });
    await this.#watchers.wait((state) => state.leases.has(lease.ownerKey), {
      signal,
      error: () => notRecoveredError(found),
    });
    return this.lease(lease.ownerKey);
  }

  lease(ownerKey: OwnerKey): Lease | undefined {
    return this.#state.leases.get(ownerKey);
  }

  leases(): readonly Lease[] {
    return [...this.#state.leases.values()];
  }

  reconfigure(change: Reconfiguration): void {
    if (this.#mode === "stopped") throw this.#closed("change the pool");
    const { limits, config } = reconfigured(this.#turnOptions, change);
    this.#turnOptions = { ...this.#turnOptions, limits, config };
    this.#guard.configure(config, limits.vSwitches);
    if (this.#mode !== "new") this.#configure();
  }

  status(): PoolStatus {
    const now = { nowMs: this.#clock.nowMs(), mode: this.#mode };
    return statusOf(this.#state, this.#turnOptions.limits, now);
  }

  async drain(signal: AbortSignal): Promise<void> {
    if (this.#mode === "new" || this.#mode === "stopped") {
      throw this.#closed("drain the pool");
    }
    this.#mode = "draining";
    this.#wish({ kind: "draining", nowMs: this.#clock.nowMs() });
    await this.#watchers.wait(isEmptied, {
      signal,
      error: () => notDrainedError(this.#state),
    });
  }

  async stop(): Promise<void> {
    if (this.#mode !== "stopped") this.#end(undefined);
    await this.#guard.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** A fact, since it holds whether the journal can be written or not. */
  #configure(): void {
    const { config: { securityGroupIds }, limits } = this.#turnOptions;
    const { stack } = limits;
    this.#facts.push({ kind: "configured", securityGroupIds, stack });
    this.#wake();
  }

  #wish(wish: PoolEvent | Release): void {
    this.#wishes.push(wish);
    this.#wake();
  }

  #hear(end: CallEnd): void {
    const nowMs = this.#clock.nowMs();
    this.#facts.push(
      "answer" in end
        ? { kind: "answered", nowMs, ...end, ...this.#spread(end) }
        : { kind: "failed", nowMs, chance: this.#chance(), ...end },
    );
    this.#wake();
  }

  /** Surveys alone come again by themselves: nodes must not march in step. */
  #spread(end: CallEnd): { chance?: number } {
    const isSurvey = "answer" in end && end.answer.kind === "survey";
    return isSurvey ? { chance: this.#chance() } : {};
  }

  /** All that comes before the microtask runs shares its turn, and its commit. */
  #wake(): void {
    if (this.#isTurnDue || this.#mode === "stopped") return;
    this.#isTurnDue = true;
    queueMicrotask(() => {
      this.#isTurnDue = false;
      if (this.#mode === "stopped") return;
      try {
        this.#turn();
      } catch (error) {
        this.#break(error);
      }
    });
  }

  #turn(): void {
    const nowMs = this.#clock.nowMs();
    const [facts, wishes] = [this.#facts, this.#wishes];
    [this.#facts, this.#wishes] = [[], []];
    const turn = new Turn(this.#state, this.#turnOptions);
    for (const fact of facts) turn.apply(fact);
    const settled = { state: turn.state, newsCount: turn.news.length };
    const answers: (() => void)[] = [];
    for (const wish of wishes) this.#apply(turn, wish, { nowMs, answers });
    turn.decide(nowMs);
    try {
      this.#tell(this.#written.write(turn.state));
    } catch (error) {
      if (!(error instanceof PoolError) || error.kind !== "journal") {
        throw error;
      }
      this.#tell(turn.news.slice(0, settled.newsCount));
      this.#takeBack(settled.state, wishes, error);
      return;
    }
    this.#state = turn.state;
    for (const call of turn.calls) this.#guard.begin(this.#state, call);
    for (const answer of answers) answer();
    this.#deliver(turn);
    this.#tell(turn.news);
    const { limits } = this.#turnOptions;
    this.#tell(this.#waiting.of(this.#state, limits, nowMs));
    this.#watchers.meet(this.#state);
    this.#alarm.set(wakeMs(this.#state, limits, nowMs));
  }

  #apply(
    turn: Turn,
    wish: PoolEvent | Release,
    { nowMs, answers }: { nowMs: number; answers: (() => void)[] },
  ): void {
    if ("kind" in wish) return turn.apply(wish);
    const { ownerKey, resolve } = wish;
    const lease = turn.state.leases.get(ownerKey);
    answers.push(() => resolve(lease));
    if (lease !== undefined) {
      return turn.apply({ kind: "released", ownerKey, nowMs });
    }
    if (!turn.state.claims.has(ownerKey)) return;
    turn.apply({ kind: "dropped", ownerKey });
    answers.push(() => this.#reject(ownerKey, cancelledError(ownerKey)));
  }

  /** Facts stay; whoever waits is told, since nothing can be promised now. */
  #takeBack(
    settled: PoolState,
    wishes: readonly (PoolEvent | Release)[],
    error: PoolError,
  ): void {
    this.#state = { ...settled, claims: new Map() };
    for (const wish of wishes) {
      if ("reject" in wish) wish.reject(error);
      else if (wish.kind === "draining") this.#wishes.push(wish);
    }
    for (const waiter of this.#waiters.takeAll()) waiter.reject(error);
    this.#tell(this.#written.refused(error.message));
    this.#alarm.set(this.#clock.nowMs() + JOURNAL_RETRY_MS);
  }

  #deliver(turn: Turn): void {
    for (const { ownerKey, cause } of turn.refused) {
      const error = cause instanceof Error ? cause : fullError(ownerKey, cause);
      this.#reject(ownerKey, error);
    }
    for (const ownerKey of this.#waiters.owners()) {
      const lease = this.#state.leases.get(ownerKey);
      if (lease === undefined) continue;
      for (const waiter of this.#waiters.take(ownerKey)) waiter.resolve(lease);
      turn.granted.delete(ownerKey);
    }
    for (const ownerKey of turn.granted) {
      // Whoever wanted it gave up while it was granted.
      this.#wish({ ownerKey, resolve: () => {}, reject: () => {} });
    }
    if (this.#state.draining) this.#turnAway();
  }

  #turnAway(): void {
    for (const waiter of this.#waiters.takeAll()) {
      waiter.reject(
        this.#closed(`lease an address to ${waiter.wish.ownerKey}`),
      );
    }
  }

  #reject(ownerKey: OwnerKey, error: Error): void {
    for (const waiter of this.#waiters.take(ownerKey)) waiter.reject(error);
  }

  #tell(news: readonly PoolNews[]): void {
    for (const one of news) this.#options.onNews?.(one);
  }

  #break(cause: unknown): void {
    const failure = brokenError(cause);
    this.#end(failure);
    this.#tell([{ kind: "broken", error: failure }]);
    void this.#guard.stop();
  }

  #end(failure: PoolError | undefined): void {
    this.#failure = failure;
    this.#mode = "stopped";
    this.#alarm.end();
    this.#watchers.reject(this.#closed("go on"));
    this.#turnAway();
    for (const wish of this.#wishes) {
      if ("reject" in wish) {
        wish.reject(this.#closed(`release ${wish.ownerKey}`));
      }
    }
  }

  #closed(wish: string): PoolError {
    return closedError(wish, this.#mode, this.#failure);
  }

  #gaveUp(
    ownerKey: OwnerKey,
    { signal, sinceMs }: { signal: AbortSignal; sinceMs: number },
  ): PoolError {
    const nowMs = this.#clock.nowMs();
    const { limits } = this.#turnOptions;
    const reason = reasonsOf(this.#state, limits, nowMs).get(ownerKey);
    return gaveUpError(ownerKey, { waitedMs: nowMs - sinceMs, reason, signal });
  }
}
