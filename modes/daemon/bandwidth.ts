/**
 * How fast a pod may be, as its runtime says it: the capability `bandwidth`
 * of the network list, or the pod's annotations, when the list asks for the
 * capability `io.kubernetes.cri.pod-annotations` too.
 *
 * Sources (read 2026-11-21): CNI conventions, "bandwidth": rates in bits per
 * second, bursts in bits; Kubernetes' pkg/util/bandwidth: 1k to 1P; Go
 * Terway's pkg/k8s for its own, older annotations: bytes per second.
 *
 * @module
 */
import type { Bandwidth } from "../../netns/bandwidth.ts";
import { parseQuantity } from "./quantity.ts";

/** Source: Kubernetes' pkg/util/bandwidth, `minRsrc` and `maxRsrc`. */
const MIN_BITS_PER_SEC = 1e3;
const MAX_BITS_PER_SEC = 1e15;

/**
 * From here on a burst means that none was asked for: runtimes put the
 * greatest number that they know (containerd 2³² - 1, CRI-O 2³⁵ - 9), under
 * which the first half gigabyte of a pod would have no limit.
 */
const NO_BURST_BITS = 2 ** 31 - 1;

/** The key under which containerd hands a pod's annotations over. */
export const CRI_ANNOTATIONS = "io.kubernetes.cri.pod-annotations";

/** The annotations of a direction; the first that is there counts. */
interface Annotation {
  readonly name: string;
  readonly rule: string;
  readonly read: (text: string) => number | undefined;
}

type Direction = "ingress" | "egress";

const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];

/** What was decoded, and what is wrong with it. */
export interface DecodedBandwidth {
  /** The pod's limits; absent when it has none. */
  readonly bandwidth?: Bandwidth;
  /** Every problem: its path, the rule, the value. */
  readonly problems: readonly string[];
}

/**
 * Decodes what a runtime says of a pod's bandwidth.
 *
 * @example Kubernetes' annotations, by containerd
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const config = { bandwidth: { ingressRate: 10e6, ingressBurst: 4294967295 } };
 * assertEquals(decodeBandwidth(config), {
 *   bandwidth: { ingressBitsPerSec: 10e6 },
 *   problems: [],
 * });
 * ```
 * @param runtimeConfig The key `runtimeConfig` of a network configuration, if any.
 * @returns The limits, and all that is wrong.
 */
export function decodeBandwidth(runtimeConfig: unknown): DecodedBandwidth {
  const problems: string[] = [];
  const problem = (path: string, rule: string, value: unknown): undefined => {
    problems.push(`${path}: ${rule}: it is ${shown(value)}`);
  };
  const runtime = tree(runtimeConfig);
  const given = runtime["bandwidth"] ?? {};
  if (!isTree(given)) {
    problem("runtimeConfig.bandwidth", "must be an object", given);
  }
  const annotations = tree(runtime[CRI_ANNOTATIONS]);
  const bandwidth: Record<string, number> = {};
  for (const direction of DIRECTIONS) {
    const rate = rateOf(tree(given), direction, problem) ??
      annotatedRateOf(annotations, direction, problem);
    const burst = burstOf(tree(given), direction, problem);
    if (rate !== undefined) bandwidth[`${direction}BitsPerSec`] = rate;
    if (burst !== undefined) bandwidth[`${direction}BurstBits`] = burst;
  }
  if (Object.keys(bandwidth).length === 0) return { problems };
  return { bandwidth, problems };
}

type Report = (path: string, rule: string, value: unknown) => undefined;

function rateOf(
  given: Tree,
  direction: Direction,
  problem: Report,
): number | undefined {
  const key = `${direction}Rate`;
  const value = given[key] ?? 0;
  if (value === 0) return undefined; // no limit
  if (Number.isSafeInteger(value) && inRange(Number(value))) {
    return Number(value);
  }
  const rule = "must be 0 (no limit), or whole bits per second from 1000 to " +
    "1000000000000000 (1k to 1P)";
  return problem(`runtimeConfig.bandwidth.${key}`, rule, value);
}

function burstOf(
  given: Tree,
  direction: Direction,
  problem: Report,
): number | undefined {
  const key = `${direction}Burst`;
  const path = `runtimeConfig.bandwidth.${key}`;
  const value = given[key] ?? 0;
  if (!Number.isSafeInteger(value) || Number(value) < 0) {
    return problem(path, "must be a whole number of bits", value);
  }
  const bits = Number(value);
  if (bits === 0 || bits >= NO_BURST_BITS) return undefined;
  if ((given[`${direction}Rate`] ?? 0) !== 0) return bits;
  return problem(path, `must have ${direction}Rate beside it`, value);
}

function annotatedRateOf(
  annotations: Tree,
  direction: Direction,
  problem: Report,
): number | undefined {
  for (const { name, rule, read } of annotationsOf(direction)) {
    const value = annotations[name];
    if (value === undefined) continue;
    const bits = typeof value === "string" ? read(value) : undefined;
    if (bits !== undefined && inRange(bits)) return bits;
    return problem(name, rule, value);
  }
}

function annotationsOf(direction: Direction): readonly Annotation[] {
  return [
    {
      name: `kubernetes.io/${direction}-bandwidth`,
      rule: "must be a quantity of bits per second from 1k to 1P, such as 10M",
      read: parseQuantity,
    },
    {
      name: `k8s.aliyun.com/${direction}-bandwidth`,
      rule: "must be bytes per second from 125 to 113T, such as 10M " +
        "(of 1024 × 1024)",
      read: parseByteRate,
    },
  ];
}

/** Go Terway's own: `10M`, `10MB` and `10MiB` are the same. In bits. */
function parseByteRate(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)(?:([KMGT])(?:I?B)?|B)?$/.exec(
    text.trim().toUpperCase(),
  );
  if (parts === null) return undefined;
  const [, number, unit = ""] = parts;
  const power = unit === "" ? 0 : "KMGT".indexOf(unit) + 1;
  return Math.floor(Number(number) * 1024 ** power) * 8;
}

function inRange(bits: number): boolean {
  return bits >= MIN_BITS_PER_SEC && bits <= MAX_BITS_PER_SEC;
}

type Tree = Readonly<Record<string, unknown>>;

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tree(value: unknown): Tree {
  return isTree(value) ? value : {};
}

/** A value as JSON, cut where it gets long. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
