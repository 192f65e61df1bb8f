/**
 * The pods of a simulated node: what they were told, and what they may rely
 * on.
 *
 * @module
 */
import { familyOf, type Ip } from "../../netns/ip.ts";
import type { IpStack } from "../family.ts";
import { leasedIps } from "../lease.ts";
import type { Lease, OwnerKey } from "../state.ts";
import type { Simulation } from "./simulation.ts";
import { wishFor } from "./rig.ts";
import { Violation } from "./violation.ts";

/** What a pod knows of itself. */
type Pod =
  /** It asked. */
  | { readonly kind: "asking"; readonly end: AbortController }
  /** It was told. */
  | { readonly kind: "told"; readonly lease: Lease }
  /** It asked, or let go, and the process died: anything may be true. */
  | { readonly kind: "unsure" }
  /** It was told, and the journal was lost: it uses its address. */
  | { readonly kind: "orphan"; readonly lease: Lease }
  /** It lets go. */
  | { readonly kind: "going" };

/** The families of a pod's addresses, in their order. */
const FAMILIES: Readonly<Record<IpStack, string>> = {
  ipv4: "4",
  ipv6: "6",
  dual: "4,6",
};

/** Pods by owner. */
export class Pods {
  /** How many leases were told. */
  leaseCount: number = 0;
  /** Whether the process of these promises lives. */
  isServed: boolean = true;
  readonly #life: Simulation;
  readonly #all = new Map<OwnerKey, Pod>();
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

  /** Addresses that pods use, whatever the pool knows of them. */
  get used(): readonly Lease[] {
    return [...this.#all.values()].flatMap((pod) =>
      "lease" in pod ? [pod.lease] : []
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

  /** A pod goes, and so does one that never came, as runtimes have it. */
  go(): void {
    const owners = [
      this.#pick("told", "asking", "orphan"),
      this.#pick("unsure"),
    ];
    for (const owner of owners) if (owner !== undefined) this.release(owner);
  }

  /** A pod doesn't wait any longer. */
  giveUp(): void {
    const owner = this.#pick("asking");
    const pod = owner === undefined ? undefined : this.#all.get(owner);
    if (pod?.kind !== "asking") return;
    this.#note(`${owner} gives up`);
    pod.end.abort(new DOMException("the runtime gave up", "AbortError"));
  }

  /** The process died: what was promised may have happened or not. */
  bereave(): void {
    this.isServed = false;
    for (const [owner, pod] of this.#all) {
      if ("lease" in pod) continue;
      this.#all.set(owner, { kind: "unsure" });
    }
  }

  /** The journal is lost: nobody knows what pods use, but the kernel. */
  orphan(): void {
    for (const [owner, pod] of this.#all) {
      if (pod.kind !== "told") continue;
      this.#all.set(owner, { kind: "orphan", lease: pod.lease });
    }
  }

  /** A pod goes: what it has in the kernel first, then its lease. */
  release(owner: OwnerKey): void {
    const { keeper, process } = this.#life;
    this.isServed = true;
    this.#note(`${owner} goes`);
    this.#unuse(this.#all.get(owner));
    this.#all.set(owner, { kind: "going" });
    keeper.release(owner).then((lease) => {
      if (process.isDead) return;
      this.#note(`${owner} is gone, ${lease?.ip ?? "without a lease"}`);
      const pod = this.#all.get(owner);
      if (pod?.kind === "going") this.#all.delete(owner);
    }, () => {
      if (process.isDead) return;
      this.#note(`${owner} isn't gone`);
      this.#all.set(owner, { kind: "unsure" });
    });
  }

  #claim(owner: OwnerKey): void {
    const { keeper, process, clock, chance } = this.#life;
    this.isServed = true;
    const end = new AbortController();
    const before = this.#all.get(owner);
    this.#note(`${owner} asks`);
    if (before?.kind !== "told") this.#all.set(owner, { kind: "asking", end });
    const forget = clock.after(chance.int(1_000, 60_000), () => {
      end.abort(new DOMException("too late", "TimeoutError"));
    });
    keeper.claim(wishFor(owner), end.signal).then((lease) => {
      forget();
      if (process.isDead) return;
      this.#tell(owner, lease, before);
    }, (error) => {
      forget();
      if (process.isDead) return;
      this.#note(`${owner} is refused: ${(error as Error).message}`);
      // An owner that gave up may have had a lease from before a crash.
      if (this.#all.get(owner)?.kind === "asking") {
        this.#all.set(owner, { kind: "unsure" });
      }
    });
  }

  #tell(owner: OwnerKey, lease: Lease, before: Pod | undefined): void {
    const pod = this.#all.get(owner);
    this.#note(`${owner} has ${leasedIps(lease).join(" and ")}`);
    // It went in the meantime: the release came after, and holds.
    if (pod === undefined || pod.kind === "going") return;
    const { host, drifted, clock, script } = this.#life;
    if (before?.kind === "told" && before.lease.ip !== lease.ip) {
      const text = `${owner} has ${lease.ip} and had ${before.lease.ip}`;
      return this.#life.fail(new Violation("lease record", text));
    }
    const isNew = lease.atMs === clock.nowMs();
    if (isNew && !host.prepared.has(lease.eniId) && !drifted.has(lease.eniId)) {
      const text = `${lease.ip} is leased and ${lease.eniId} isn't set up`;
      return this.#life.fail(new Violation("kernel set", text));
    }
    const { stack } = script.world;
    const families = leasedIps(lease).map(familyOf).join();
    if (families !== FAMILIES[stack]) {
      const text = `${owner} has families ${families} where pods have ${stack}`;
      return this.#life.fail(new Violation("both or none", text));
    }
    if (pod.kind !== "told") this.leaseCount++;
    this.#all.set(owner, { kind: "told", lease });
    for (const ip of leasedIps(lease)) host.spoken.add(ip);
  }

  #unuse(pod: Pod | undefined): void {
    if (pod === undefined || !("lease" in pod)) return;
    for (const ip of leasedIps(pod.lease)) this.#unspeak(ip);
  }

  #unspeak(ip: Ip): void {
    this.#life.host.spoken.delete(ip);
  }

  #note(text: string): void {
    this.#life.trace.add("pod", () => text);
  }

  #pick(...kinds: Pod["kind"][]): OwnerKey | undefined {
    const owners = [...this.#all]
      .filter(([, pod]) => kinds.includes(pod.kind))
      .map(([owner]) => owner);
    return owners.length === 0 ? undefined : this.#life.chance.pick(owners);
  }
}
