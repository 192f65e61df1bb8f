/**
 * The keys of `eni_conf`: type, default and bounds of each, and what must hold
 * between them. A default stands here and nowhere else.
 *
 * Deliberately not here: how a text becomes a tree (`eni_conf_text.ts`), how a
 * key may be spelled (`eni_conf_keys.ts`), and what isn't built
 * (`eni_conf_support.ts`).
 *
 * @module
 */
import { z } from "zod";
import { AccessKey, type DaemonConfig } from "./eni_conf_decoded.ts";
import type { Issue } from "./eni_conf_issue.ts";
import { backoffOverride, rateLimit } from "./eni_conf_rates.ts";
import type { ConfTree } from "./eni_conf_text.ts";
import {
  destination,
  duration,
  id,
  ids,
  looseRatio,
  looseSwitch,
  serviceCidrs,
  tagList,
  tags,
} from "./eni_conf_values.ts";

/** Far above what an instance can hold (15 ENIs of 50 addresses). */
const addressCount = z.int().min(0).max(1_000);

/** Above the ENIs of any instance type. */
const eniCount = z.int().min(0).max(64);

/** A name or a secret as the cloud gives it out, not `replace your key`. */
const word = z.string().regex(
  /^\S{1,128}$/,
  "must be 1 to 128 characters without blanks",
);

/**
 * Of the 20 tags that ECS lets an ENI have, four are ours. Source: ECS
 * TagResources, and `pool/tags.ts`.
 */
const OPERATOR_TAG_COUNT = 16;

/** ENIs of others, never to be touched. Source: Terway's own block list. */
const BLOCKED_TAGS = [
  { key: "creator", value: "alibabacloud-erdma-controller" },
  { key: "terway.alibabacloud.com/excluded", value: "true" },
];

/** Switches, as they are when nobody says anything. */
const on = z.boolean().default(() => true);
const off = z.boolean().default(() => false);

