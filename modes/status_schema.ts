/**
 * What a daemon tells of itself: the stable form of `terway status --json`.
 *
 * Keys are only ever added. Times are milliseconds since 1970; an absent key
 * says that there is nothing to tell. `terway status --schema` prints this as
 * a JSON Schema.
 *
 * @module
 */
import { z } from "zod";

const count = z.int().min(0);
const timeMs = z.int();

const slots = z.object({
  idle: count,
  leased: count,
  cooling: count,
  unassigning: count,
  quarantined: count,
}).describe("Addresses by how they are used");

const problem = z.object({
  kind: z.string().describe("throttled, quota, exhausted, denied, …"),
  api: z.string().describe("The cloud's name of the call"),
  code: z.string().describe("The cloud's own code"),
  message: z.string(),
  requestId: z.string(),
  httpStatus: z.int(),
}).describe("Why a call failed");

const eni = z.object({
  key: z.string().describe("Its name in the pool: the token that made it"),
  id: z.string().optional(),
  mac: z.string().optional(),
  isAdopted: z.boolean().describe("Made by somebody else: never deleted"),
  phase: z.string().describe("creating, attaching, ready, retiring, …"),
  sinceMs: timeMs,
  vSwitchId: z.string(),
  slots,
  securityGroupIds: z.array(z.string()),
  assigning: count.describe("Addresses under way"),
  problem: problem.optional(),
  goneSinceMs: timeMs.optional().describe("The cloud doesn't show it"),
});

const claim = z.object({
  ownerKey: z.string().describe("network/containerId/ifName"),
  atMs: timeMs,
  reason: z.object({
    kind: z.string(),
    text: z.string(),
    nextMs: timeMs.optional().describe("When the pool tries again by itself"),
  }),
}).describe("A pod that waits");

const pool = z.object({
  nowMs: timeMs,
  mode: z.enum(["new", "starting", "serving", "draining", "stopped"]),
  capacity: count.describe("Addresses that pods may have"),
  limits: z.looseObject({ minIdle: count, maxIdle: count }),
  slots,
  enis: z.array(eni),
  foreignEniIds: z.array(z.string()),
  orphans: z.array(z.object({
    eniId: z.string(),
    sinceMs: timeMs,
    purgeFromMs: timeMs.describe("When it is deleted"),
  })).describe("ENIs with this node's tags, attached nowhere, unrecorded"),
  lost: z.array(z.looseObject({ ownerKey: z.string(), ip: z.string() }))
    .describe("Leases whose address the cloud has taken away"),
  claims: z.array(claim),
  calls: z.array(z.object({ kind: z.string(), startedMs: timeMs })),
  full: z.object({ untilMs: timeMs, problem }).optional()
    .describe("The cloud allows no further ENI"),
  rests: z.array(z.object({
    vSwitchId: z.string(),
    untilMs: timeMs,
    atMost: count.describe("Addresses that it may still have"),
  })).describe("vSwitches that are held back"),
  vSwitches: z.array(z.object({
    id: z.string(),
    cidr: z.string(),
    ipCount: count.optional().describe("Addresses that it can still give"),
  })).describe("Where new ENIs may be made, in order of preference"),
  budgets: z.array(z.object({
    api: z.string(),
    used: count,
    most: count,
  })).describe("Calls of this minute, of as many as rate_limit allows"),
  exchange: z.object({
    eniId: z.string(),
    vSwitchId: z.string().describe("It ran dry"),
    targetVSwitchId: z.string(),
    ownerKeys: z.array(z.string()).describe("Who holds the ENI"),
  }).optional().describe("An ENI that makes way for one elsewhere"),
  health: z.object({
    level: z.enum(["whole", "noReleases", "probesOnly"])
      .describe("What is done: all, all but giving back, nothing but asking"),
    awayMs: timeMs.optional().describe("Since when no call was answered"),
    backMs: timeMs.optional().describe("Since when all calls are answered"),
    problem: problem.optional(),
  }).describe("Whether the cloud answers"),
  gates: z.array(z.object({
    call: z.string(),
    notBeforeMs: timeMs,
    problem,
  })).describe("APIs that are held back"),
});

const lease = z.object({
  ownerKey: z.string().describe("network/containerId/ifName"),
  ip: z.string(),
  eniId: z.string(),
  recipe: z.string().describe("The datapath and its version"),
  atMs: timeMs,
  attachment: z.unknown().describe("All that the pod got"),
});

const host = z.object({
  findings: z.array(z.object({
    severity: z.enum(["error", "warning", "note"]),
    object: z.string().describe("What is wrong, by the name people know"),
    problem: z.string(),
    meaning: z.string().describe("What that means for pods"),
    command: z.string().optional().describe("Mends it, in a shell of the host"),
    advice: z.string().optional().describe("Where no command mends it"),
    failure: z.string().optional().describe("Why fix_host couldn't mend it"),
  })),
  changes: z.array(z.object({
    object: z.string(),
    was: z.string(),
    now: z.string(),
    undo: z.string().describe("The command that undoes it, as a drain does"),
    atMs: timeMs,
  })).describe("What fix_host changed"),
}).describe("Settings of the host; absent before the first look");

const status = z.object({
  schema: z.literal(1),
  pid: z.int(),
  version: z.string(),
  memory: z.object({ rssBytes: count }),
  node: z.object({
    instanceId: z.string(),
    instanceType: z.string(),
    region: z.string(),
    zone: z.string(),
    primaryIp: z.string(),
    credentials: z.object({
      source: z.string().describe("Where they come from; never a value"),
      expiresAtMs: timeMs.optional(),
      problem: z.string().optional(),
    }).optional(),
  }),
  pool,
  leases: z.array(lease),
  host: host.optional(),
});

/**
 * Compares what a daemon told with the form.
 *
 * @param value What it told.
 * @returns A line a key that isn't as the form has it; empty when all is well.
 */
export function statusProblems(value: unknown): readonly string[] {
  const { error } = status.safeParse(value);
  return error?.issues.map(({ path, message }) =>
    `${path.map(String).join(".")}: ${message}`
  ) ?? [];
}

/**
 * Gives the form as a JSON Schema.
 *
 * @returns A document of draft 2020-12.
 */
export function statusJsonSchema(): unknown {
  return z.toJSONSchema(status);
}
