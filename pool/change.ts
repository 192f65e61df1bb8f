/**
 * Calls that change one card: the pool's words in those of its cloud.
 *
 * @module
 */
import type { Cidr, Ip } from "../netns/ip.ts";
import type { Cloud } from "./cloud.ts";
import { type Answer, familyOfCall, type OpenCall } from "./event.ts";
import { ipsOfPrefix } from "./prefix.ts";

/**
 * Makes a call that changes one card.
 *
 * @param cloud The cloud.
 * @param call The call.
 * @param at The card, this node's instance, and the deadline.
 * @returns What it gave.
 */
export async function change(
  cloud: Cloud,
  call: Exclude<
    OpenCall,
    {
      kind:
        | "survey"
        | "describe"
        | "create"
        | "prepare"
        | "retire"
        | "prove"
        | "purge";
    }
  >,
  at: { eniId: string; instanceId: string; signal: AbortSignal },
): Promise<Answer> {
  const { eniId, instanceId, signal } = at;
  switch (call.kind) {
    case "attach":
      await cloud.attachEni({ eniId, instanceId }, signal);
      return { kind: call.kind };
    case "detach":
      await cloud.detachEni({ eniId, instanceId }, signal);
      return { kind: call.kind };
    case "delete":
      await cloud.deleteEni(eniId, signal);
      return { kind: call.kind };
    case "assign":
    case "assign6": {
      const { count, token } = call;
      const wish = { eniId, count, token };
      if (call.ofPrefixes) {
        const family = familyOfCall(call.kind);
        const prefixes = await cloud.assignPrefixes(
          { ...wish, family },
          signal,
        );
        const ips = prefixes.flatMap(ipsOfPrefix);
        return { kind: call.kind, ips, prefixes };
      }
      const ips = call.kind === "assign6"
        ? await cloud.assignIp6s(wish, signal)
        : await cloud.assignIps(wish, signal);
      return { kind: call.kind, ips };
    }
    case "secure": {
      const { securityGroupIds } = call;
      await cloud.setSecurityGroups({ eniId, securityGroupIds }, signal);
      return { kind: call.kind };
    }
    case "unassign":
    case "unassign6":
      await unassign(cloud, { ...call, eniId }, signal);
      return { kind: call.kind };
  }
}

/** Prefixes go as such, and single addresses by their family. */
async function unassign(
  cloud: Cloud,
  { kind, eniId, ips, prefixes }: {
    readonly kind: "unassign" | "unassign6";
    readonly eniId: string;
    readonly ips: readonly Ip[];
    readonly prefixes?: readonly Cidr[];
  },
  signal: AbortSignal,
): Promise<void> {
  if (prefixes !== undefined) {
    await cloud.unassignPrefixes({ eniId, prefixes }, signal);
  } else if (kind === "unassign") {
    await cloud.unassignIps({ eniId, ips }, signal);
  } else await cloud.unassignIp6s({ eniId, ips }, signal);
}
