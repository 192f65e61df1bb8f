/**
 * Services as pods find them: by name, through kube-proxy and CoreDNS.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Kubectl } from "./kubectl.ts";
import { type PodSeen, runPod } from "./pods.ts";

/** Who asks whom. */
export interface ServiceWish {
  /** Who asks; of the image `agnhost`. */
  readonly clients: readonly PodSeen[];
  /** The node that the server runs on. */
  readonly nodeName: string;
  /** By which families. */
  readonly families: readonly (4 | 6)[];
}

const NAME = "server";

/**
 * Shows that pods reach a Service by its name, by each family.
 *
 * Effects: makes a pod and a Service, both called `server`.
 *
 * @param kubectl Asks the API server.
 * @param wish Who asks whom.
 */
export async function reachByName(
  kubectl: Kubectl,
  { clients, nodeName, families }: ServiceWish,
): Promise<void> {
  const command = ["/agnhost", "netexec", "--http-port=8080"];
  await runPod(kubectl, { name: NAME, nodeName, image: "agnhost", command });
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: NAME },
    spec: {
      ipFamilyPolicy: "PreferDualStack",
      selector: { app: NAME },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  };
  await kubectl(["apply", "-f", "-"], { stdin: JSON.stringify(service) });
  for (const { name } of clients) {
    for (const family of families) {
      const said = await kubectl([
        ...["exec", name, "--", "curl", `-${family}`, "-s", "-m5"],
        // kube-proxy hears of a Service a moment after it was made.
        ...["--retry", "20", "--retry-all-errors", "--retry-delay", "1"],
        `http://${NAME}/hostname`,
      ]);
      assertEquals(said.trim(), NAME);
    }
  }
}
