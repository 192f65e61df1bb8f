/**
 * How fast a pod may send and receive, as steps of its plan.
 *
 * ```text
 *  veth       pod eth0 ═ TBF ═►  caliXXX ──► network        what it sends
 *             pod eth0 ◄═ TBF ═  caliXXX ◄── network        what it gets
 *
 *  its own    pod eth0 ═ TBF ═►  network                    what it sends
 *  card       pod eth0 ◄── ingress, redirected to ifbXXX
 *                 ▲═══ TBF ═══ ifbXXX ◄┘                    what it gets
 * ```
 *
 * A queue can hold back only what a link sends, so a limit sits where packets
 * leave a link. What a pod sends waits on its own links: there the queue
 * pushes back on the sockets, and nothing is dropped that could have waited.
 * An ifb on the node would do it out of reach of a pod with NET_ADMIN, but
 * for one more link a pod on the node, and by dropping. What a pod gets waits
 * on the node's end of the pair; a card of the pod's own has no other end
 * here, so its packets take a turn over an ifb in the pod's namespace.
 *
 * A pod with several links sends at the rate on each of them, and gets all of
 * them together at the rate. This module reads no kernel.
 *
 * @module
 */
import { hostLinkName, type Mac, type Owner, vethMacs } from "./attachment.ts";
import type { Place } from "./step.ts";

/** How fast a pod may send and receive; what is absent has no limit. */
export interface Bandwidth {
  /** What it gets, in bits per second. */
  readonly ingressBitsPerSec?: number;
  /** How much of that may come at once, in bits; ours when absent. */
  readonly ingressBurstBits?: number;
  /** What it sends, in bits per second. */
  readonly egressBitsPerSec?: number;
  /** How much of that may go at once, in bits; ours when absent. */
  readonly egressBurstBits?: number;
}

/** What a token bucket is set to. */
export interface TbfSizes {
  /** Its rate, Ethernet headers counted. */
  readonly bytesPerSec: number;
  /** How much may go at once after a pause. */
  readonly burstBytes: number;
  /** How much may wait, beyond which packets are dropped. */
  readonly limitBytes: number;
}

/** A token bucket on what a link sends. Source: tc-tbf(8). */
export interface TbfStep extends TbfSizes {
  /** Discriminates. */
  readonly kind: "tbf";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
}

/** A link that packets only pass through, to be held back there. */
export interface IfbStep {
  /** Discriminates. */
  readonly kind: "ifb";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** Its MAC. */
  readonly mac: Mac;
  /** Bytes in a packet. */
  readonly mtu: number;
}

/** All that comes in by a link takes a turn over another one. */
export interface RedirectStep {
  /** Discriminates. */
  readonly kind: "redirect";
  /** Where. */
  readonly place: Place;
  /** The link that packets come in by. */
  readonly link: string;
  /** The ifb. */
  readonly to: string;
}

/** A step that limits a pod's bandwidth. */
export type BandwidthStep = TbfStep | IfbStep | RedirectStep;

/** A pod's links, as far as its bandwidth goes. */
export interface BandwidthWish {
  /** Its limits; absent for none. */
  readonly bandwidth: Bandwidth | undefined;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** The names of its links in its namespace. */
  readonly podLinks: readonly string[];
  /**
   * The node's end of its only link, or an ifb for a pod that has a card of
   * its own: see {@linkcode ifbOf}.
   */
  readonly ingress: { readonly hostLink: string } | {
    readonly ifb: { readonly name: string; readonly mac: Mac };
  };
}

/** The bucket's time: a kernel of 250 Hz fills it once a tick. Source: tc-tbf(8). */
const BURST_MS = 4;
/** A bucket of one packet waits for the clock after each. */
const MIN_BURST_PACKETS = 2;
/** How long a packet may wait, as in Go Terway. */
const WAIT_MS = 25;
/** The first flight of a TCP connection shall find room. Source: RFC 6928. */
const MIN_WAITING_PACKETS = 10;
/** An Ethernet header with a VLAN tag, which the bucket counts. */
const HEADER_BYTES = 18;
/** Far from where the kernel's 32-bit sizes end. */
const MAX_BYTES = 2 ** 30;

/**
 * Gives the steps that limit a pod. They come after the links and before what
 * brings packets to them, so that none goes unlimited.
 *
 * @example A pod on a veth pair, 10 Mbit/s both ways
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const steps = bandwidthSteps({
 *   bandwidth: { ingressBitsPerSec: 10e6, egressBitsPerSec: 10e6 },
 *   mtu: 1500,
 *   podLinks: ["eth0"],
 *   ingress: { hostLink: "cali1" },
 * });
 * assertEquals(steps.map(({ kind, place, link }) => [kind, place, link]), [
 *   ["tbf", "pod", "eth0"],
 *   ["tbf", "host", "cali1"],
 * ]);
 * ```
 * @param wish The pod's limits and links.
 * @returns None for a pod without limits.
 */
