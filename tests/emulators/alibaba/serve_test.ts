import { assert, assertEquals } from "@std/assert";
import { openCloud } from "../../../pool/clouds.ts";
import { FAULTS } from "./faults.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

async function ask({ cloud, instanceId }: Stand, endpoint: string) {
  const { id, secret } = cloud.keys.add();
  const env: Readonly<Record<string, string>> = {
    AK_ID: id,
    AK_SECRET: secret,
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ECS_ENDPOINT: endpoint,
  };
  const config = { name: "alibaba", region: "cn-hangzhou" } as const;
  const signal = AbortSignal.timeout(5_000);
  const opened = await openCloud(config, (name) => env[name], signal);
  assertEquals(await opened.credentialSource(signal), "AK_ID and AK_SECRET");
  return await opened.cloud.describeEnis({ instanceId }, signal);
}

Deno.test("a front serves where somebody else listens", async () => {
  const stand = buildStand();
  const front = serveAlibaba(stand.cloud, {
    // In a lab this is called inside another network namespace.
    serve: (handler) =>
      Deno.serve({ hostname: "127.0.0.2", port: 0, onListen() {} }, handler),
  });
  assert(front.endpoint.startsWith("127.0.0.2:"));
  assertEquals((await ask(stand, front.endpoint)).length, 1);
  await front.close();
});

Deno.test("a front closes though a call hangs", async () => {
  const stand = buildStand();
  const front = serveAlibaba(stand.cloud);
  stand.cloud.faults.add(FAULTS.timeout);
  const call = ask(stand, front.endpoint).catch(() => "cut off");
  while (stand.cloud.faults.count > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await front.close();
  assertEquals(await call, "cut off");
});
