/**
 * Kubernetes' quantities: `10M`, `1Gi`, `1.5G`, `1e6`.
 *
 * Source: k8s.io/apimachinery/pkg/api/resource, "quantity.go" (read
 * 2026-11-21): a signed decimal number, then one suffix of a kind.
 *
 * @module
 */

/** Longer than any number that means something. */
const MAX_LENGTH = 64;
const FORM =
  /^([+-]?)(\d*)(?:\.(\d*))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,2})?$/;

/** By how many powers of ten; the binary ones follow from their order. */
const DECIMAL: Readonly<Record<string, number>> = {
  ...{ n: -9, u: -6, m: -3 },
  ...{ k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 },
};
const BINARY: readonly string[] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/**
 * Reads a quantity as a whole number, rounded up as Kubernetes does.
 *
 * @example Decimal and binary suffixes
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseQuantity("10M"), 10_000_000);
 * assertEquals(parseQuantity("1Gi"), 1_073_741_824);
 * assertEquals(parseQuantity("100m"), 1);
 * assertEquals(parseQuantity("10 Mbit"), undefined);
 * ```
 * @param text The quantity.
 * @returns Its value, which may be past what a number holds exactly; undefined when it is none.
 */
export function parseQuantity(text: string): number | undefined {
  const parts = text.length > MAX_LENGTH ? null : FORM.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = "", fraction = "", suffix = ""] = parts;
  if (whole + fraction === "") return undefined;
  const digits = BigInt(whole + fraction);
  const binary = BINARY.indexOf(suffix);
  const unit = binary < 0 ? 1n : 1024n ** BigInt(binary + 1);
  const exponent = exponentOf(suffix) - fraction.length;
  const power = 10n ** BigInt(Math.abs(exponent));
  const value = exponent < 0
    ? dividedUp(digits * unit, power)
    : digits * unit * power;
  return value === 0n ? 0 : Number(sign === "-" ? -value : value);
}

function exponentOf(suffix: string): number {
  const number = /^[eE]([+-]?\d+)$/.exec(suffix)?.[1];
  return number === undefined ? DECIMAL[suffix] ?? 0 : Number(number);
}

/** Away from zero, as `Quantity.Value()` rounds; the sign comes later. */
function dividedUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}
