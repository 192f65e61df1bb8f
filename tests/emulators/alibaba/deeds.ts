/**
 * What a stranger can be told to do, as plain data: the bodies of
 * `POST /_act`.
 *
 * @module
 */
import { z } from "zod";
import type { Ip } from "../../../netns/ip.ts";
import type { EmulatedCloud } from "./cloud.ts";

/** What can be done behind the users' backs; see `stranger.ts`. */
export type Deed =
  | {
    readonly act: "create eni";
    readonly vSwitchId: string;
    readonly securityGroupIds?: readonly string[] | undefined;
    readonly secondaryCount?: number | undefined;
    readonly tags?: Readonly<Record<string, string>> | undefined;
    readonly instanceId?: string | undefined;
  }
  | { readonly act: "detach eni" | "delete eni"; readonly eniId: string }
  | {
    readonly act: "assign ips";
    readonly eniId: string;
    readonly wanted: number | readonly Ip[];
  }
  | {
    readonly act: "unassign ips";
    readonly eniId: string;
    readonly ips: readonly Ip[];
  }
  | {
    readonly act: "set tags";
    readonly eniId: string;
    readonly tags: Readonly<Record<string, string>>;
  }
  | {
    readonly act: "occupy";
    readonly vSwitchId: string;
    readonly leftCount: number;
  }
  | { readonly act: "vacate"; readonly vSwitchId: string }
  /** Ends the role's session before its time. */
  | { readonly act: "revoke role"; readonly role: string };

const count = z.int().nonnegative();
const eniId = z.string().min(1);
const ips = z.array(z.ipv4()).min(1);
const tags = z.record(z.string(), z.string());
const vSwitchId = z.string().min(1);

const shape: z.ZodType<Deed, unknown> = z.discriminatedUnion("act", [
  z.strictObject({
    act: z.literal("create eni"),
    vSwitchId,
    securityGroupIds: z.array(z.string()).optional(),
    secondaryCount: count.optional(),
    tags: tags.optional(),
    instanceId: z.string().optional(),
  }),
  z.strictObject({ act: z.literal("detach eni"), eniId }),
  z.strictObject({ act: z.literal("delete eni"), eniId }),
  z.strictObject({
    act: z.literal("assign ips"),
    eniId,
    wanted: z.union([count, ips]),
  }),
  z.strictObject({ act: z.literal("unassign ips"), eniId, ips }),
  z.strictObject({ act: z.literal("set tags"), eniId, tags }),
  z.strictObject({ act: z.literal("occupy"), vSwitchId, leftCount: count }),
  z.strictObject({ act: z.literal("vacate"), vSwitchId }),
  z.strictObject({ act: z.literal("revoke role"), role: z.string() }),
]);

/**
 * Reads a deed.
 *
 * @param body Whatever came.
 * @returns The deed.
 * @throws {z.ZodError} When it is none.
 */
export function readDeed(body: unknown): Deed {
  return shape.parse(body);
}

/**
 * Does a deed.
 *
 * @param cloud Where.
 * @param deed What.
 * @returns What came of it, fit for JSON.
 * @throws {Refusal} When the cloud's own rules refuse it.
 */
export async function act(cloud: EmulatedCloud, deed: Deed): Promise<unknown> {
  const { stranger } = cloud;
  switch (deed.act) {
    case "create eni": {
      const eni = await stranger.createEni(deed);
      return { eniId: eni.id, ips: eni.ips };
    }
    case "detach eni":
      return await stranger.detachEni(deed.eniId);
    case "delete eni":
      return await stranger.deleteEni(deed.eniId);
    case "assign ips":
      return { ips: await stranger.assignIps(deed.eniId, deed.wanted) };
    case "unassign ips":
      return await stranger.unassignIps(deed.eniId, deed.ips);
    case "set tags":
      return stranger.setTags(deed.eniId, deed.tags);
    case "occupy":
      return { ips: stranger.occupy(deed.vSwitchId, deed.leftCount) };
    case "vacate":
      return stranger.vacate(deed.vSwitchId);
    case "revoke role":
      return cloud.keys.revoke(deed.role);
  }
}
