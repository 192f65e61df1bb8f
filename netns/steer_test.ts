import { assertEquals } from "@std/assert";
import { hookOf, keysOf, protocolOf } from "./steer.ts";

/** Words as `mask value at offset`, as `tc filter show` has them. */
function words(match: Parameters<typeof keysOf>[0]): string[] {
  return keysOf(match).map(({ mask, value, offset }) =>
    `${value.toHex()}/${mask.toHex()} at ${offset}`
  );
}

Deno.test("keysOf() compares the words of a prefix, and no more", () => {
  assertEquals(words({ to: "172.21.0.0/20" }), ["ac150000/fffff000 at 16"]);
  assertEquals(words({ from: "10.0.0.7/32" }), ["0a000007/ffffffff at 12"]);
  assertEquals(words({ from: "10.0.0.7/8" }), ["0a000000/ff000000 at 12"]);
  assertEquals(words({ to: "fd00:2::/36" }), [
    "fd000002/ffffffff at 24",
    "00000000/f0000000 at 28",
  ]);
  assertEquals(words({ from: "fd00::7/128" }), [
    "fd000000/ffffffff at 8",
    "00000000/ffffffff at 12",
    "00000000/ffffffff at 16",
    "00000007/ffffffff at 20",
  ]);
});

Deno.test("keysOf() has a word that any packet has", () => {
  assertEquals(words({ to: "0.0.0.0/0" }), ["00000000/00000000 at 0"]);
});

Deno.test("keysOf() tells the families apart behind a tag", () => {
  assertEquals(words({ taggedTo: "10.0.0.7/32" }), [
    "40000000/f0000000 at 0",
    "0a000007/ffffffff at 16",
  ]);
  assertEquals(words({ taggedTo: "fd00::/16" }), [
    "60000000/f0000000 at 0",
    "fd000000/ffff0000 at 24",
  ]);
});

Deno.test("hookOf() looks at tags coming in and at prefixes leaving", () => {
  assertEquals(hookOf({ taggedTo: "10.0.0.7/32" }), "ingress");
  assertEquals(hookOf({ from: "10.0.0.7/32" }), "egress");
  assertEquals(protocolOf({ to: "fd00::/8" }), 6);
  assertEquals(protocolOf({ taggedTo: "fd00::/8" }), "vlan");
});
