import { assertEquals } from "@std/assert";
import type { Ip } from "../netns/ip.ts";
import { idlePlaces, type IpStack } from "./family.ts";
import { type PoolLimits, poolLimits } from "./limits.ts";
import type { PooledEni, Slot } from "./state.ts";
import { roomOf } from "./stock.ts";
import { eniWith } from "./testing/states.ts";

/** Bounds of a type with 6 addresses a family. */
function limitsOf(stack: IpStack): PoolLimits {
  return poolLimits({
    instance: { eniCount: 4, ipv4PerEniCount: 6, ipv6PerEniCount: 6 },
    stack,
    vSwitches: [{ id: "vsw-a", cidr: "10.0.0.0/16", cidr6: "fd00::/64" }],
  });
}

/** A card with so many addresses of each kind and family. */
function cardOf(
  four: readonly Slot["kind"][],
  six: readonly Slot["kind"][],
): PooledEni {
  const eni = eniWith(1, four);
  const { slots } = eniWith(2, six);
  const sixes = [...slots.values()].map((slot, at): [Ip, Slot] => [
    `fd00::${at + 1}`,
    slot,
  ]);
  return { ...eni, slots: new Map([...eni.slots, ...sixes]) };
}

Deno.test("one of each family is a pod's, and what is missing follows", () => {
  const eni = cardOf(["leased", "idle", "idle", "idle"], ["leased", "idle"]);
  assertEquals(idlePlaces(eni, limitsOf("dual")), {
    now: 1,
    later: 2,
    missing6: 2,
    pairable: 2,
    stray4: 0,
    stray6: 0,
  });
  assertEquals(idlePlaces(eni, limitsOf("ipv4")).now, 3);
  assertEquals(idlePlaces(eni, limitsOf("ipv4")).stray6, 1);
  assertEquals(idlePlaces(eni, limitsOf("ipv6")).now, 1);
  assertEquals(idlePlaces(eni, limitsOf("ipv6")).stray4, 3);
});

Deno.test("IPv4 addresses that IPv6 can't follow are given back, not asked for", () => {
  const doubted = ["quarantined", "quarantined"] as const;
  const full = [...Array(4).fill("leased"), ...doubted];
  const eni = cardOf(Array(4).fill("leased"), full);
  const limits = limitsOf("dual");
  assertEquals([idlePlaces(eni, limits).pairable, roomOf(eni, limits)], [0, 0]);
  assertEquals(roomOf(eni, limitsOf("ipv4")), 2);
  const stray = cardOf([...Array(4).fill("leased"), "idle"], full);
  assertEquals(idlePlaces(stray, limits).stray4, 1);
  assertEquals(idlePlaces(stray, limits).later, 0);
});

Deno.test("IPv6 addresses that outlive their IPv4 addresses are given back", () => {
  const eni = cardOf(["leased"], ["leased", "idle", "cooling", "idle"]);
  const { stray6, pairable } = idlePlaces(eni, limitsOf("dual"));
  assertEquals([stray6, pairable], [2, 5]);
  // Those that are asked for will want them.
  const assign = { token: "t", count: 2, family: 4, unsure: false } as const;
  const asking = { ...eni, assign };
  assertEquals(idlePlaces(asking, limitsOf("dual")).stray6, 1);
});

Deno.test("a card that was refused more IPv6 carries as many pods as it has", () => {
  const eni = {
    ...cardOf(["leased", "leased", "idle"], ["leased", "leased"]),
    most6: { count: 2, untilMs: Infinity },
  };
  const { later, stray4 } = idlePlaces(eni, limitsOf("dual"));
  assertEquals([later, stray4, roomOf(eni, limitsOf("dual"))], [0, 1, 0]);
});
