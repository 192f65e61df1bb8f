/**
 * What an orchestrator knows of pods, and what it hears of them. Without one,
 * what the runtime says is all there is.
 *
 * @module
 */
import type { Ip } from "../../netns/ip.ts";
import type { PodName } from "../../netns/attachment.ts";
import type { Bandwidth } from "../../netns/bandwidth.ts";
import type { DecodedNetworks } from "./pod_networks.ts";

/** What a pod asks for, beside what the runtime says. */
export interface PodAsks {
  /** How fast it may be. */
  readonly bandwidth?: Bandwidth;
  /** Its interfaces, when it lists them. */
  readonly interfaces?: NonNullable<DecodedNetworks["interfaces"]>;
  /** Whether it has an ENI to itself. */
  readonly wantsEni?: boolean;
  /** Whether a successor of the same name shall have its addresses. */
  readonly keepsAddress?: boolean;
  /** Whether an ENI is made for it, which hangs on the node's trunk. */
  readonly wantsMember?: boolean;
  /** Why it can't be served, now or at all. */
  readonly hindrance?: PodHindrance;
}

/** The ENI that was made for a pod, and hangs on a trunk. */
export interface PodMember {
  /** The cloud's id. */
  readonly eniId: string;
  /** The trunk's. */
  readonly trunkId: string;
  /** The tag, by which the trunk tells it apart. */
  readonly vlanId: number;
  /** Its IPv4 address. */
  readonly ip4?: string;
  /** Its IPv6 address. */
  readonly ip6?: string;
  /** The IPv4 prefix of its vSwitch. */
  readonly subnet4?: string;
  /** The IPv6 prefix of its vSwitch. */
  readonly subnet6?: string;
}

/** The member, or why there is none. */
export type MemberAnswer =
  | { readonly member: PodMember }
  | { readonly hindrance: PodHindrance };

/** Why a pod can't be served. */
export interface PodHindrance {
  /** Whether trying again may help. */
  readonly mayPass: boolean;
  /** What happened. */
  readonly message: string;
  /** All of it, a line each. */
  readonly problems: readonly string[];
}

/** What a pod got. */
export interface PodGot {
  /** Its addresses. */
  readonly ips: readonly Ip[];
  /** The ENI that they are of; absent for those of the node's pod CIDR. */
  readonly eniId?: string;
  /** How long its ADD took. */
  readonly tookMs: number;
}

/** Knows pods, and hears of them. */
export interface PodBook {
  /**
   * Tells what a pod asks for.
   *
   * @param pod The pod.
   * @returns What it asks for; nothing of its own when the orchestrator
   * doesn't know it.
   */
  asksOf(pod: PodName): Promise<PodAsks>;
  /**
   * Waits for the ENI that is made for a pod.
   *
   * @param pod The pod.
   * @param node The instance that it must be bound to.
   * @param signal Ends the wait.
   * @returns The member as it is written, or what was waited for in vain.
   */
  memberOf(
    pod: PodName,
    node: { readonly instanceId: string },
    signal: AbortSignal,
  ): Promise<MemberAnswer>;
  /**
   * Hears that a pod has its network; returns at once.
   *
   * @param pod The pod.
   * @param got What it got.
   */
  attached(pod: PodName, got: PodGot): void;
  /**
   * Hears that a pod can't have its network now; returns at once.
   *
   * @param pod The pod.
   * @param why What the runtime is told.
   */
  refused(pod: PodName, why: string): void;
}
