/**
 * What a node may hold by its live quota: as its daemon says or, where none
 * answers, as metadata and cloud do.
 *
 * @module
 */
import { z } from "zod";
import { podsPerEni } from "../../pool/limits.ts";
import { messageOf } from "../command_line.ts";
import { ask } from "../wire.ts";
import type { NodeRoom } from "./max_pods.ts";

/** The daemon answers from memory: more than this means that it hangs. */
const REPLY_DEADLINE_MS = 5_000;

/** Metadata, credentials, and one question. */
const CLOUD_DEADLINE_MS = 20_000;

/** A node's quota. */
export interface Quota extends NodeRoom {
  /** Who told. */
  readonly source: "daemon" | "cloud";
  /** The cloud's id of the instance. */
  readonly instanceId: string;
  /** Its type. */
  readonly instanceType: string;
  /** ENIs that the type allows, the primary one included. */
  readonly typeEniCount: number;
  /** The mode in force, if a daemon told. */
  readonly daemonMode?: string;
  /** Why no daemon told. */
  readonly problem?: string;
}

const count = z.int().min(0);

const status = z.object({
  node: z.object({
    instanceId: z.string(),
    instanceType: z.string(),
    limits: z.object({
      eniCount: count,
      ipv4PerEniCount: count,
      ipv6PerEniCount: count,
    }),
  }),
  daemonMode: z.string(),
  podCidr: z.object({ cidr: z.string(), capacity: count }).optional(),
  pool: z.object({
    limits: z.object({
      eniCount: count,
      addressesPerEni: count,
      hotPlug: z.boolean(),
      stack: z.enum(["ipv4", "dual", "ipv6"]),
    }),
    enis: z.array(z.unknown()),
    foreignEniIds: z.array(z.string()),
  }),
});

/** How the answer is to be counted. */
export interface QuotaWish {
  /** Whether ENIs are counted with prefixes, be they in force or not. */
  readonly hasPrefixes?: boolean;
}

/**
 * Reads a daemon's status.
 *
 * @param told What it told, decoded from JSON.
 * @param wish How it is to be counted.
 * @returns The quota.
 * @throws {Error} When it isn't a status that says enough.
 */
export function quotaOf(
  told: unknown,
  { hasPrefixes = false }: QuotaWish = {},
): Quota {
  const { node, daemonMode, podCidr, pool } = status.parse(told);
  const { limits, enis, foreignEniIds } = pool;
  const { instanceId, instanceType, limits: type } = node;
  const hotCount = Math.max(0, limits.eniCount - foreignEniIds.length);
  return {
    source: "daemon",
    instanceId,
    instanceType,
    typeEniCount: type.eniCount,
    eniCount: limits.hotPlug ? hotCount : enis.length,
    // What is in force knows best; in other modes an ENI carries one pod.
    podsPerEniCount: daemonMode === "ENIMultiIP" && !hasPrefixes
      ? limits.addressesPerEni
      : podsPerEni(type, { stack: limits.stack, hasPrefixes }),
    daemonMode,
    ...podCidr === undefined ? {} : { podCidr },
  };
}

/**
 * Asks for this node's quota.
 *
 * @param socket Where its daemon listens, if there is one.
 * @param wish How the answer is to be counted.
 * @returns The quota.
 * @throws {Error} When neither the daemon nor the cloud tells.
 */
export async function askQuota(
  socket: string,
  wish: QuotaWish,
): Promise<Quota> {
  try {
    return await askDaemon(socket, wish);
  } catch (error) {
    const problem = messageOf(error);
    return { ...await askCloud(wish), problem };
  }
}

async function askDaemon(socket: string, wish: QuotaWish): Promise<Quota> {
  const { status, document } = await ask(socket, {
    variables: new Map([["TERWAY_COMMAND", "status"]]),
    stdin: new Uint8Array(),
  }, AbortSignal.timeout(REPLY_DEADLINE_MS));
  if (status !== 0) throw new Error(document.trim());
  return quotaOf(JSON.parse(document), wish);
}

async function askCloud(wish: QuotaWish): Promise<Quota> {
  const { openCloud } = await import("../../pool/clouds.ts");
  const deadline = AbortSignal.timeout(CLOUD_DEADLINE_MS);
  const opened = await openCloud(
    { name: "alibaba" },
    (name) => Deno.env.get(name),
    deadline,
  );
  const { id, type } = await opened.identity(deadline);
  const limits = await opened.cloud.describeLimits(type, deadline);
  return {
    source: "cloud",
    instanceId: id,
    instanceType: type,
    typeEniCount: limits.eniCount,
    eniCount: Math.max(0, limits.eniCount - 1),
    podsPerEniCount: podsPerEni(limits, { ...wish, stack: "ipv4" }),
  };
}
