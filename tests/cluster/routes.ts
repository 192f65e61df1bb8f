/**
 * What the cloud controller manager's route controller does: a route of the
 * VPC to each of a node's pod CIDRs.
 *
 * @module
 */
import type { Region, RegionNode } from "../stage/region.ts";
import { until } from "./command.ts";
import type { Kubectl } from "./kubectl.ts";

/** The controller manager gives a node its CIDR as soon as it is there. */
const CIDR_DEADLINE_MS = 60_000;

/**
 * Makes the routes.
 *
 * @param wish The VPC, the nodes, and a kubectl.
 * @returns By the node's name, its pod CIDRs: one of each family.
 */
export async function makeRoutes(
  { region, nodes, kubectl }: {
    readonly region: Region;
    readonly nodes: readonly RegionNode[];
    readonly kubectl: Kubectl;
  },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const cidrs = new Map<string, readonly string[]>();
  for (const { name, instance } of nodes) {
    const path = "jsonpath={.spec.podCIDRs[*]}";
    let all = "";
    await until(
      `pod CIDR of ${name}`,
      { deadlineMs: CIDR_DEADLINE_MS },
      async () => {
        all = await kubectl(["get", "node", name, "-o", path]);
        return all !== "";
      },
    );
    const own = all.split(" ");
    for (const cidr of own) region.fabric.routeTo(instance.primaryEniId, cidr);
    cidrs.set(name, own);
  }
  return cidrs;
}
