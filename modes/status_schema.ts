/**
 * What a daemon tells of itself: the stable form of `terway status --json`.
 *
 * Keys are only ever added. Times are milliseconds since 1970; an absent key
 * says that there is nothing to tell. `terway status --schema` prints this as
 * a JSON Schema, and `docs/status.md` tells it key by key; after a change here,
 * `deno run -A tests/status_doc.ts --write` writes that anew.
 *
 * @module
 */
import { z } from "zod";

const count = z.int().min(0);
const timeMs = z.int();

const slots = z.object({
  idle: count.describe("Ready for pods"),
  leased: count.describe("Pods have them"),
  cooling: count.describe("Released less than 30 s ago"),
  unassigning: count.describe("Being given back"),
  quarantined: count.describe("Not lent before it is proven that none uses it"),
}).describe("Addresses by how they are used");

const problem = z.object({
  call: z.string().describe("create, attach, assign, survey, …"),
  kind: z.string().describe("throttled, quota, exhausted, denied, …"),
  api: z.string().describe("The cloud's name of the call"),
  code: z.string().describe("The cloud's own code"),
  message: z.string().describe("What the cloud said"),
  requestId: z.string().describe("By which its support finds the call"),
  httpStatus: z.int().describe("0 when there was no answer"),
}).describe("Why a call failed");

const eni = z.object({
  key: z.string().describe("Its name in the pool: the token that made it"),
  id: z.string().optional().describe("The cloud's id, once it was made"),
  mac: z.string().optional().describe("As the kernel writes it"),
  isAdopted: z.boolean().describe("Made by somebody else: never deleted"),
  isTrunk: z.boolean().optional().describe("It is the node's trunk"),
  phase: z.string().describe("creating, attaching, ready, retiring, …"),
  sinceMs: timeMs.describe("When it came to this phase"),
  vSwitchId: z.string().describe("Where its addresses are from"),
  slots,
  slots6: slots.optional().describe("IPv6, where pods have both families"),
  prefixes: z.array(z.string()).optional()
    .describe(
      "Prefixes, /28 of IPv4 and /80 of IPv6; their addresses for pods are counted in slots and slots6; absent without any",
    ),
  securityGroupIds: z.array(z.string()).describe("The groups it was put into"),
  assigning: count.describe("Addresses under way"),
  problem: problem.optional(),
  goneSinceMs: timeMs.optional().describe("The cloud doesn't show it"),
});

const claim = z.object({
  ownerKey: z.string().describe("network/containerId/ifName"),
  atMs: timeMs.describe("Since when"),
  reason: z.object({
    kind: z.string().describe(
      "pending, cooling, exhausted, full, throttled, …",
    ),
    text: z.string().describe("For people"),
    nextMs: timeMs.optional().describe("When the pool tries again by itself"),
  }).describe("Why"),
}).describe("A pod that waits");

const pool = z.object({
  nowMs: timeMs.describe("When this was told"),
  mode: z.enum(["new", "starting", "serving", "draining", "stopped"])
    .describe("What the pool does"),
  capacity: count.describe("Addresses that pods may have"),
  limits: z.looseObject({
    minIdle: count.describe("min_pool_size"),
    maxIdle: count.describe("max_pool_size"),
    eniCount: count.describe("ENIs that pods may use"),
    addressesPerEni: count.describe("1 where a pod has an ENI to itself"),
    hotPlug: z.boolean().describe("hot_plug"),
    stack: z.enum(["ipv4", "dual", "ipv6"]).describe("ip_stack"),
  }).describe("The bounds in force; other keys of it may change"),
  slots,
  slots6: slots.optional().describe("IPv6, where pods have both families"),
  enis: z.array(eni).describe("The ENIs of pods, oldest first"),
  foreignEniIds: z.array(z.string())
    .describe("Others' ENIs on this instance: counted, never touched"),
  orphans: z.array(z.object({
    eniId: z.string().describe("The cloud's id"),
    sinceMs: timeMs.describe("When it was first seen so"),
    purgeFromMs: timeMs.describe("When it is deleted"),
  })).describe("ENIs with this node's tags, attached nowhere, unrecorded"),
  lost: z.array(z.object({
    ownerKey: z.string().describe("network/containerId/ifName"),
    ip: z.string().describe("The address that is gone"),
    eniId: z.string().describe("The ENI that had it"),
    sinceMs: timeMs.describe("When that was found"),
  }))
    .describe("Leases whose address the cloud has taken away"),
  claims: z.array(claim).describe("Pods that wait, first come first"),
  calls: z.array(z.object({
    kind: z.string().describe("create, attach, assign, survey, …"),
    startedMs: timeMs.describe("When it began"),
  })).describe("Calls in flight, at most 8 of them of the cloud"),
  trunk: z.object({
    eniId: z.string().optional().describe("As in trunk"),
    memberCount: count.describe("As in trunk"),
    reason: z.string().optional().describe("As in trunk"),
  }).optional().describe("The trunk ENI, as the pool has it"),
  full: z.object({
    untilMs: timeMs.describe("When it is tried again"),
    problem,
  }).optional()
    .describe("The cloud allows no further ENI"),
  rests: z.array(z.object({
    vSwitchId: z.string().describe("The cloud's id"),
    untilMs: timeMs.describe("When it is asked again"),
    atMost: count.describe("Addresses that it may still have"),
  })).describe("vSwitches that are held back"),
  vSwitches: z.array(z.object({
    id: z.string().describe("The cloud's id"),
    cidr: z.string().describe("Its prefix"),
    cidr6: z.string().optional().describe("Its IPv6 prefix"),
    ipCount: count.optional().describe("Addresses that it can still give"),
  })).describe("Where new ENIs may be made, in order of preference"),
  budgets: z.array(z.object({
    api: z.string().describe("The cloud's name of the call"),
    used: count.describe("Calls since the minute began"),
    most: count.describe("Calls that rate_limit allows in a minute"),
  })).describe("Calls of this minute, of as many as rate_limit allows"),
  exchange: z.object({
    eniId: z.string().describe("The cloud's id"),
    vSwitchId: z.string().describe("It ran dry"),
    targetVSwitchId: z.string().describe("Where its successor is made"),
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
    call: z.string().describe("create, attach, assign, survey, …"),
    notBeforeMs: timeMs.describe("When it is called again"),
    problem,
  })).describe("APIs that are held back"),
});

