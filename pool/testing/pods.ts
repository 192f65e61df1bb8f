/**
 * The pods of a simulated node: what they were told, and what they may rely
 * on.
 *
 * @module
 */
import { COOLING_MS } from "../limits.ts";
import type { Lease, OwnerKey } from "../state.ts";
import type { Simulation } from "./simulation.ts";
import { wishFor } from "./rig.ts";

/** What a pod knows of itself. */
type Pod =
  /** It asked. */
  | { readonly kind: "asking"; readonly end: AbortController }
  /** It was told. */
  | { readonly kind: "told"; readonly lease: Lease }
  /** It asked, or let go, and the process died: anything may be true. */
  | { readonly kind: "unsure" }
  /** It lets go. */
  | { readonly kind: "going" };

/** Pods by owner. */
export class Pods {
  /** How many leases were told. */
  leaseCount: number = 0;
  /** Whether the process of these promises lives. */
  isServed: boolean = true;
  readonly #life: Simulation;
  readonly #all = new Map<OwnerKey, Pod>();
  readonly #freeFromMs = new Map<string, number>();
  #count = 0;

  /**
   * Begins without pods.
   *
   * @param life Where they live.
   */
  constructor(life: Simulation) {
    this.#life = life;
  }

  /** Leases that pods rely on. */
  get told(): readonly Lease[] {
    return [...this.#all.values()].flatMap((pod) =>
      pod.kind === "told" ? [pod.lease] : []
    );
  }

  /** Owners that may have a lease. */
  get owners(): readonly OwnerKey[] {
    return [...this.#all.keys()];
  }

  /** A new pod asks. */
  come(): void {
    this.#claim(`pod-${++this.#count}`);
  }

  /** A pod that has asked before asks again. */
  ask(): void {
    const owner = this.#pick("told", "unsure", "asking");
    if (owner !== undefined) this.#claim(owner);
  }

  /** A pod goes. */
  go(): void {
    const owner = this.#pick("told", "unsure", "asking");
    if (owner !== undefined) this.release(owner);
  }

  /** A pod doesn't wait any longer. */
  giveUp(): void {
    const owner = this.#pick("asking");
    const pod = owner === undefined ? undefined : this.#all.get(owner);
    if (pod?.kind !== "asking") return;
    this.#life.note(`${owner} gives up`);
    pod.end.abort(new DOMException("the runtime gave up", "AbortError"));
  }

  /** The process died: what was promised may have happened or not. */
  bereave(): void {
    this.#life.note("the process is dead");
    this.isServed = false;
    for (const [owner, pod] of this.#all) {
      if (pod.kind === "told") continue;
      this.#all.set(owner, { kind: "unsure" });
    }
  }

  /** A pod goes, and is told so. */
  release(owner: OwnerKey): void {
    const { keeper, process } = this.#life;
    this.isServed = true;
    this.#life.note(`${owner} goes`);
    this.#all.set(owner, { kind: "going" });
    const released = keeper.release(owner);
    released.then((lease) => {
      if (process.isDead) return;
      const pod = this.#all.get(owner);
      if (pod?.kind === "going") this.#all.delete(owner);
      if (lease !== undefined) this.#rest(lease.ip);
    }, () => {
      if (process.isDead) return;
      this.#all.set(owner, { kind: "unsure" });
    });
  }

  #claim(owner: OwnerKey): void {
    const { keeper, process, clock, chance } = this.#life;
    this.isServed = true;
    const end = new AbortController();
    const before = this.#all.get(owner);
    this.#life.note(`${owner} asks`);
    if (before?.kind !== "told") this.#all.set(owner, { kind: "asking", end });
    const forget = clock.after(chance.int(1_000, 60_000), () => {
      end.abort(new DOMException("too late", "TimeoutError"));
    });
    keeper.claim(wishFor(owner), end.signal).then((lease) => {
      forget();
      if (process.isDead) return;
      this.#tell(owner, lease, before);
    }, () => {
      forget();
      if (process.isDead) return;
      // An owner that gave up may have had a lease from before a crash.
      if (this.#all.get(owner)?.kind === "asking") {
        this.#all.set(owner, { kind: "unsure" });
      }
    });
  }

  #tell(owner: OwnerKey, lease: Lease, before: Pod | undefined): void {
    const pod = this.#all.get(owner);
    // It went in the meantime: the release came after, and holds.
    if (pod === undefined || pod.kind === "going") return;
    if (before?.kind === "told" && before.lease.ip !== lease.ip) {
      return this.#life.fail(`${owner} was told ${before.lease.ip} before`);
    }
    const freeMs = this.#freeFromMs.get(lease.ip) ?? 0;
    const isNew = lease.atMs === this.#life.clock.nowMs();
    if (isNew && pod.kind === "asking" && freeMs > lease.atMs) {
      return this.#life.fail(`${lease.ip} was leased before it had cooled`);
    }
    if (pod.kind !== "told") this.leaseCount++;
    this.#all.set(owner, { kind: "told", lease });
  }

  #rest(ip: string): void {
    this.#freeFromMs.set(ip, this.#life.clock.nowMs() + COOLING_MS);
  }

  #pick(...kinds: Pod["kind"][]): OwnerKey | undefined {
    const owners = [...this.#all]
      .filter(([, pod]) => kinds.includes(pod.kind))
      .map(([owner]) => owner);
    return owners.length === 0 ? undefined : this.#life.chance.pick(owners);
  }
}
