/**
 * A walk: a test that has a real cluster to itself.
 *
 * Without Go, which builds it, a walk is skipped aloud.
 *
 * @module
 */
import type { ClusterWish } from "./arguments.ts";
import { findTools } from "./build.ts";
import { type Cluster, type ClusterOptions, openCluster } from "./cluster.ts";
import { CLUSTER_TOOLS } from "./tools.ts";

/** What a walk's cluster is. */
export interface WalkWish
  extends
    Pick<ClusterWish, "network">,
    Partial<Omit<ClusterWish, "network">>,
    Pick<ClusterOptions, "eniConf"> {}

/** What a person, or a daemon, waits for at most. */
export const SOON_MS = 90_000;

const tools = await findTools(CLUSTER_TOOLS, {
  mayBuild: false,
  onStep: () => {},
});

if (!tools.ok) say(`skipped: a cluster's walk: ${tools.reason}`);

/**
 * Registers a walk.
 *
 * @param name What it shows.
 * @param wish Its cluster: two nodes in two zones, IPv4, nftables unless told.
 * @param fn What happens in it.
 */
export function walk(
  name: string,
  wish: WalkWish,
  fn: (t: Deno.TestContext, cluster: Cluster) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !tools.ok,
    // The daemons of a cluster outlive a test's steps.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (t) => {
      const dir = await Deno.makeTempDir({ prefix: "terway-cluster-" });
      await using cluster = await openCluster({
        nodeCount: 2,
        zoneCount: 2,
        proxy: "nftables",
        families: "ipv4",
        ...wish,
        dir,
        onStep: say,
      });
      await fn(t, cluster);
    },
  });
}

/**
 * Says a line beside the tests' own.
 *
 * @param line The line.
 */
export function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
