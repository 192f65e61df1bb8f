/**
 * Packets that are steered where they pass a card: sent to the node's own stack
 * instead of out, given a VLAN tag, or rid of it. Steps of a plan; nothing here
 * reads a kernel.
 *
 * @module
 */
import {
  type Cidr,
  type Family,
  familyOf,
  ipToBytes,
  parseCidr,
} from "./ip.ts";
import type { Place } from "./step.ts";

/** Where filters of a link hang: before what it sends, after what it gets. */
export interface ClsactStep {
  /** Discriminates. */
  readonly kind: "clsact";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
}

/** Which packets are meant. */
export type SteerMatch =
  /** What a link sends to a prefix. */
  | { readonly to: Cidr }
  /** What a link sends from a prefix. */
  | { readonly from: Cidr }
  /** All that a link gets with a tag. */
  | { readonly tagged: true };

/** What becomes of them. */
export type SteerAction =
  /**
   * The node's own stack gets them, as if they had come in by a link of it.
   * They come from a pod's stack, whose route they must forget: kernels before
   * 5.16 don't do that by themselves.
   */
  | { readonly kind: "intoNode"; readonly link: string }
  /** They get a VLAN tag. */
  | { readonly kind: "pushVlan"; readonly id: number }
  /** They lose their VLAN tag. */
  | { readonly kind: "popVlan" };

/** A filter at a link's clsact. */
export interface SteerStep {
  /** Discriminates. */
  readonly kind: "steer";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** The lower, the earlier. */
  readonly priority: number;
  /** Which packets. */
  readonly match: SteerMatch;
  /** What becomes of them. */
  readonly action: SteerAction;
}

/** A key of u32: a word of the packet, from its IP header on. */
export interface WordKey {
  /** Bytes from the header's start. */
  readonly offset: number;
  /** Four bytes, those that count. */
  readonly mask: Uint8Array;
  /** Four bytes, as they shall be. */
  readonly value: Uint8Array;
}

/** Where addresses lie in a header. Source: RFC 791, RFC 8200. */
const OFFSETS = {
  4: { from: 12, to: 16 },
  6: { from: 8, to: 24 },
} as const;

const WORD_BYTES = 4;

/**
 * Tells at which end of a link a filter hangs.
 *
 * @param match Which packets.
 * @returns Tags are looked at where packets come in, prefixes where they leave.
 */
export function hookOf(match: SteerMatch): "ingress" | "egress" {
  return "tagged" in match ? "ingress" : "egress";
}

/**
 * Tells a filter's protocol.
 *
 * @param match Which packets.
 * @returns A family, or `vlan`.
 */
export function protocolOf(match: SteerMatch): Family | "vlan" {
  if ("tagged" in match) return "vlan";
  return familyOf("to" in match ? match.to : match.from);
}

/**
 * Writes a match as the words that are compared.
 *
 * @example A service prefix
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [key] = keysOf({ to: "172.21.0.0/20" });
 * assertEquals(key?.offset, 16);
 * assertEquals([...key?.mask ?? []], [255, 255, 240, 0]);
 * assertEquals([...key?.value ?? []], [172, 21, 0, 0]);
 * ```
 * @param match Which packets.
 * @returns At least one word; one that any packet has for all.
 */
export function keysOf(match: SteerMatch): readonly WordKey[] {
  const nothing = {
    offset: 0,
    mask: new Uint8Array(4),
    value: new Uint8Array(4),
  };
  if ("tagged" in match) return [nothing];
  const [side, cidr] = "to" in match
    ? ["to", match.to] as const
    : ["from", match.from] as const;
  const { ip, length, family } = parseCidr(cidr);
  const bytes = ipToBytes(ip);
  const keys: WordKey[] = [];
  for (let at = 0; at * 8 < length; at += WORD_BYTES) {
    const mask = maskOf(length - at * 8);
    const value = bytes.slice(at, at + WORD_BYTES)
      .map((byte, i) => byte & (mask[i] ?? 0));
    keys.push({ offset: OFFSETS[family][side] + at, mask, value });
  }
  return keys.length === 0 ? [nothing] : keys;
}

/**
 * Writes a step as the command that does the same.
 *
 * @param step The step.
 * @param at What goes before the command, such as `nsenter … `.
 * @returns A line for a shell.
 */
export function steerCommand(step: ClsactStep | SteerStep, at: string): string {
  const { link } = step;
  if (step.kind === "clsact") return `${at}tc qdisc add dev ${link} clsact`;
  const { match, priority } = step;
  return `${at}tc filter add dev ${link} ${hookOf(match)} protocol ` +
    `${protocolText(match)} prio ${priority} u32 match ${matchText(match)} ` +
    actionText(step.action);
}

function protocolText(match: SteerMatch): string {
  const protocol = protocolOf(match);
  if (protocol === "vlan") return "802.1Q";
  return protocol === 6 ? "ipv6" : "ip";
}

function matchText(match: SteerMatch): string {
  if ("tagged" in match) return "u32 0 0";
  const [side, cidr] = "to" in match ? ["dst", match.to] : ["src", match.from];
  return `${familyOf(cidr) === 6 ? "ip6" : "ip"} ${side} ${cidr}`;
}

function actionText(action: SteerAction): string {
  switch (action.kind) {
    case "intoNode":
      return "action tunnel_key unset pipe action skbedit ptype host pipe " +
        `action mirred ingress redirect dev ${action.link}`;
    case "pushVlan":
      return `action vlan push id ${action.id} pass`;
    case "popVlan":
      return "action vlan pop pass";
  }
}

/** Four bytes of which so many bits count, at most 32. */
function maskOf(bitCount: number): Uint8Array {
  return Uint8Array.from({ length: WORD_BYTES }, (_, i) => {
    const bits = Math.min(8, Math.max(0, bitCount - 8 * i));
    return 0xff << (8 - bits) & 0xff;
  });
}
