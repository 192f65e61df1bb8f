/**
 * What preflight sees of a host, as plain data: `preflight_observe.ts` fills
 * it in, `preflight.ts` judges it.
 *
 * @module
 */
import type { Mac } from "../../netns/attachment.ts";
import type { Family } from "../../netns/ip.ts";

/** A base chain of nftables that forwarded packets pass. */
export interface ForwardChain {
  /** Whose packets: `ip`, `ip6`, `inet` for both; others are no pod's. */
  readonly family: string;
  /** Its table. */
  readonly table: string;
  /** Its name. */
  readonly name: string;
  /** Its type and priority: a policy is set together with them. */
  readonly type: string;
  /** See `type`. */
  readonly prio: number;
  /** What becomes of a packet that no rule decides on: `accept`, `drop`. */
  readonly policy: string;
}

/** The chain `FORWARD` of the older filter, where that is in use. */
export interface LegacyChain {
  /** Whose packets. */
  readonly family: Family;
  /** What shows and sets it, such as `iptables-legacy`. */
  readonly program: string;
  /** `ACCEPT`, `DROP`; nothing when the program couldn't be run. */
  readonly policy?: string;
}

/** How mounts of the host become visible where runtimes keep namespaces. */
export interface NetnsMount {
  /** The folder. */
  readonly path: string;
  /** The mount point that it lies in. */
  readonly mountPoint: string;
  /** Whether mounts made elsewhere appear here. */
  readonly propagation: "shared" | "slave" | "private";
  /** Whether this process has the host's own mounts; absent when unknown. */
  readonly isHost?: boolean;
}

/** A program that sets cards up. */
export type Manager = "NetworkManager" | "systemd-networkd";

/** What was seen of programs that set cards up. */
export interface ManagersSeen {
  /** Those that run here. */
  readonly running: readonly Manager[];
  /** Files that keep them off, by path, as they are. */
  readonly files: ReadonlyMap<string, string>;
  /** The MACs of the ENIs that pods use, or shall. */
  readonly eniMacs: readonly Mac[];
}

/** What was seen of a host. */
export interface HostSeen {
  /** The families that pods have. */
  readonly families: readonly Family[];
  /** The node's own card, which no plan sets up. */
  readonly uplink?: string;
  /** Settings by key, such as `net/ipv4/ip_forward`; none that isn't there. */
  readonly settings: ReadonlyMap<string, string>;
  /** nftables' chains, or why they can't be seen, and whether there are none. */
  readonly chains:
    | readonly ForwardChain[]
    | { readonly unseen: string; readonly isNone: boolean };
  /** The older filter, where it is in use. */
  readonly legacy: readonly LegacyChain[];
  /** Absent when this process's mounts can't be read. */
  readonly netns?: NetnsMount;
  /** Absent where nobody has looked. */
  readonly managers?: ManagersSeen;
}
