/**
 * CoreDNS in the cluster.
 *
 * @module
 */
import { DNS_SERVICE_IP } from "./description.ts";
import { DNS_IMAGE } from "./images.ts";
import type { Kubectl } from "./kubectl.ts";

const MANIFEST = new URL("./coredns.yml", import.meta.url);

/**
 * Gives the cluster its DNS server; it runs once a node has a network.
 *
 * @param kubectl Asks the API server.
 */
export async function startDns(kubectl: Kubectl): Promise<void> {
  const text = await Deno.readTextFile(MANIFEST);
  await kubectl(["apply", "-f", "-"], {
    stdin: text.replaceAll("DNS_IMAGE", DNS_IMAGE)
      .replaceAll("DNS_SERVICE_IP", DNS_SERVICE_IP),
  });
}
