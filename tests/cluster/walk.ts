/**
 * A walk: a test that has a real cluster to itself.
 *
 * Where there can be none, as without Go, which builds it, a walk is skipped
 * aloud.
 *
 * @module
 */
import { findMissing } from "../packages.ts";
import type { ClusterWish } from "./arguments.ts";
import { findTools } from "./build.ts";
import { makeGroups, removeGroups } from "./cgroups.ts";
import { type Cluster, type ClusterOptions, openCluster } from "./cluster.ts";
import { run } from "./command.ts";
import { AGNHOST_PACKAGES, CLUSTER_PACKAGES } from "./requirements.ts";
import { CLUSTER_TOOLS, CONFORMANCE_TOOLS } from "./tools.ts";

/** What a walk's cluster is. */
export interface WalkWish
  extends
    Pick<ClusterWish, "network">,
    Partial<Omit<ClusterWish, "network">>,
    Pick<ClusterOptions, "eniConf"> {}

/** What a person, or a daemon, waits for at most. */
export const SOON_MS = 90_000;

const obstacle = await findObstacle();

if (obstacle !== undefined) say(`skipped: a cluster's walk: ${obstacle}`);

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
    ignore: obstacle !== undefined,
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

/** Tells why this machine can't have a cluster, if so. */
async function findObstacle(): Promise<string | undefined> {
  const all = [...CLUSTER_TOOLS, ...CONFORMANCE_TOOLS];
  const tools = await findTools(all, { mayBuild: false, onStep: () => {} });
  if (!tools.ok) return tools.reason;
  if (Deno.uid() !== 0) return "namespaces need root";
  const missing =
    (await findMissing([...CLUSTER_PACKAGES, ...AGNHOST_PACKAGES]))
      .map(({ name }) => name).join(" ");
  if (missing !== "") return `missing: apt-get install ${missing}`;
  try {
    const groups = makeGroups(`terway-probe-${crypto.randomUUID()}`);
    await removeGroups(groups.folders);
    // A machine's first process begins like this.
    const own = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork"];
    const script = "mount -t proc proc /proc && mount -t tmpfs tmpfs /run";
    await run(["unshare", ...own, "sh", "-ec", script]);
  } catch (error) {
    return `this machine allows none: ${
      error instanceof Error ? error.message : error
    }`;
  }
}

/**
 * Says a line beside the tests' own.
 *
 * @param line The line.
 */
export function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
