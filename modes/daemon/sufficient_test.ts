import { assertEquals } from "@std/assert";
import { sufficientIp } from "./sufficient.ts";

const slots = {
  idle: 2,
  leased: 3,
  cooling: 0,
  unassigning: 0,
  quarantined: 0,
};

function claim(atMs: number): {
  ownerKey: string;
  atMs: number;
  reason: { kind: "exhausted"; text: string };
} {
  const text = "vSwitch vsw-AAA has no address left";
  return { ownerKey: "n/c/eth0", atMs, reason: { kind: "exhausted", text } };
}

Deno.test("a node is sufficient while nobody waits for long", () => {
  const status = {
    nowMs: 60_000,
    claims: [claim(55_000)],
    slots,
    capacity: 45,
  };
  assertEquals(sufficientIp(status as never), {
    type: "SufficientIP",
    status: "True",
    reason: "SufficientIP",
    message: "3 of 45 addresses are taken, 2 are idle",
  });
});

Deno.test("a node says whose addresses have run out", () => {
  const status = { nowMs: 60_000, claims: [claim(1_000)], slots, capacity: 45 };
  assertEquals(sufficientIp(status as never), {
    type: "SufficientIP",
    status: "False",
    reason: "InsufficientIP",
    message: "1 pods wait for an address: vSwitch vsw-AAA has no address left",
  });
});
