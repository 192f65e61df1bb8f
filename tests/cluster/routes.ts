/**
 * What the cloud controller manager's route controller does: a route of the
 * VPC to each node's pod CIDR.
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
 * @returns By the node's name, its pod CIDR.
 */
export async function makeRoutes(
  { region, nodes, kubectl }: {
    readonly region: Region;
    readonly nodes: readonly RegionNode[];
    readonly kubectl: Kubectl;
  },
): Promise<ReadonlyMap<string, string>> {
  const cidrs = new Map<string, string>();
  for (const { name, instance } of nodes) {
    const path = "jsonpath={.spec.podCIDR}";
    let cidr = "";
    await until(
      `pod CIDR of ${name}`,
      { deadlineMs: CIDR_DEADLINE_MS },
      async () => {
        cidr = await kubectl(["get", "node", name, "-o", path]);
        return cidr !== "";
      },
    );
    region.fabric.routeTo(instance.primaryEniId, cidr);
    cidrs.set(name, cidr);
  }
  return cidrs;
}
