/**
 * What the cloud, the journals, the kernels and the API server each say of
 * pods' addresses: in peace they say the same.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { openNamespace } from "../../netns/namespace.ts";
import { listRules } from "../../netns/rule.ts";
import { openRoutes } from "../../netns/socket.ts";
import { readSnapshot } from "../../pool/journal_rows.ts";
import type { Snapshot } from "../../pool/record.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterMachine } from "./description.ts";
import { STATE_DIR } from "./ledger.ts";
import { podsOn } from "./pods.ts";

/** The rule that leads to a pod: one for each of its addresses. */
const TO_POD_PRIORITY = 512;

/**
 * Compares them, node by node.
 *
 * @param cluster A cluster of shared ENIs, by policy routing.
 * @returns A line for each address that one of them misses; none in peace.
 */
export async function disagreements(
  cluster: Cluster,
): Promise<readonly string[]> {
  const { description: { nodes } } = cluster;
  const found = await Promise.all(nodes.map((node) => ofNode(cluster, node)));
  return found.flat();
}

async function ofNode(
  { dir, kubectl, region }: Cluster,
  node: ClusterMachine,
): Promise<string[]> {
  const journal = readJournal(dir, node.name);
  const cards = new Map(journal.enis.map(({ key, card }) => [key, card?.id]));
  const leased = journal.leases.flatMap(({ ip, ip6 }) =>
    ip6 === undefined ? [ip] : [ip, ip6]
  );
  const cloud = [...region.cloud.model.enis.values()]
    .filter(({ instanceId }) => instanceId === node.instanceId)
    .filter(({ ips }) => !ips.includes(node.primaryIp))
    .flatMap(({ id, ips, ips6 }) =>
      [...ips, ...ips6].map((ip) => `${id} ${ip}`)
    );
  const pods = await podsOn(kubectl, node.name);
  return [
    ...compare(node.name, {
      cloud,
      journal: journal.slots.map(({ eniKey, ip }) =>
        `${cards.get(eniKey)} ${ip}`
      ),
    }),
    ...compare(node.name, {
      journal: leased,
      kernel: readKernel(node),
      "API server": pods.flatMap(({ ips }) => ips),
    }),
  ];
}

/** The daemon may be writing: what is read is one moment's. */
function readJournal(dir: string, node: string): Snapshot {
  const path = join(dir, STATE_DIR, node, "var/lib/terway/journal.db");
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("BEGIN");
    return readSnapshot(database);
  } finally {
    database.close();
  }
}

function readKernel({ netns }: ClusterMachine): string[] {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  return listRules(routes)
    .filter(({ priority }) => priority === TO_POD_PRIORITY)
    .flatMap(({ to }) => to?.replace(/\/(32|128)$/, "") ?? []);
}

function compare(
  node: string,
  sets: Readonly<Record<string, readonly string[]>>,
): string[] {
  const all = new Set(Object.values(sets).flat());
  return [...all].toSorted().flatMap((one) => {
    const has = Object.keys(sets).filter((name) => sets[name]?.includes(one));
    if (has.length === Object.keys(sets).length) return [];
    return `${node}: only ${has.join(" and ")}: ${one}`;
  });
}
