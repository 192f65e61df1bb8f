/**
 * The network that terway is measured against: the reference plugins `ptp`
 * and `host-local` on each node's pod CIDRs, which routes of the VPC lead to.
 *
 * @module
 */
import type { Tree } from "./tree.ts";

/** The runtime takes the first by name: it comes before terway's. */
const CONFLIST = "/etc/cni/net.d/00-ptp.conflist";

/**
 * Gives every node that network.
 *
 * @param cidrs By the node's name, its pod CIDRs.
 * @param trees The nodes' machines.
 */
export async function startPtp(
  cidrs: ReadonlyMap<string, readonly string[]>,
  trees: ReadonlyMap<string, Tree>,
): Promise<void> {
  for (const [name, own] of cidrs) {
    // Whole or not at all: containerd looks at the folder all the time.
    const script = `cat >${CONFLIST}.new && mv ${CONFLIST}.new ${CONFLIST}`;
    await trees.get(name)?.run(["sh", "-c", script], { stdin: conflist(own) });
  }
}

/**
 * Takes that network away again; pods that have it keep it.
 *
 * @param trees The nodes' machines.
 */
export async function stopPtp(trees: Iterable<Tree>): Promise<void> {
  for (const tree of trees) await tree.run(["rm", "-f", CONFLIST]);
}

function conflist(cidrs: readonly string[]): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "ptp",
    plugins: [
      {
        type: "ptp",
        mtu: 1500,
        ipam: {
          type: "host-local",
          ranges: cidrs.map((subnet) => [{ subnet }]),
          routes: cidrs.map((cidr) => ({
            dst: cidr.includes(":") ? "::/0" : "0.0.0.0/0",
          })),
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}
