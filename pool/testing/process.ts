/**
 * A process that may be killed at any boundary: before a call, while it is on
 * its way, when its answer comes; before and after a write. Once dead it does
 * nothing any more; what it sent is still on its way.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Cloud } from "../cloud.ts";
import { PoolError } from "../error.ts";
import type { HostEni, PoolHost } from "../contract.ts";
import type { Journal } from "../journal.ts";
import type { Change, Snapshot } from "../record.ts";

/** What the outside is to a process. */
export interface Outside {
  /** Time. */
  readonly clock: Clock;
  /** The cloud. */
  readonly cloud: Cloud;
  /** The disk. */
  readonly journal: Journal;
  /** The kernel. */
  readonly host: PoolHost;
}

/** Thrown where a dead process would go on without waiting. */
export class Killed extends Error {
  /** The class's name. */
  override readonly name = "Killed";
}

/** A process: the outside as it sees it, until it dies. */
export class Process implements Outside {
  /** {@inheritDoc Outside.clock} */
  readonly clock: Clock;
  /** {@inheritDoc Outside.cloud} */
  readonly cloud: Cloud;
  /** {@inheritDoc Outside.journal} */
  readonly journal: Journal;
  /** {@inheritDoc Outside.host} */
  readonly host: PoolHost;
  /** Whether it was killed. */
  isDead: boolean = false;
  /** Whether that was in the script, and not at a boundary. */
  isEnded: boolean = false;
  /** Calls to the cloud that it waits for: when each began. */
  readonly callsSinceMs: Set<{ readonly sinceMs: number }> = new Set();
  /** Boundaries that it has passed. */
  passedCount: number = 0;
  /** Boundaries that it may still pass; it dies at the next one. */
  fuse: number = Infinity;
  /** Whether the disk refuses to be written to. */
  isDiskFull: boolean = false;

  /**
   * Begins one.
   *
   * @param outside What it lives in.
   */
  constructor(outside: Outside) {
    this.clock = this.#clockOf(outside.clock);
    this.cloud = this.#cloudOf(outside.cloud);
    this.journal = this.#journalOf(outside.journal);
    this.host = this.#hostOf(outside.host);
  }

  /** Kills it, for a reason of its life's script. */
  end(): void {
    this.isDead = true;
    this.isEnded = true;
  }

  #pass(): void {
    if (this.isDead) return;
    if (--this.fuse < 0) this.isDead = true;
    else this.passedCount++;
  }

  #clockOf(clock: Clock): Clock {
    return {
      nowMs: () => clock.nowMs(),
      after: (delayMs, work) =>
        clock.after(delayMs, () => {
          if (!this.isDead) work();
        }),
    };
  }

  #cloudOf(cloud: Cloud): Cloud {
    return new Proxy(cloud, {
      get: (target, name): unknown => {
        const method = Reflect.get(target, name) as (
          ...args: unknown[]
        ) => Promise<unknown>;
        return (...args: unknown[]) =>
          this.#wait(() => method.apply(target, args));
      },
    });
  }

  #journalOf(journal: Journal): Journal {
    return {
      load: (): Snapshot => journal.load(),
      commit: (change: Change): void => {
        this.#pass();
        if (this.isDead) throw new Killed();
        if (this.isDiskFull) throw diskFull();
        journal.commit(change);
        this.#pass();
        if (this.isDead) throw new Killed();
      },
      close(): void {},
      [Symbol.dispose](): void {},
    };
  }

  #hostOf(host: PoolHost): PoolHost {
    const around = (work: () => Promise<void>) => this.#waitHost(work);
    return {
      prepare: (eni: HostEni, signal) =>
        around(() => host.prepare(eni, signal)),
      retire: (eni: HostEni, signal) => around(() => host.retire(eni, signal)),
      speaksFor: (ip, signal) =>
        this.#waitHost(async () => await host.speaksFor?.(ip, signal) ?? true),
    };
  }

  async #wait<T>(work: () => Promise<T>): Promise<T> {
    const call = { sinceMs: this.clock.nowMs() };
    this.callsSinceMs.add(call);
    try {
      return await this.#waitHost(work);
    } finally {
      this.callsSinceMs.delete(call);
    }
  }

  async #waitHost<T>(work: () => Promise<T>): Promise<T> {
    this.#pass();
    if (this.isDead) return await new Promise<never>(() => {});
    let result: { value: T } | { error: unknown };
    try {
      const under = work();
      // It is on its way: what it does happens also when nobody waits for it.
      this.#pass();
      result = { value: await under };
    } catch (error) {
      result = { error };
    }
    this.#pass();
    if (this.isDead) return await new Promise<never>(() => {});
    if ("error" in result) throw result.error;
    return result.value;
  }
}

function diskFull(): PoolError {
  return new PoolError("journal", "Cannot write as the disk is full");
}