/** Every key, as `eni_conf` spells it. */
const shape = z.object({
  version: z.literal("1").default("1"),
  region_id: id.optional(),
  access_key: word.optional(),
  access_secret: word.optional(),
  credential_path: z.string().regex(/^\//, "must be an absolute path")
    .optional(),
  resource_group_id: id.optional(),
  service_cidr: serviceCidrs.optional(),
  vswitches: z.record(z.string().min(1), ids).default({}),
  vswitch_selection_policy: z.enum(["ordered", "random", "most"])
    .default("ordered"),
  security_group: id.optional(),
  security_groups: z.array(id).min(1).max(5).optional(),
  eni_tags: tags({
    min: 0,
    max: OPERATOR_TAG_COUNT,
    isReserved: (key) => key === "creator" || key.startsWith("terway/"),
  }).default({}),
  // No tag at all would mean every ENI.
  eni_tag_filter: tags({ min: 1, max: 20 }).optional(),
  eni_tag_block_list: tagList.default(BLOCKED_TAGS),
  prefix: z.string().regex(
    /^[\w.-]{1,15}$/,
    "must be what links' names begin with: 1 to 15 letters, digits, - . or _",
  ).optional(),
  hot_plug: looseSwitch.default(() => true),
  max_pool_size: addressCount.default(5),
  min_pool_size: addressCount.default(0),
  min_eni: eniCount.default(0),
  max_eni: eniCount.default(0),
  eni_cap_ratio: z.number().positive().max(1).default(1),
  eni_cap_shift: z.int().min(-64).max(64).default(0),
  eni_selection_policy: z.enum(["most_ips", "least_ips"]).default("most_ips"),
  idle_ip_reclaim_after: duration("10s", "168h").optional(),
  idle_ip_reclaim_interval: duration("10s", "24h").prefault("10m"),
  idle_ip_reclaim_batch_size: z.int().min(1).max(100).default(5),
  idle_ip_reclaim_jitter_factor: looseRatio.default(0.1),
  ip_warm_up_size: addressCount.default(0),
  ip_pool_sync_period: duration("10s", "1h").prefault("2m"),
  ip_stack: z.enum(["ipv4", "dual", "ipv6"]).default("ipv4"),
  ipam_type: z.enum(["", "default", "crd", "preferCRD"]).default(""),
  enable_eni_trunking: off,
  enable_erdma: off,
  enable_ip_prefix: off,
  ipv4_prefix_count: z.int().min(0).max(50).default(0),
  ipv6_prefix_count: z.int().min(0).max(1).default(0),
  extra_routes: z.array(z.strictObject({ dst: destination })).max(100).default(
    [],
  ),
  custom_stateful_workload_kinds: z.array(word).max(50).default([]),
  enable_patch_pod_ips: on,
  disable_device_plugin: off,
  kube_client_qps: z.number().positive().max(1_000).default(5),
  kube_client_burst: z.int().min(1).max(1_000).default(10),
  rate_limit: rateLimit.prefault({}),
  backoff_override: backoffOverride.prefault({}),
  cluster_id: z.string().min(1).max(64).default("default"),
  fix_host: off,
  mtu: z.int().min(1_280).max(9_000).optional(),
});

type Keys = z.infer<typeof shape>;

/** The names of all keys. */
export const KEYS: ReadonlySet<string> = new Set(Object.keys(shape.shape));

/** What must hold between keys; told beside what is wrong with each alone. */
const RULES: readonly {
  readonly path: string;
  readonly rule: string;
  /** Values that broke a rule of their own are as they were written. */
  readonly holds: (conf: Keys) => boolean;
}[] = [
  {
    path: "min_pool_size",
    rule: "must not exceed max_pool_size",
    holds: (conf) => !exceeds(conf.min_pool_size, conf.max_pool_size),
  },
  {
    path: "min_eni",
    rule: "must not exceed max_eni",
    holds: (conf) => conf.max_eni === 0 || !exceeds(conf.min_eni, conf.max_eni),
  },
  {
    path: "access_key",
    rule: "must be given too, as half a pair of credentials is no use",
    holds: (conf) =>
      conf.access_secret === undefined || conf.access_key !== undefined,
  },
  {
    path: "access_secret",
    rule: "must be given too, as half a pair of credentials is no use",
    holds: (conf) =>
      conf.access_key === undefined || conf.access_secret !== undefined,
  },
  {
    path: "security_groups",
    rule: "must be at most 5 together with security_group",
    holds: (conf) => groupsOf(conf).length <= 5,
  },
];

const schema: z.ZodType<Keys> = RULES.reduce<z.ZodType<Keys>>(
  (all, { path, rule, holds }) =>
    all.refine(holds, { path: [path], message: rule, when: hasObject }),
  shape,
);

/**
 * Decodes the keys' values.
 *
 * @param tree An object that has only known keys, and no null.
 * @returns The configuration, frozen to its depths, or every rule that it
 * breaks, and where.
 */
export function decodeKeys(
  tree: ConfTree,
): { readonly config: DaemonConfig } | { readonly issues: readonly Issue[] } {
  const decoded = schema.safeParse(tree);
  return decoded.success
    ? { config: freeze(toConfig(decoded.data)) }
    : { issues: decoded.error.issues };
}

function toConfig(conf: Keys): DaemonConfig {
  const groups = groupsOf(conf);
  return {
    ...given("region", conf.region_id),
    ...(conf.access_key === undefined || conf.access_secret === undefined
      ? {}
      : { accessKey: new AccessKey(conf.access_key, conf.access_secret) }),
    ...given("credentialPath", conf.credential_path),
    ...given("resourceGroupId", conf.resource_group_id),
    ...given("serviceCidrs", conf.service_cidr),
    vSwitches: conf.vswitches,
    vSwitchPolicy: conf.vswitch_selection_policy,
    ...given("securityGroupIds", groups.length === 0 ? undefined : groups),
    eniTags: conf.eni_tags,
    ...given("adoptTags", conf.eni_tag_filter),
    ...given("adoptPrefix", conf.prefix),
    blockTags: conf.eni_tag_block_list,
    hotPlug: conf.hot_plug,
    ...toPool(conf),
    ...toFeatures(conf),
    kubeCallsPerSecond: conf.kube_client_qps,
    kubeBurstCount: conf.kube_client_burst,
    callsPerMinute: conf.rate_limit,
    backoffs: conf.backoff_override,
    clusterId: conf.cluster_id,
    fixHost: conf.fix_host,
    ...given("mtu", conf.mtu),
  };
}

type PoolField =
  | "maxPoolCount"
  | "minPoolCount"
  | "minEniCount"
  | "maxEniCount"
  | "eniCapRatio"
  | "eniCapShift"
  | "eniPolicy"
  | "idleReclaim"
  | "warmUpCount"
  | "poolSyncMs";

function toPool(conf: Keys): Pick<DaemonConfig, PoolField> {
  return {
    maxPoolCount: conf.max_pool_size,
    minPoolCount: conf.min_pool_size,
    minEniCount: conf.min_eni,
    // Terway's 0 is "no bound of ours", and its default.
    ...given("maxEniCount", conf.max_eni === 0 ? undefined : conf.max_eni),
    eniCapRatio: conf.eni_cap_ratio,
    eniCapShift: conf.eni_cap_shift,
    eniPolicy: conf.eni_selection_policy,
    ...(conf.idle_ip_reclaim_after === undefined ? {} : {
      idleReclaim: {
        afterMs: conf.idle_ip_reclaim_after,
        intervalMs: conf.idle_ip_reclaim_interval,
        batchCount: conf.idle_ip_reclaim_batch_size,
        jitter: conf.idle_ip_reclaim_jitter_factor,
      },
    }),
    warmUpCount: conf.ip_warm_up_size,
    poolSyncMs: conf.ip_pool_sync_period,
  };
}

type FeatureField =
  | "ipStack"
  | "ipam"
  | "trunking"
  | "erdma"
  | "prefixes"
  | "extraRoutes"
  | "statefulKinds"
  | "patchesPodIps"
  | "devicePlugin";

function toFeatures(conf: Keys): Pick<DaemonConfig, FeatureField> {
  return {
    ipStack: conf.ip_stack,
    ipam: conf.ipam_type === "" ? "default" : conf.ipam_type,
    trunking: conf.enable_eni_trunking,
    erdma: conf.enable_erdma,
    ...(conf.enable_ip_prefix
      ? { prefixes: { minCount: prefixCountOf(conf) } }
      : {}),
    extraRoutes: [...new Set(conf.extra_routes.map(({ dst }) => dst))],
    statefulKinds: conf.custom_stateful_workload_kinds
      .map((kind) => kind.toLowerCase()),
    patchesPodIps: conf.enable_patch_pod_ips,
    devicePlugin: !conf.disable_device_plugin,
  };
}

/** A field for what was given; none, rather than undefined, for the rest. */
function given<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [Key in Name]?: Value } {
  return value === undefined ? {} : { [name]: value } as Record<Name, Value>;
}

function groupsOf(conf: Keys): readonly string[] {
  const { security_group: one, security_groups: more } = conf;
  return [
    ...new Set([
      ...(one === undefined ? [] : [one]),
      ...(Array.isArray(more) ? more : []),
    ]),
  ];
}

/** A rule is checked even if keys broke theirs: all problems at once. */
function hasObject({ value }: z.core.ParsePayload): boolean {
  return typeof value === "object" && value !== null;
}

function exceeds(low: unknown, high: unknown): boolean {
  return typeof low === "number" && typeof high === "number" && low > high;
}

function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}

/** Where IPv6 follows IPv4, each ENI has one of it by itself. */
function prefixCountOf(conf: Keys): number {
  return conf.ip_stack === "ipv6"
    ? conf.ipv6_prefix_count
    : conf.ipv4_prefix_count;
}
