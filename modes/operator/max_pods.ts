/**
 * How many pods a node's network can serve in each mode. Pure.
 *
 * @module
 */

/** What a node has to give. */
export interface NodeRoom {
  /** ENIs that pods may use: neither the primary one nor others'. */
  readonly eniCount: number;
  /** Pods that an ENI carries when pods share it. */
  readonly podsPerEniCount: number;
  /** The node's pod CIDR, where it is known. */
  readonly podCidr?: {
    /** The prefix. */
    readonly cidr: string;
    /** Addresses that pods may have. */
    readonly capacity: number;
  };
}

/** What a mode can serve. */
export interface ModeRoom {
  /** `--daemon-mode`. */
  readonly mode: "ENIMultiIP" | "ENIOnly" | "VPC";
  /** Pods that get a network; absent when that can't be told. */
  readonly podCount?: number;
  /** What the kubelet may allow: pods of the host's network included. */
  readonly maxPods?: number;
  /** How it comes to that, for people. */
  readonly because: string;
}

/**
 * Works out what each mode can serve.
 *
 * @example A type with 4 ENIs of 10 addresses
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const rooms = roomsOf({ eniCount: 3, podsPerEniCount: 10 }, 2);
 * assertEquals(rooms.map(({ maxPods }) => maxPods), [32, 5, undefined]);
 * ```
 * @param room What the node has.
 * @param hostPodCount Pods of the host's network on each node: the kubelet
 * counts them, and they need no address of ours.
 * @returns One a mode.
 */
export function roomsOf(
  { eniCount, podsPerEniCount, podCidr }: NodeRoom,
  hostPodCount: number,
): readonly ModeRoom[] {
  const counted = (podCount: number) => ({
    podCount,
    maxPods: podCount + hostPodCount,
  });
  const enis = `${eniCount} ${eniCount === 1 ? "ENI" : "ENIs"}`;
  return [
    {
      mode: "ENIMultiIP",
      ...counted(eniCount * podsPerEniCount),
      because: `${enis} for ${podsPerEniCount} pods each`,
    },
    {
      mode: "ENIOnly",
      ...counted(eniCount),
      because: `${enis} for a pod each`,
    },
    podCidr === undefined
      ? {
        mode: "VPC",
        because: "the node's pod CIDR isn't known: name it by --pod-cidr",
      }
      : {
        mode: "VPC",
        ...counted(podCidr.capacity),
        because: `addresses of ${podCidr.cidr}; beside them ${enis} for pods ` +
          "that ask for one",
      },
  ];
}
