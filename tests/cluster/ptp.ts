/**
 * The network that terway is measured against: the reference plugins `ptp`
 * and `host-local` on each node's pod CIDR, which a route of the VPC leads to.
 *
 * @module
 */
import type { Region, RegionNode } from "../stage/region.ts";
import { until } from "./command.ts";
import type { Kubectl } from "./kubectl.ts";
import type { Tree } from "./tree.ts";

/** The name under which it is found and taken away. */
const CONFLIST = "/etc/cni/net.d/10-ptp.conflist";

/** The controller manager gives a node its CIDR as soon as it is there. */
const CIDR_DEADLINE_MS = 60_000;

/**
 * Gives every node that network.
 *
 * @param wish The VPC, the nodes, their machines, and a kubectl.
 */
export async function startPtp(
  { region, nodes, trees, kubectl }: {
    readonly region: Region;
    readonly nodes: readonly RegionNode[];
    readonly trees: ReadonlyMap<string, Tree>;
    readonly kubectl: Kubectl;
  },
): Promise<void> {
  for (const { name, instance } of nodes) {
    let cidr = "";
    await until(
      `pod CIDR of ${name}`,
      { deadlineMs: CIDR_DEADLINE_MS },
      async () => {
        const path = "jsonpath={.spec.podCIDR}";
        cidr = await kubectl(["get", "node", name, "-o", path]);
        return cidr !== "";
      },
    );
    region.fabric.routeTo(instance.primaryEniId, cidr);
    // Whole or not at all: containerd looks at the folder all the time.
    const script = `cat >${CONFLIST}.new && mv ${CONFLIST}.new ${CONFLIST}`;
    await trees.get(name)?.run(["sh", "-c", script], { stdin: conflist(cidr) });
  }
}

function conflist(cidr: string): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "ptp",
    plugins: [
      {
        type: "ptp",
        mtu: 1500,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: cidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}
