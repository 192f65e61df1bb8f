/**
 * What a daemon answers to `explain`: the stable form of
 * `terway explain --json`. Keys are only ever added; times are milliseconds
 * since 1970; an absent key says that there is nothing to tell.
 *
 * @module
 */

/** One interface of one sandbox, to tell it from others. */
export interface Candidate {
  /** `network/containerId/ifName`, by which exactly this one is found. */
  readonly owner: string;
  /** `namespace/name` of the pod. */
  readonly pod?: string;
  /** The path of its namespace. */
  readonly netns?: string;
  /** Its first address. */
  readonly ip?: string;
  /** Whether it has an address, waits for one, or had one. */
  readonly state: "leased" | "waiting" | "gone";
}

/** An object that the kernel doesn't hold as planned. */
export interface Differing {
  /** Not there at all, or there in another form. */
  readonly problem: "missing" | "changed";
  /** The command that makes it. */
  readonly object: string;
  /** What is there instead. */
  readonly seen?: string;
}

/** Something that happened, once or several times in a row. */
export interface Happening {
  readonly what: string;
  readonly detail: string;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}

/** What a pod has. */
export interface ExplainedLease {
  /** All its addresses. */
  readonly ips: readonly string[];
  /** The ENI that carries them. */
  readonly eni?: { readonly id: string; readonly mac: string };
  /** The pod CIDR that they are of. */
  readonly podCidr?: string;
  /** The datapath and its version. */
  readonly recipe: string;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** Since when. */
  readonly atMs: number;
}

/** One interface of one sandbox, whole. */
export interface Explained extends Candidate {
  /** What it has. */
  readonly lease?: ExplainedLease;
  /** What it waits for. */
  readonly waiting?: {
    readonly sinceMs: number;
    readonly reason: string;
    /** When the pool tries again by itself. */
    readonly nextMs?: number;
  };
  /** How the kernel is set up: commands that do the same, in their order. */
  readonly plan?: {
    /** For all pods of the same ENI or pod CIDR. */
    readonly shared: readonly string[];
    /** For this one. */
    readonly pod: readonly string[];
  };
  /** What differs in the kernel; absent when it couldn't be looked at. */
  readonly differences?: readonly Differing[];
  /** Why it couldn't be looked at. */
  readonly problem?: string;
  /** What happened, in order. */
  readonly history: readonly Happening[];
}

/** The answer. */
export type Explanation =
  | {
    readonly schema: 1;
    readonly kind: "pod";
    readonly nowMs: number;
    readonly pod: Explained;
    /** Earlier sandboxes that match too. */
    readonly earlier: readonly Candidate[];
  }
  | {
    readonly schema: 1;
    /** Several match, or none: then these are what there is. */
    readonly kind: "several" | "unknown";
    readonly nowMs: number;
    /** Some of them, those with an address first. */
    readonly candidates: readonly Candidate[];
    /** How many there are. */
    readonly count: number;
  };
