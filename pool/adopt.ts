/**
 * Adoption: cards on this instance that the journal doesn't know.
 *
 * One that bears our own tags was made by us, and its record is lost: it
 * becomes ours again. One that the operator points at is used and never
 * detached or deleted: what we didn't make, we don't remove. Either way all of
 * its addresses are quarantined until nothing speaks for them.
 *
 * @module
 */
import { type Cidr, familyOf, type Ip } from "../netns/ip.ts";
import { hasIp6 } from "./family.ts";
import type { Eni } from "./cloud.ts";
import type { PoolConfig } from "./contract.ts";
import type { PooledEni, PoolState, Slot } from "./state.ts";
import { MISSING_MS } from "./limits.ts";
import { ipsOfPrefix } from "./prefix.ts";
import { CLEAR } from "./sight.ts";
import { withEntry } from "./state.ts";
import { INTENT_TAG, ownTags } from "./tags.ts";

/** A card that may be taken into the pool. */
export interface Adoptable {
  /** The card. */
  readonly eniId: string;
  /** Whether we made it, as its tags say. */
  readonly isOwn: boolean;
  /** The prefix of its vSwitch. */
  readonly subnet: Cidr;
  /** The IPv6 prefix of its vSwitch, if it has one. */
  readonly subnet6?: Cidr;
}

/**
 * Tags of cards that others manage. Source: Terway, `eni_tag_block_list`,
 * built in.
 */
export const BLOCKED_TAGS: readonly {
  readonly key: string;
  readonly value: string;
}[] = [
  { key: "creator", value: "alibabacloud-erdma-controller" },
  { key: "terway.alibabacloud.com/excluded", value: "true" },
];

/**
 * Tells whose a card of this instance is.
 *
 * @param eni The card.
 * @param config Which tags are ours, which cards are adopted, which blocked.
 * @returns `own` when we made it, `adopt` when the operator points at it, else
 * `foreign`.
 */
export function standingOf(
  eni: Eni,
  config: PoolConfig,
): "own" | "adopt" | "foreign" {
  if (eni.type !== "Secondary" && eni.type !== "Trunk") return "foreign";
  const { adopt, blockTags = [] } = config;
  const isBlocked = [...BLOCKED_TAGS, ...blockTags].some(({ key, value }) =>
    eni.tags[key] === value
  );
  if (isBlocked) return "foreign";
  if (bears(eni, ownTags(config))) return "own";
  const tags = adopt?.tags ?? {};
  const isNamed = adopt?.macs?.includes(eni.mac) === true ||
    (Object.keys(tags).length > 0 && bears(eni, tags));
  return isNamed ? "adopt" : "foreign";
}

/** Tells whether a card bears all of these tags. */
function bears(eni: Eni, tags: Readonly<Record<string, string>>): boolean {
  return Object.entries(tags).every(([key, value]) => eni.tags[key] === value);
}

/**
 * Takes cards in that the pool may use and doesn't know.
 *
 * @param state The pool before.
 * @param sighting What a survey showed of this instance.
 * @returns The pool after.
 */
export function adopted(
  state: PoolState,
  sighting: {
    readonly enis: readonly Eni[];
    readonly instanceId: string;
    readonly adoptable: readonly Adoptable[];
    readonly nowMs: number;
  },
): PoolState {
  if (state.draining) return state;
  const known = new Set(
    [...state.enis.values()].map((eni) => eni.card?.id),
  );
  let after = state;
  for (const one of sighting.adoptable) {
    const seen = sighting.enis.find(({ id }) => id === one.eniId);
    if (seen === undefined || known.has(seen.id)) continue;
    // Not attached yet, or not any more: a later survey may show it.
    if (seen.instanceId !== sighting.instanceId) continue;
    if (seen.status !== "InUse") continue;
    const eni = newcomer(seen, one, { state, nowMs: sighting.nowMs });
    if (after.enis.has(eni.key)) continue;
    after = { ...after, enis: withEntry(after.enis, eni.key, eni) };
  }
  return after;
}

function newcomer(
  seen: Eni,
  one: Adoptable,
  { state, nowMs }: { state: PoolState; nowMs: number },
): PooledEni {
  const { id, mac, zone, primaryIp, vSwitchId, securityGroupIds } = seen;
  const quarantined: Slot = { kind: "quarantined", sinceMs: nowMs };
  const slots = new Map<Ip, Slot>([[primaryIp, quarantined]]);
  const isDual = hasIp6(state.stack);
  const more = isDual ? seen.ips6 : [];
  for (const ip of [...seen.ips, ...more]) slots.set(ip, quarantined);
  const singleCount = slots.size - more.length;
  const prefixes = (seen.prefixes ?? [])
    .filter((prefix) => isDual || familyOf(prefix) === 4);
  const fourCount = prefixes.filter((one) => familyOf(one) === 4).length;
  const sixCount = prefixes.length - fourCount;
  for (const ip of prefixes.flatMap(ipsOfPrefix)) slots.set(ip, quarantined);
  return {
    key: (one.isOwn ? seen.tags[INTENT_TAG] : undefined) ?? id,
    isAdopted: !one.isOwn,
    phase: "preparing",
    sinceMs: nowMs,
    intent: {
      vSwitchId,
      subnet: one.subnet,
      ...(isDual && one.subnet6 !== undefined ? { subnet6: one.subnet6 } : {}),
      ipCount: singleCount,
      ...(fourCount === 0 ? {} : { prefixCount: fourCount }),
      ...(sixCount === 0 ? {} : { prefix6Count: sixCount }),
      ...(more.length === 0 ? {} : { ip6Count: more.length }),
      ...seen.type === "Trunk" && { trunk: true },
      securityGroupIds,
    },
    unsure: false,
    card: { id, mac, zone, primaryIp },
    wasAttached: true,
    slots,
    ...(prefixes.length === 0 ? {} : { prefixes: new Set(prefixes) }),
    assign: undefined,
    assignFromMs: 0,
    most6: undefined,
    resync: false,
    notBeforeMs: nowMs,
    failureCount: 0,
    problem: undefined,
    missingSinceMs: undefined,
    sight: { ...CLEAR, lookFromMs: nowMs + MISSING_MS },
    changedAtCall: 0,
  };
}
