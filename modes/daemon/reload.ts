/**
 * What a changed configuration may change while the daemon runs, as data.
 *
 * Safe is what only steers the pool's next steps. What is written into live
 * pods, into tags by which we know our own, or into what was opened once at
 * the start is refused with the reason: half of a node under another setting
 * is worse than an old setting.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { AccessKey, type DaemonConfig } from "./eni_conf_decoded.ts";

/** A field's name. */
export type ConfigField = keyof DaemonConfig;

/** A field that takes its new value at once. */
export interface ReloadStep {
  /** Which. */
  readonly field: ConfigField;
  /** What held until now; nothing when the field was absent. */
  readonly from: unknown;
  /** What holds from now on; nothing when the field is absent now. */
  readonly to: unknown;
}

/** A field that keeps its old value. */
export interface ReloadRefusal {
  /** Which. */
  readonly field: ConfigField;
  /** Why it can't change, and what to do. */
  readonly why: string;
}

/** What comes of a changed configuration. */
export interface ReloadPlan {
  /** What to tell the parts of the daemon. */
  readonly apply: readonly ReloadStep[];
  /** What to tell the operator. */
  readonly refused: readonly ReloadRefusal[];
  /**
   * What holds when `apply` is done: the old configuration of the next plan,
   * so that what was refused is refused again until it is undone.
   */
  readonly inForce: DaemonConfig;
}

const OPENED_ONCE = "is used once, when the daemon starts: restart it";
const IN_LIVE_PODS =
  "is part of the network of pods that are running: drain the node, then " +
  "restart the daemon";
const TELLS_OUR_OWN =
  "tells which ENIs are this node's: drain the node, then restart the daemon";

/** By field, why it can't change; nothing for what can. */
const RULES: Readonly<Record<ConfigField, string | undefined>> = {
  region: OPENED_ONCE,
  accessKey: OPENED_ONCE,
  credentialPath: OPENED_ONCE,
  resourceGroupId: undefined,
  serviceCidrs: IN_LIVE_PODS,
  vSwitches: undefined,
  vSwitchPolicy: undefined,
  securityGroupIds: undefined,
  eniTags: undefined,
  adoptTags: TELLS_OUR_OWN,
  adoptPrefix: TELLS_OUR_OWN,
  blockTags: TELLS_OUR_OWN,
  hotPlug: undefined,
  maxPoolCount: undefined,
  minPoolCount: undefined,
  minEniCount: undefined,
  maxEniCount: undefined,
  eniCapRatio: undefined,
  eniCapShift: undefined,
  eniPolicy: undefined,
  idleReclaim: undefined,
  warmUpCount: OPENED_ONCE,
  poolSyncMs: undefined,
  ipStack: IN_LIVE_PODS,
  ipam: TELLS_OUR_OWN,
  trunking: OPENED_ONCE,
  erdma: TELLS_OUR_OWN,
  prefixes: undefined,
  extraRoutes: undefined,
  statefulKinds: undefined,
  patchesPodIps: undefined,
  devicePlugin: OPENED_ONCE,
  kubeCallsPerSecond: OPENED_ONCE,
  kubeBurstCount: OPENED_ONCE,
  callsPerMinute: undefined,
  backoffs: undefined,
  clusterId: TELLS_OUR_OWN,
  fixHost: OPENED_ONCE,
  mtu: IN_LIVE_PODS,
};

/**
 * Compares two configurations.
 *
 * Neither the order of an object's keys nor that of security groups matters;
 * that of a zone's vSwitches does. No secret is part of the plan.
 *
 * @example A pool's bound is taken up, the MTU isn't
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeConfig } from "./config.ts";
 *
 * const { config: old } = decodeConfig("{}", "eni_conf");
 * const { config: next } = decodeConfig(
 *   '{ "max_pool_size": 9, "mtu": 9000 }',
 *   "eni_conf",
 * );
 * const plan = planReload(old, next);
 * assertEquals(plan.apply, [{ field: "maxPoolCount", from: 5, to: 9 }]);
 * assertEquals(plan.refused.map(({ field }) => field), ["mtu"]);
 * assertEquals([plan.inForce.maxPoolCount, plan.inForce.mtu], [9, undefined]);
 * ```
 * @param old What is in force.
 * @param next What was read.
 * @returns The plan; its lists are empty when nothing changed.
 */
export function planReload(
  old: DaemonConfig,
  next: DaemonConfig,
): ReloadPlan {
  const apply: ReloadStep[] = [];
  const refused: ReloadRefusal[] = [];
  const inForce = new Map<string, unknown>(Object.entries(old));
  for (const field of FIELDS) {
    const [from, to] = [old[field], next[field]];
    if (isDeepStrictEqual(toComparable(from, field), toComparable(to, field))) {
      continue;
    }
    const why = RULES[field];
    if (why !== undefined) {
      refused.push({ field, why });
      continue;
    }
    apply.push({ field, from, to });
    if (to === undefined) inForce.delete(field);
    else inForce.set(field, to);
  }
  return {
    apply,
    refused,
    // Field by field it is one of two valid ones, so it is of their type.
    inForce: Object.freeze(
      Object.fromEntries(inForce),
    ) as unknown as DaemonConfig,
  };
}

// The table has all fields: the compiler sees to it.
const FIELDS = Object.keys(RULES) as ConfigField[];

function toComparable(value: unknown, field: ConfigField): unknown {
  if (field === "securityGroupIds" && Array.isArray(value)) {
    return value.toSorted();
  }
  // Its fields are private, so two keys would look alike.
  if (field === "accessKey" && value instanceof AccessKey) {
    return [value.id, value.secret];
  }
  return value;
}
