import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  addressAt,
  compareIp,
  contains,
  familyOf,
  gatewayOf,
  hostCidr,
  ipFromBytes,
  ipToBytes,
  parseCidr,
  parseIp,
} from "./ip.ts";

/** Any address, as its bytes. */
const addressBytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const address = addressBytes.map(ipFromBytes);

Deno.test("parseIp() gives the canonical text", () => {
  const check = (text: string, expected: string): void =>
    assertEquals(parseIp(text), expected);
  check("10.0.0.7", "10.0.0.7");
  check("0.0.0.0", "0.0.0.0");
  check("FD00:0:0::0007", "fd00::7");
  check("::", "::");
  check("fd00:0:0:1:0:0:0:1", "fd00:0:0:1::1");
});

Deno.test("parseIp() refuses what is no address", () => {
  const check = (text: string): void => {
    assertThrows(() => parseIp(text), SyntaxError, `"${text}"`);
  };
  check("");
  check("10.0.0");
  check("10.0.0.256");
  check("10.0.0.");
  check("10.0.0.+7");
  check("10.0.0.07");
  check("10.0.0.7.");
  check("10.0.0.1e1");
  check("0x0a.0.0.1");
  check("10.0.0.7/32");
  check("fd00::7::1");
  check("pod.local");
});

Deno.test("parseCidr() keeps host bits and tells the family", () => {
  assertEquals(parseCidr("10.0.0.7/24"), {
    ip: "10.0.0.7",
    length: 24,
    family: 4,
  });
  assertEquals(parseCidr("FD00::7/64"), {
    ip: "fd00::7",
    length: 64,
    family: 6,
  });
});

Deno.test("parseCidr() refuses what is no prefix", () => {
  const check = (text: string): void => {
    assertThrows(() => parseCidr(text), SyntaxError, `"${text}"`);
  };
  check("10.0.0.7/33");
  check("fd00::/129");
  check("10.0.0.7/-1");
  check("10.0.0.7/");
  check("10.0.0.7/8/8");
});

Deno.test("addressAt() counts from either end and refuses what lies outside", () => {
  assertEquals(addressAt("10.0.1.9/24", 0), "10.0.1.0");
  assertEquals(addressAt("10.0.1.0/24", -1), "10.0.1.255");
  assertEquals(addressAt("fd00::/64", 7), "fd00::7");
  assertThrows(() => addressAt("10.0.1.0/24", 256), RangeError, "256");
  assertThrows(() => addressAt("10.0.1.0/30", -5), RangeError, "-5");
});

Deno.test("gatewayOf() is the third-last address", () => {
  assertEquals(gatewayOf("10.0.1.0/24"), "10.0.1.253");
  assertEquals(gatewayOf("172.16.0.0/20"), "172.16.15.253");
});

Deno.test("contains() is false across families", () => {
  assert(contains("10.0.0.0/24", "10.0.0.255"));
  assert(!contains("10.0.0.0/24", "10.0.1.0"));
  assert(!contains("0.0.0.0/0", "fd00::1"));
});

Deno.test("ipFromBytes() refuses other lengths than 4 and 16", () => {
  assertThrows(() => ipFromBytes(new Uint8Array(5)), RangeError, "5");
});

Deno.test("ipFromBytes() and parseIp() undo ipToBytes() for every address", () => {
  fc.assert(fc.property(addressBytes, (bytes) => {
    const ip = ipFromBytes(bytes);
    assertEquals(parseIp(ip), ip);
    assertEquals([...ipToBytes(ip)], [...bytes]);
    assertEquals(familyOf(ip), bytes.length === 4 ? 4 : 6);
  }));
});

Deno.test("compareIp() orders every two addresses as their bytes", () => {
  fc.assert(fc.property(addressBytes, addressBytes, (a, b) => {
    const order = a.length - b.length || compareBytes(a, b);
    const result = compareIp(ipFromBytes(a), ipFromBytes(b));
    assertEquals(Math.sign(result), Math.sign(order));
  }));
});

Deno.test("hostCidr() holds its address and no other", () => {
  fc.assert(fc.property(address, address, (ip, other) => {
    assert(contains(hostCidr(ip), ip));
    assertEquals(contains(hostCidr(ip), other), ip === other);
  }));
});

Deno.test("addressAt() stays inside every prefix", () => {
  const prefix = fc.tuple(address, fc.nat(128)).map(([ip, bits]) =>
    `${ip}/${familyOf(ip) === 4 ? bits % 33 : bits}`
  );
  fc.assert(fc.property(prefix, fc.integer(), (cidr, offset) => {
    const { length, family } = parseCidr(cidr);
    const count = 1n << BigInt((family === 4 ? 32 : 128) - length);
    const place = BigInt(offset);
    const inside = place >= -count && place < count;
    if (inside) assert(contains(cidr, addressAt(cidr, offset)));
    else assertThrows(() => addressAt(cidr, offset), RangeError);
  }));
});

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
