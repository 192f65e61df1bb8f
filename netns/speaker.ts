/**
 * Who on a node still speaks for an address: a rule, a route, a link, or a pod
 * that lives. Such an address mustn't be given to anybody, whatever the cloud
 * and a journal say.
 *
 * @module
 */
import { listAddresses } from "./address.ts";
import { hostCidr, type Ip, parseCidr } from "./ip.ts";
import { lookIntoPods, type PodSearch } from "./pods.ts";
import { listRoutes } from "./route.ts";
import { listRules } from "./rule.ts";
import type { RouteSocket } from "./socket.ts";

/** Somebody who speaks for an address. */
export interface Speaker {
  /** The address. */
  readonly ip: Ip;
  /** A rule or route of the node, a link of the node, or a pod. */
  readonly by: "rule" | "route" | "link" | "pod";
  /** Who, for people: the object, or the path of the pod's namespace. */
  readonly who: string;
}

/**
 * Finds who speaks for addresses.
 *
 * Effects: reads only; one dump of the node's rules, routes and addresses,
 * and one of each other namespace's addresses.
 *
 * @param ips The addresses in question.
 * @param search Where.
 * @returns At least one speaker for each address that has any.
 * @throws {NetlinkError} When the kernel can't be read: then nothing is known.
 */
export async function findSpeakers(
  ips: readonly Ip[],
  search: PodSearch,
): Promise<Speaker[]> {
  if (ips.length === 0) return [];
  const wanted = new Set(ips);
  const inPods = await lookIntoPods(
    search,
    (pod, who): Speaker[] =>
      heldIn(pod, wanted).map(({ ip }) => ({ ip, by: "pod", who })),
  );
  return [...onNode(wanted, search.host), ...inPods];
}

function onNode(wanted: ReadonlySet<Ip>, host: RouteSocket): Speaker[] {
  const byPrefix = new Map([...wanted].map((ip) => [hostCidr(ip), ip]));
  const speakers: Speaker[] = [];
  for (const { priority, from, to } of listRules(host)) {
    for (const prefix of [from, to]) {
      const ip = byPrefix.get(prefix ?? "");
      const who = `priority ${priority}`;
      if (ip !== undefined) speakers.push({ ip, by: "rule", who });
    }
  }
  for (const { destination, table } of listRoutes(host)) {
    const ip = byPrefix.get(destination);
    const who = `table ${table}`;
    if (ip !== undefined) speakers.push({ ip, by: "route", who });
  }
  for (const { ip, ifIndex } of heldIn(host, wanted)) {
    speakers.push({ ip, by: "link", who: `link #${ifIndex}` });
  }
  return speakers;
}

function heldIn(
  socket: RouteSocket,
  wanted: ReadonlySet<Ip>,
): { readonly ip: Ip; readonly ifIndex: number }[] {
  return listAddresses(socket).flatMap(({ cidr, ifIndex }) => {
    const { ip } = parseCidr(cidr);
    return wanted.has(ip) ? [{ ip, ifIndex }] : [];
  });
}
