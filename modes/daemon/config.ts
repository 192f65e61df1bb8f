/**
 * `eni_conf`: the daemon's configuration, decoded once, at the edge.
 *
 * Here are the keys, their types, bounds and defaults, and nowhere else. All
 * problems are told at once, each with its path, the rule and the value. The
 * result is frozen; nothing has an effect while it is being decoded.
 *
 * @module
 */
import { z } from "zod";

/** What is wrong with one value. */
export interface ConfigProblem {
  /** Where, such as `vswitches.cn-hangzhou-a[1]`; empty for the whole. */
  readonly path: string;
  /** The rule that it breaks. */
  readonly rule: string;
  /** The value, as JSON; secrets are `***`. */
  readonly value: string;
}

/** A configuration that can't be used, with every reason. */
export class ConfigError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "ConfigError";
  /** At least one. */
  readonly problems: readonly ConfigProblem[];

  /**
   * Makes one.
   *
   * @param source The file's name, or what else it was read from.
   * @param problems At least one.
   */
  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(
      `Cannot use ${source}: ` +
        problems.map((problem) =>
          `${problem.path === "" ? "" : problem.path + " "}${problem.rule}` +
          (problem.value === "" ? "" : `, it is ${problem.value}`)
        ).join("; "),
    );
    this.problems = problems;
  }
}

/** Keys that older versions knew: read, told of, and of no effect. */
const LEGACY = [
  "prefix",
  "eni_cap_policy",
  "enable_eip_pool",
  "enable_eip_migrate",
] as const;

/** Keys whose value must not be told. */
const SECRET = new Set(["access_key", "access_secret"]);

/** 1,000 is far above what an instance can hold (15 × 50). */
const poolSize = z.int().min(0).max(1000);

const ids = z.union([
  z.string().min(1).transform((id) => [id]),
  z.array(z.string().min(1)).min(1),
]);

const schema = z.strictObject({
  version: z.literal("1").default("1"),
  region_id: z.string().optional(),
  access_key: z.string().optional(),
  access_secret: z.string().optional(),
  service_cidr: z.string().optional(),
  vswitches: z.record(z.string(), ids).default({}),
  security_group: z.string().min(1).optional(),
  security_groups: z.array(z.string().min(1)).min(1).max(5).optional(),
  eni_tags: z.record(z.string(), z.string()).default({}),
  max_pool_size: poolSize.default(5),
  min_pool_size: poolSize.default(0),
  cluster_id: z.string().min(1).max(64).default("default"),
  mtu: z.int().min(1280).max(9000).default(1500),
  ...Object.fromEntries(LEGACY.map((key) => [key, z.unknown().optional()])),
}).superRefine((conf, context) => {
  if (conf.min_pool_size > conf.max_pool_size) {
    context.addIssue({
      code: "custom",
      path: ["min_pool_size"],
      message: `must not exceed max_pool_size, which is ${conf.max_pool_size}`,
    });
  }
  if ((conf.access_key === undefined) !== (conf.access_secret === undefined)) {
    context.addIssue({
      code: "custom",
      path: [conf.access_key === undefined ? "access_key" : "access_secret"],
      message: "must be given too, as half a pair of credentials is no use",
    });
  }
});

/** What the daemon is told to do. */
export interface DaemonConfig {
  /** The region, when it isn't the metadata's. */
  readonly region?: string;
  /** An access key, when one is written into the configuration. */
  readonly accessKey?: { readonly id: string; readonly secret: string };
  /** By zone, the vSwitches of new ENIs in the order of preference. */
  readonly vSwitches: Readonly<Record<string, readonly string[]>>;
  /** Security groups of new ENIs; the primary ENI's when absent. */
  readonly securityGroupIds?: readonly string[];
  /** Tags of new ENIs beside our own. */
  readonly eniTags: Readonly<Record<string, string>>;
  /** More idle addresses than this are given back. */
  readonly maxPoolCount: number;
  /** Fewer idle addresses than this are filled up. */
  readonly minPoolCount: number;
  /** The cluster, for the tag that tells our ENIs from another's. */
  readonly clusterId: string;
  /** Bytes in a pod's packet. */
  readonly mtu: number;
}

/**
 * Decodes a configuration.
 *
 * @param text JSON, the value of the key `eni_conf`.
 * @param source What it was read from, for messages.
 * @returns The configuration, and what an operator should be told.
 * @throws {ConfigError} With every problem.
 */
export function decodeConfig(
  text: string,
  source: string,
): { config: DaemonConfig; warnings: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(source, [
      { path: "", rule: `must be JSON: ${why}`, value: "" },
    ]);
  }
  const decoded = schema.safeParse(json);
  if (!decoded.success) {
    throw new ConfigError(
      source,
      decoded.error.issues.flatMap((issue) => toProblems(issue, json)),
    );
  }
  const conf = decoded.data;
  const warnings = LEGACY.filter((key) => key in conf).map((key) =>
    `${source}: ${key} has no effect any more`
  );
  const groups = [
    ...new Set([
      ...(conf.security_group === undefined ? [] : [conf.security_group]),
      ...(conf.security_groups ?? []),
    ]),
  ];
  const config: DaemonConfig = {
    ...(conf.region_id === undefined ? {} : { region: conf.region_id }),
    ...(conf.access_key === undefined || conf.access_secret === undefined
      ? {}
      : { accessKey: { id: conf.access_key, secret: conf.access_secret } }),
    vSwitches: conf.vswitches,
    ...(groups.length === 0 ? {} : { securityGroupIds: groups }),
    eniTags: conf.eni_tags,
    maxPoolCount: conf.max_pool_size,
    minPoolCount: conf.min_pool_size,
    clusterId: conf.cluster_id,
    mtu: conf.mtu,
  };
  return { config: Object.freeze(config), warnings };
}

type Issue = z.core.$ZodIssue;

function toProblems(issue: Issue, json: unknown): ConfigProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: pathOf([...issue.path, key]),
      rule: "is no key of this configuration",
      value: "",
    }));
  }
  return [{
    path: pathOf(issue.path),
    rule: ruleOf(issue),
    value: valueAt(issue.path, json),
  }];
}

function ruleOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be of type ${issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "invalid_union":
      return "must be a string or a list of strings";
    case "too_small":
      return issue.origin === "string" || issue.origin === "array"
        ? `must have a length of at least ${issue.minimum}`
        : `must be at least ${issue.minimum}`;
    case "too_big":
      return issue.origin === "string" || issue.origin === "array"
        ? `must have a length of at most ${issue.maximum}`
        : `must be at most ${issue.maximum}`;
  }
  return issue.message;
}

/** The value as it was written: an issue's own input may hold defaults. */
function valueAt(path: readonly PropertyKey[], json: unknown): string {
  if (path.length === 0) return "";
  let value = json;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return "";
    value = Object.entries(value).find(([key]) => key === String(part))?.[1];
  }
  const secret = path.some((part) => SECRET.has(String(part)));
  return value === undefined ? "" : secret ? "***" : JSON.stringify(value);
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : index === 0
      ? String(part)
      : `.${String(part)}`
  ).join("");
}
