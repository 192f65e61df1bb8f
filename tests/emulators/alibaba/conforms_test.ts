/**
 * The pool's cases for both ways to the emulated Alibaba Cloud, with keys that
 * may do exactly what the README's RAM policy says, and what IPv6 needs.
 *
 * @module
 */
import { AlibabaCloud } from "../../../pool/alibaba/cloud.ts";
import { OpenApiTransport } from "../../../pool/alibaba/client.ts";
import {
  CredentialChain,
  staticSource,
} from "../../../pool/alibaba/credentials.ts";
import { type CloudOnTrial, conforms } from "../../../pool/cloud_test.ts";
import { openDirect } from "./direct.ts";
import { IPV6_POLICY, SEED_POLICY } from "./seed_policy.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

const ALLOWED = [...SEED_POLICY, ...IPV6_POLICY];

conforms("alibaba, directly", (): Promise<CloudOnTrial> => {
  const stand = buildStand({ ipv6: true });
  const key = stand.cloud.keys.add({ allow: ALLOWED });
  return Promise.resolve({
    ...stand,
    ...deedsOf(stand),
    cloud: openDirect(stand.cloud, key),
    close: () => stand.cloud.close(),
  });
});

conforms("alibaba, over HTTP", (): Promise<CloudOnTrial> => {
  const stand = buildStand({
    ipv6: true,
    attachMs: 5,
    detachMs: 5,
    deleteMs: 5,
  });
  const front = serveAlibaba(stand.cloud);
  const key = stand.cloud.keys.add({ allow: ALLOWED });
  const transport = new OpenApiTransport({
    region: stand.cloud.model.region,
    credentials: new CredentialChain([staticSource("the test", key)]),
    endpoints: { ecs: front.endpoint, vpc: front.endpoint, scheme: "HTTP" },
  });
  return Promise.resolve({
    ...stand,
    ...deedsOf(stand),
    cloud: new AlibabaCloud(transport),
    async close(): Promise<void> {
      await front.close();
      await stand.cloud.close();
    },
  });
});

/** What a case does to the cloud besides calling it. */
function deedsOf(
  { cloud }: Stand,
): Pick<CloudOnTrial, "settled" | "behind"> {
  const { stranger } = cloud;
  return {
    settled: () => cloud.settled(),
    behind: {
      detachEni: (id) => stranger.detachEni(id),
      deleteEni: (id) => stranger.deleteEni(id),
      assignIps: (id, count) => stranger.assignIps(id, count),
      unassignIps: (id, ips) => stranger.unassignIps(id, ips),
      setTags: (id, tags) => Promise.resolve(stranger.setTags(id, tags)),
      occupy: (id, leftCount) =>
        Promise.resolve(void stranger.occupy(id, leftCount)),
    },
  };
}
