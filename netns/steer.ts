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
  /** What a link gets for a prefix, with a tag. */
  | { readonly taggedTo: Cidr };

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

/** What every packet has. */
const ANYTHING: WordKey = {
  offset: 0,
  mask: new Uint8Array(WORD_BYTES),
  value: new Uint8Array(WORD_BYTES),
};

/**
 * Tells at which end of a link a filter hangs.
 *
 * @param match Which packets.
 * @returns Tags are looked at where packets come in, prefixes where they leave.
 */
export function hookOf(match: SteerMatch): "ingress" | "egress" {
  return "taggedTo" in match ? "ingress" : "egress";
}

/**
 * Tells a filter's protocol.
 *
 * @param match Which packets.
 * @returns A family, or `vlan`.
 */
export function protocolOf(match: SteerMatch): Family | "vlan" {
  return "taggedTo" in match ? "vlan" : familyOf(prefixOf(match)[1]);
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
 * @returns At least one word; one that any packet has for all addresses.
 */
export function keysOf(match: SteerMatch): readonly WordKey[] {
  const [side, cidr] = prefixOf(match);
  const { ip, length, family } = parseCidr(cidr);
  const bytes = ipToBytes(ip);
  const keys: WordKey[] = [];
  if ("taggedTo" in match) keys.push(versionKey(family));
  for (let at = 0; at * 8 < length; at += WORD_BYTES) {
    const mask = maskOf(length - at * 8);
    const value = bytes.slice(at, at + WORD_BYTES)
      .map((byte, i) => byte & (mask[i] ?? 0));
    keys.push({ offset: OFFSETS[family][side] + at, mask, value });
  }
  return keys.length === 0 ? [ANYTHING] : keys;
}

/** Behind a tag may be either family; in front of all stands its number. */
function versionKey(family: Family): WordKey {
  const mask = new Uint8Array([0xf0, 0, 0, 0]);
  return { offset: 0, mask, value: new Uint8Array([family << 4, 0, 0, 0]) };
}

function prefixOf(match: SteerMatch): readonly ["from" | "to", Cidr] {
  if ("from" in match) return ["from", match.from];
  return ["to", "to" in match ? match.to : match.taggedTo];
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
  const [side, cidr] = prefixOf(match);
  const family = familyOf(cidr);
  const version = "taggedTo" in match ? `u8 0x${family}0 0xf0 at 0 match ` : "";
  return `${version}${family === 6 ? "ip6" : "ip"} ` +
    `${side === "to" ? "dst" : "src"} ${cidr}`;
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