const lease = z.object({
  ownerKey: z.string().describe("network/containerId/ifName"),
  ip: z.string().describe("The pod's address"),
  ip6: z.string().optional().describe("Beside it, of the same ENI"),
  eniId: z.string().describe("Whose address it is"),
  eniKey: z.string().optional().describe("That ENI's name in the pool"),
  recipe: z.string().describe("The datapath and its version"),
  atMs: timeMs.describe("When it was given"),
  attachment: z.unknown().describe("All that the pod got; its form may change"),
}).describe("An address that a pod has");

const host = z.object({
  findings: z.array(z.object({
    severity: z.enum(["error", "warning", "note"]).describe("How bad it is"),
    object: z.string().describe("What is wrong, by the name people know"),
    problem: z.string().describe("What is wrong with it"),
    meaning: z.string().describe("What that means for pods"),
    command: z.string().optional().describe("Mends it, in a shell of the host"),
    advice: z.string().optional().describe("Where no command mends it"),
    failure: z.string().optional().describe("Why fix_host couldn't mend it"),
  })).describe("What stands in the way of pods"),
  changes: z.array(z.object({
    object: z.string().describe("By the name people know"),
    was: z.string().describe("Its value before"),
    now: z.string().describe("Its value now"),
    undo: z.string().describe("The command that undoes it, as a drain does"),
    atMs: timeMs.describe("When it was changed"),
  })).describe("What fix_host changed"),
}).describe("Settings of the host; absent before the first look");

const sharing = z.object({
  wanted: z.enum(["veth", "ipvlan"]).describe("By the network of the last pod"),
  effective: z.enum(["veth", "ipvlan"]).describe("What pods get"),
  reason: z.string().optional().describe("Why that isn't what is wanted"),
}).describe("How pods share an ENI; absent before the first pod");

const trunk = z.object({
  eniId: z.string().optional().describe("The cloud's id, once it is made"),
  memberCount: count.describe("ENIs of pods that hang on it"),
  memberCapacity: count.describe("As many may: EniTotalQuantity - EniQuantity"),
  reason: z.string().optional().describe("Why there is none to use"),
}).describe("The trunk ENI; absent where none is wanted or there");

const podCidr = z.object({
  cidr: z.string().describe("The prefix"),
  capacity: count.describe("Addresses that pods may have"),
  leased: count.describe("Pods have them"),
  cooling: count.describe("Released less than 30 s ago"),
}).describe("The node's pod CIDR, in mode VPC");

const status = z.object({
  schema: z.literal(1).describe("Counted up if a promise is ever broken"),
  pid: z.int().describe("The daemon's process"),
  version: z.string().describe("The daemon's version"),
  memory: z.object({
    rssBytes: count.describe("Its resident memory, in bytes"),
  })
    .describe("What the daemon takes"),
  node: z.object({
    instanceId: z.string().describe("The cloud's id"),
    instanceType: z.string().describe("It says how many ENIs there may be"),
    region: z.string().describe("The cloud's id"),
    zone: z.string().describe("The cloud's id"),
    primaryIp: z.string().describe("The node's own address"),
    limits: z.object({
      eniCount: count.describe("ENIs, the primary one included"),
      ipv4PerEniCount: count.describe("IPv4 addresses an ENI"),
      ipv6PerEniCount: count.describe("IPv6 addresses an ENI"),
    }).describe("What the instance type allows"),
    credentials: z.object({
      source: z.string().describe("Where they come from; never a value"),
      expiresAtMs: timeMs.optional().describe("When they end, if they do"),
      problem: z.string().optional().describe("Why there are no newer ones"),
    }).optional().describe("Absent before the first call"),
  }).describe("The node's instance"),
  daemonMode: z.enum(["VPC", "ENIMultiIP", "ENIOnly"])
    .describe("How pods get their network: --daemon-mode"),
  devicePlugin: z.boolean().optional()
    .describe("Whether the kubelet shall be told how many ENIs there are"),
  podCidr: podCidr.optional(),
  pool: pool.describe("ENIs, addresses and who waits for them"),
  leases: z.array(lease).describe("Addresses that pods have"),
  host: host.optional(),
  sharing: sharing.optional(),
  trunk: trunk.optional(),
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
  // As who reads it: a newer daemon may tell more.
  return z.toJSONSchema(status, { io: "input" });
}