export function bandwidthSteps(wish: BandwidthWish): BandwidthStep[] {
  const { bandwidth = {}, mtu, podLinks, ingress } = wish;
  const { ingressBitsPerSec, egressBitsPerSec } = bandwidth;
  const steps: BandwidthStep[] = [];
  if (egressBitsPerSec !== undefined) {
    const { egressBurstBits: burstBits } = bandwidth;
    const sizes = tbfSizes(egressBitsPerSec, { mtu, burstBits });
    for (const link of podLinks) {
      steps.push({ kind: "tbf", place: "pod", link, ...sizes });
    }
  }
  if (ingressBitsPerSec === undefined) return steps;
  const { ingressBurstBits: burstBits } = bandwidth;
  const sizes = tbfSizes(ingressBitsPerSec, { mtu, burstBits });
  if ("hostLink" in ingress) {
    const link = ingress.hostLink;
    return [...steps, { kind: "tbf", place: "host", link, ...sizes }];
  }
  const { name, mac } = ingress.ifb;
  const place = "pod";
  return [
    ...steps,
    { kind: "ifb", place, link: name, mac, mtu },
    { kind: "tbf", place, link: name, ...sizes },
    ...podLinks.map((link) =>
      ({ kind: "redirect", place, link, to: name }) as const
    ),
  ];
}

/**
 * Sizes a token bucket.
 *
 * The burst is what 4 ms let through, so that a timer which comes a tick late
 * loses nothing; from 131 Mbit/s on it holds a whole segmentation offload
 * (64 kB), below that the kernel cuts these into packets, which is cheap at
 * such rates. What may wait is 25 ms and the burst, and ten packets at least.
 *
 * @example 100 Mbit/s
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tbfSizes(100e6, { mtu: 1500 }), {
 *   bytesPerSec: 12_500_000,
 *   burstBytes: 50_000,
 *   limitBytes: 362_500,
 * });
 * ```
 * @param bitsPerSec 1,000 or more.
 * @param options Bytes in a packet; the burst when somebody asked for one, raised to two packets.
 * @returns The bucket.
 */
export function tbfSizes(
  bitsPerSec: number,
  options: { readonly mtu: number; readonly burstBits?: number | undefined },
): TbfSizes {
  const bytesPerSec = Math.floor(bitsPerSec / 8);
  const packetBytes = options.mtu + HEADER_BYTES;
  const bytesIn = (ms: number): number => Math.ceil(bytesPerSec * ms / 1000);
  const { burstBits } = options;
  const burstBytes = Math.min(
    MAX_BYTES,
    Math.max(
      MIN_BURST_PACKETS * packetBytes,
      burstBits === undefined ? bytesIn(BURST_MS) : Math.ceil(burstBits / 8),
    ),
  );
  const waitingBytes = Math.min(
    MAX_BYTES,
    Math.max(MIN_WAITING_PACKETS * packetBytes, bytesIn(WAIT_MS)),
  );
  return { bytesPerSec, burstBytes, limitBytes: burstBytes + waitingBytes };
}

/**
 * Names the ifb of a pod with a card of its own, and gives its MAC. Both
 * follow from the owner, so that it is known again.
 *
 * @param owner Who.
 * @returns A name of 14 characters; a locally administered unicast MAC.
 */
export function ifbOf(owner: Owner): { name: string; mac: Mac } {
  const digits = hostLinkName(owner).slice("cali".length);
  const mac = `06${vethMacs(owner).host.slice(2)}`;
  return { name: `ifb${digits}`, mac };
}

/**
 * Writes a step as the command that does the same.
 *
 * @param step The step.
 * @param at What goes before each command, such as `nsenter … `.
 * @returns A line for a shell.
 */
export function bandwidthCommand(step: BandwidthStep, at: string): string {
  const { link } = step;
  switch (step.kind) {
    case "tbf": {
      const { bytesPerSec, burstBytes, limitBytes } = step;
      return `${at}tc qdisc replace dev ${link} root handle 1: tbf rate ` +
        `${bytesPerSec * 8}bit burst ${burstBytes}b limit ${limitBytes}b`;
    }
    case "ifb":
      return `${at}ip link add ${link} up address ${step.mac} mtu ` +
        `${step.mtu} type ifb`;
    case "redirect":
      return `${at}tc qdisc replace dev ${link} clsact && ${at}tc filter ` +
        `replace dev ${link} ingress protocol all prio 1 handle 800::800 ` +
        `u32 match u32 0 0 action mirred egress redirect dev ${step.to}`;
  }
}
