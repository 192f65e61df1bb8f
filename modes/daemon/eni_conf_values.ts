/**
 * Rules for single values of `eni_conf`: durations, prefixes, ids, tags. Each
 * takes what was written and gives what the daemon works with.
 *
 * Types are strict: `"5"` is no number and `"true"` no switch, and the message
 * says so. Only keys that Terway itself read as text take both.
 *
 * @module
 */
import { z } from "zod";
import { addressAt, type Cidr, parseCidr } from "../../netns/ip.ts";

/** The milliseconds of Go's units. Source: Go's `time.ParseDuration`. */
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["μs", 1e-3],
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

const DURATION_PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/**
 * Reads a duration as Go writes it.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDurationMs("1h30m"), 5_400_000);
 * assertEquals(parseDurationMs("90"), undefined);
 * ```
 * @param text Numbers with units, such as `10m`, `1h30m`, `1.5s`; no sign.
 * @returns Milliseconds, rounded; nothing when it is no duration.
 */
export function parseDurationMs(text: string): number | undefined {
  const parts = [...text.matchAll(DURATION_PART)];
  if (text === "" || parts.map(([part]) => part).join("") !== text) {
    return undefined;
  }
  const sum = parts.reduce(
    (ms, [, count, unit]) =>
      ms + Number(count) * (UNIT_MS.get(unit ?? "") ?? 0),
    0,
  );
  return Math.round(sum);
}

/**
 * Makes the rule for a duration.
 *
 * @param min The shortest, such as `10s`.
 * @param max The longest.
 * @returns The rule; it gives milliseconds.
 */
export function duration(
  min: string,
  max: string,
): z.ZodType<number, unknown> {
  const [minMs, maxMs] = [parseDurationMs(min), parseDurationMs(max)];
  if (minMs === undefined || maxMs === undefined) {
    throw new RangeError(
      `Cannot bound a duration as its bounds must be some: ${min}, ${max}`,
    );
  }
  return z.unknown().transform((text, context) => {
    const ms = typeof text === "string" ? parseDurationMs(text) : undefined;
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({
      code: "custom",
      message: ms === undefined
        ? `must be a duration such as "10m" or "1h30m"`
        : `must be from ${min} to ${max}`,
    });
    return z.NEVER;
  });
}

/** A prefix without host bits, such as `10.1.0.0/16`. */
export const cidr: z.ZodType<Cidr, string> = z.string().transform(
  (text, context) => {
    const rule = cidrRule(text);
    if (rule === undefined) return text;
    context.addIssue({ code: "custom", message: rule });
    return z.NEVER;
  },
);

/** A prefix that a pod reaches by a way of its own; all else has the default. */
export const destination: z.ZodType<Cidr, string> = cidr.refine(
  (text) => !text.endsWith("/0"),
  "must be longer than /0, which is the default route's",
);

/** The prefixes of services. */
export interface ServiceCidrs {
  /** The IPv4 one. */
  readonly v4: Cidr;
  /** The IPv6 one, in a cluster of two stacks. */
  readonly v6?: Cidr;
}

/** `v4` or `v4,v6`, as kubeadm writes it too. */
export const serviceCidrs: z.ZodType<ServiceCidrs, string> = z.string()
  .transform((text, context) => {
    const [v4 = "", v6, ...rest] = text.split(",").map((part) => part.trim());
    const rule = cidrRule(v4) ?? (v6 === undefined ? undefined : cidrRule(v6));
    const message = rule ??
      (parseCidr(v4).family !== 4 || rest.length > 0 ||
          (v6 !== undefined && parseCidr(v6).family !== 6)
        ? "must be an IPv4 prefix, or one, a comma and an IPv6 prefix"
        : undefined);
    if (message === undefined) return v6 === undefined ? { v4 } : { v4, v6 };
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

function cidrRule(text: string): string | undefined {
  try {
    const { length, ip } = parseCidr(text);
    const first = addressAt(text, 0);
    return first === ip
      ? undefined
      : `must have no host bits: ${first}/${length} is the prefix`;
  } catch {
    return "must be a prefix such as 10.1.0.0/16";
  }
}

/** What the cloud calls a vSwitch, a group and the like. */
export const id: z.ZodType<string, string> = z.string().regex(
  /^[\w.-]{1,64}$/,
  "must be an id: 1 to 64 letters, digits, - . or _",
);

/** One id or a list of them, in order of preference; none stands twice. */
export const ids: z.ZodType<string[], string | string[]> = z.union([
  id.transform((one) => [one]),
  z.array(id).min(1).max(50),
], { error: "must be an id or a list of 1 to 50 ids" }).refine(
  (all) => new Set(all).size === all.length,
  "must not name an id twice",
);

/** Source: ECS TagResources, as {@linkcode tags} cites it. */
const tagKey = z.string().regex(
  /^(?!aliyun|acs:)(?!.*https?:\/\/)[^]{1,128}$/,
  "must have 1 to 128 characters, not begin with aliyun or acs:, nor hold " +
    "http:// or https://",
);
const tagValue = z.string().regex(
  /^(?!acs:)(?!.*https?:\/\/)[^]{0,128}$/,
  "must have at most 128 characters, not begin with acs:, nor hold http:// " +
    "or https://",
);

/** A tag that an ENI may bear. */
export interface Tag {
  /** Its key. */
  readonly key: string;
  /** Its value; may be empty. */
  readonly value: string;
}

/**
 * Makes the rule for an object of tags.
 *
 * @param bounds How many there may be, and which keys aren't the operator's to
 * set; none when absent.
 * @returns The rule.
 * @see https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-tagresources (read 2026-11-21)
 */
export function tags(
  { min, max, isReserved = () => false }: {
    readonly min: number;
    readonly max: number;
    readonly isReserved?: (key: string) => boolean;
  },
): z.ZodType<Record<string, string>, Record<string, string>> {
  return z.record(z.string(), tagValue).superRefine((all, context) => {
    const keys = Object.keys(all);
    if (keys.length < min || keys.length > max) {
      context.addIssue({
        code: "custom",
        message: `must have ${min} to ${max} tags`,
      });
    }
    for (const key of keys) {
      const rule = isReserved(key)
        ? "must not be set: terway tells its own ENIs by it"
        : tagKey.safeParse(key).error?.issues[0]?.message;
      if (rule === undefined) continue;
      context.addIssue({ code: "custom", path: [key], message: rule });
    }
  });
}

/** A list of tags, in which a key may stand with several values. */
export const tagList: z.ZodType<Tag[], Tag[]> = z.array(
  z.strictObject({ key: tagKey, value: tagValue }),
).max(50);

/** `true`, `"true"`, `1`, `"1"` and their contraries: older manifests quote. */
export const looseSwitch: z.ZodType<boolean> = z.union([
  z.boolean(),
  z.enum(["true", "1"]).transform(() => true),
  z.enum(["false", "0"]).transform(() => false),
  z.literal(1).transform(() => true),
  z.literal(0).transform(() => false),
], { error: "must be true or false" });

/** A number from 0 to 1, or its text, as Terway has it. */
export const looseRatio: z.ZodType<number> = z.union([
  z.number(),
  z.string().regex(/^\d*\.?\d+$/).transform(Number),
], { error: "must be a number from 0 to 1" }).pipe(z.number().min(0).max(1));
