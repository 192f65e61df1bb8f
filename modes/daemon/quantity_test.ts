import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseQuantity } from "./quantity.ts";

function check(table: Readonly<Record<string, number | undefined>>): void {
  for (const [text, expected] of Object.entries(table)) {
    assertEquals([text, parseQuantity(text)], [text, expected]);
  }
}

Deno.test("parseQuantity() reads every suffix of Kubernetes", () => {
  check({
    "0": 0,
    "1000": 1000,
    "1k": 1e3,
    "10M": 10e6,
    "1G": 1e9,
    "1T": 1e12,
    "1P": 1e15,
    "1E": 1e18,
    "1Ki": 1024,
    "1Mi": 1024 ** 2,
    "1Gi": 1024 ** 3,
    "1Ti": 1024 ** 4,
    "1Pi": 1024 ** 5,
    "1e6": 1e6,
    "1E6": 1e6,
    "2e+3": 2e3,
    "12e-1": 2,
  });
});

Deno.test("parseQuantity() reads decimals exactly and rounds up", () => {
  check({
    "1.5G": 1.5e9,
    ".5k": 500,
    "1.": 1,
    "0.0001": 1,
    "1001m": 2,
    "100m": 1,
    "-1.5": -2,
    "+3k": 3000,
    "0.7Ki": 717,
    "1.000000001G": 1_000_000_001,
  });
});

Deno.test("parseQuantity() refuses what is none", () => {
  const texts = ["", ".", "M", "10 M", "10Mbit", "10mb", "1K", "1ki", "0x10"];
  const more = ["1e", "1e1.5", "1e999", "NaN", "Infinity", "1,5M", "--1", "٣"];
  for (const text of [...texts, ...more, "1".repeat(65)]) {
    assertEquals([text, parseQuantity(text)], [text, undefined]);
  }
});

Deno.test("parseQuantity() reads any whole number as itself, whatever its unit", () => {
  const number = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(fc.property(number, (n) => {
    assertEquals(parseQuantity(`${n}`), n);
    assertEquals(parseQuantity(`${n}k`), n * 1e3);
    assertEquals(parseQuantity(`${n}Mi`), n * 2 ** 20);
    assertEquals(parseQuantity(`${n}000m`), n);
  }));
});

Deno.test("parseQuantity() never throws", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    parseQuantity(text);
  }));
});
