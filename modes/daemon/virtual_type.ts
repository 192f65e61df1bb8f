/**
 * How pods lie on an ENI that they share, as a network's configuration says it.
 *
 * @module
 */
import { z } from "zod";

const VIRTUAL_TYPES = ["veth", "ipvlan"] as const;

/** By a pair and policy routing, or by IPvlan. */
export type VirtualType = typeof VIRTUAL_TYPES[number];

/** Source: Terway's `eniip_virtual_type`, in any case of letters. */
export const virtualType: z.ZodType<VirtualType> = z.string().toLowerCase()
  .pipe(
    z.enum(VIRTUAL_TYPES, "must be Veth or IPVlan, in any case of letters"),
  );

/** How a member's tag comes off: by filters, or by a VLAN in the pod. */
export type VlanStripType = "filter" | "vlan";

/** Source: Terway's `vlan_strip_type`. */
export const vlanStripType: z.ZodType<VlanStripType> = z.enum([
  "filter",
  "vlan",
]);

/** What a network says of it. */
export interface SharingKeys {
  /** How pods that share an ENI do so; `veth` when absent. */
  readonly virtualType?: VirtualType;
  /** How a member's tag comes off; `filter` when absent. */
  readonly vlanStripType?: VlanStripType;
}
