/**
 * The pool's cases for both ways to the emulated Alibaba Cloud.
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
import { serveAlibaba } from "./serve.ts";
import { buildStand } from "./stand.ts";

conforms("alibaba, directly", (): Promise<CloudOnTrial> => {
  const stand = buildStand();
  return Promise.resolve({
    ...stand,
    cloud: openDirect(stand.cloud),
    settled: () => stand.cloud.settled(),
    close: () => stand.cloud.close(),
  });
});

conforms("alibaba, over HTTP", (): Promise<CloudOnTrial> => {
  const stand = buildStand({ attachMs: 5, detachMs: 5, deleteMs: 5 });
  const front = serveAlibaba(stand.cloud);
  const transport = new OpenApiTransport({
    region: stand.cloud.model.region,
    credentials: new CredentialChain([
      staticSource("the test", stand.cloud.keys.add()),
    ]),
    endpoints: { ecs: front.endpoint, vpc: front.endpoint, scheme: "HTTP" },
  });
  return Promise.resolve({
    ...stand,
    cloud: new AlibabaCloud(transport),
    settled: () => stand.cloud.settled(),
    async close(): Promise<void> {
      await front.close();
      await stand.cloud.close();
    },
  });
});
