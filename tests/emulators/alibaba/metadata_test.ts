import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { Metadata } from "../../../pool/alibaba/instance.ts";
import { openCloud } from "../../../pool/clouds.ts";
import { CloudError } from "../../../pool/cloud.ts";
import { make } from "./caller.ts";
import { type MetadataBehaviour, serveMetadata } from "./metadata.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";
import { VirtualClock } from "../virtual_clock.ts";

interface Served extends Stand {
  readonly url: string;
  readonly clock: VirtualClock;
  get(path: string, token?: string): Promise<string | number>;
}

async function served(
  work: (served: Served) => Promise<void>,
  behaviour: MetadataBehaviour & { metadataLagMs?: number; ipv6?: boolean } =
    {},
): Promise<void> {
  const clock = new VirtualClock();
  const metadataLagMs = behaviour.metadataLagMs ?? 0;
  const ipv6 = behaviour.ipv6 ?? false;
  const stand = buildStand({ clock, metadataLagMs, ipv6 });
  const { instanceId } = stand;
  const front = serveMetadata(stand.cloud, { instanceId }, {}, behaviour);
  const url = `http://${front.endpoint}`;
  const get = async (
    path: string,
    token?: string,
  ): Promise<string | number> => {
    const response = await fetch(`${url}/latest/meta-data/${path}`, {
      headers: token === undefined
        ? {}
        : { "X-aliyun-ecs-metadata-token": token },
    });
    const text = await response.text();
    return response.ok ? text : response.status;
  };
  try {
    await work({ ...stand, url, clock, get });
  } finally {
    await front.close();
    await stand.cloud.close();
  }
}

function soon(): AbortSignal {
  return AbortSignal.timeout(5_000);
}

Deno.test("metadata tells of the instance and of its primary card", () =>
  served(async ({ get, instanceId, vpcId, vSwitchId }) => {
    assertEquals(await get("instance-id"), instanceId);
    assertEquals(await get("instance/instance-type"), "ecs.g7.large");
    assertEquals(await get("region-id"), "cn-hangzhou");
    assertEquals(await get("zone-id"), "cn-hangzhou-a");
    assertEquals(await get("vpc-id"), vpcId);
    assertEquals(await get("vpc-cidr-block"), "10.0.0.0/16");
    assertEquals(await get("vswitch-id"), vSwitchId);
    assertEquals(await get("private-ipv4"), "10.0.1.1");
    const mac = await get("mac");
    const card = `network/interfaces/macs/${mac}`;
    assertEquals(await get("network/interfaces/macs/"), `${mac}/`);
    assertEquals(await get(`${card}/primary-ip-address`), "10.0.1.1");
    assertEquals(await get(`${card}/private-ipv4s`), '["10.0.1.1"]');
    assertEquals(await get(`${card}/gateway`), "10.0.1.253");
    assertEquals(await get(`${card}/netmask`), "255.255.255.0");
    assertEquals(await get(`${card}/vswitch-id`), vSwitchId);
    assertEquals(await get(`${card}/vswitch-cidr-block`), "10.0.1.0/24");
    assertEquals(await get(`${card}/ipv6s`), 404);
    assertEquals(await get("no/such/entry"), 404);
    assertEquals(await get("ram/security-credentials/"), 404);
  }));

Deno.test("metadata tells the IPv6 addresses of a card, if it has any", () =>
  served(async ({ cloud, get }) => {
    const card = `network/interfaces/macs/${await get("mac")}`;
    assertEquals(await get(`${card}/ipv6s`), 404);
    await cloud.assign6(cloud.dump().enis[0]?.id ?? "", 2);
    assertEquals(await get(`${card}/ipv6s`), "[fd00:1::1,fd00:1::2]");
    assertEquals(await get(`${card}/vswitch-ipv6-cidr-block`), "fd00:1::/64");
    assertEquals(
      await get(`${card}/ipv6-gateway`),
      "fd00:1::ffff:ffff:ffff:fffd",
    );
  }, { ipv6: true }));

Deno.test("a token is needed where it is demanded, and ends", () =>
  served(async ({ get, url, clock }) => {
    assertEquals(await get("instance-id"), 401);
    const put = (ttl: string): Promise<Response> =>
      fetch(`${url}/latest/api/token`, {
        method: "PUT",
        headers: { "X-aliyun-ecs-metadata-token-ttl-seconds": ttl },
      });
    const tooLong = await put("21601");
    await tooLong.body?.cancel();
    assertEquals(tooLong.status, 400);
    const token = await (await put("60")).text();
    assertEquals(typeof await get("instance-id", token), "string");
    await clock.advance(60_000);
    assertEquals(await get("instance-id", token), 401);
  }, { tokenRequired: true }));

Deno.test("metadata shows a card and its addresses as late as told", () =>
  served(async (at) => {
    const macs = (): Promise<string | number> =>
      at.get("network/interfaces/macs/");
    const before = await macs();
    const eniId = await make(at);
    at.cloud.attach({ eniId, instanceId: at.instanceId });
    await at.cloud.settled();
    await at.clock.advance(2_999);
    assertEquals(await macs(), before);
    await at.clock.advance(1);
    const mac = at.cloud.model.enis.get(eniId)?.mac;
    assertEquals(await macs(), `${before}\n${mac}/`);
    const ips = (): Promise<string | number> =>
      at.get(`network/interfaces/macs/${mac}/private-ipv4s`);
    await at.cloud.assign(eniId, 1);
    assertEquals(await ips(), '["10.0.1.2"]');
    await at.clock.advance(3_000);
    assertEquals(await ips(), '["10.0.1.2","10.0.1.3"]');
    await at.cloud.unassign(eniId, ["10.0.1.3"]);
    assertEquals(await ips(), '["10.0.1.2","10.0.1.3"]');
    await at.clock.advance(3_000);
    assertEquals(await ips(), '["10.0.1.2"]');
  }, { metadataLagMs: 3_000 }));

for (
  const [mode, behaviour] of Object.entries({
    "with tokens": { tokenRequired: true },
    "without tokens": { tokenMode: false },
  })
) {
  Deno.test(`an instance learns who it is ${mode}`, () =>
    served(async ({ url, instanceId, vpcId, vSwitchId }) => {
      const instance = await new Metadata({ endpoint: url }).identity(soon());
      assertEquals(instance, {
        id: instanceId,
        type: "ecs.g7.large",
        region: "cn-hangzhou",
        zone: "cn-hangzhou-a",
        vpcId,
        vSwitchId,
        primaryMac: instance.primaryMac,
        primaryIp: "10.0.1.1",
      });
      assert(instance.primaryMac.startsWith("00:16:3e:"));
    }, behaviour));
}

Deno.test("an instance whose token was forgotten asks for another", () =>
  served(async ({ url, clock, instanceId }) => {
    const metadata = new Metadata({ endpoint: url });
    assertEquals(await metadata.read("instance-id", soon()), instanceId);
    await clock.advance(21_600_000); // the service's time, not the reader's
    assertEquals(await metadata.read("instance-id", soon()), instanceId);
  }, { tokenRequired: true }));

Deno.test("whose metadata it is may follow from who asks", async () => {
  const stand = buildStand();
  const front = serveMetadata(stand.cloud, {
    resolve: ({ hostname }) =>
      hostname === "127.0.0.1" ? stand.instanceId : undefined,
  });
  const metadata = new Metadata({ endpoint: front.endpoint });
  assertEquals(await metadata.read("instance-id", soon()), stand.instanceId);
  await front.close();
});

Deno.test("a cloud opens with nothing but the instance's role", async () => {
  const stand = buildStand();
  stand.cloud.keys.addRole("terway", ["ecs:Describe*"]);
  const { id: instanceId } = stand.cloud.addInstance({
    type: "ecs.g7.large",
    vSwitchId: stand.vSwitchId,
    ramRole: "terway",
  });
  const api = serveAlibaba(stand.cloud);
  const imds = serveMetadata(stand.cloud, { instanceId });
  const env: Readonly<Record<string, string>> = {
    ALIBABA_CLOUD_IMDS_ENDPOINT: `http://${imds.endpoint}`,
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ECS_ENDPOINT: api.endpoint,
    VPC_ENDPOINT: api.endpoint,
  };
  const opened = await openCloud({ name: "alibaba" }, (n) => env[n], soon());
  assertEquals((await opened.identity(soon())).id, instanceId);
  assertEquals(await opened.credentialSource(soon()), "RAM role terway");
  const enis = await opened.cloud.describeEnis({ instanceId }, soon());
  assertEquals(enis.length, 1);
  const error = await assertRejects(() =>
    opened.cloud.describeVSwitches([stand.vSwitchId], soon())
  );
  assertInstanceOf(error, CloudError);
  assertEquals(error.kind, "denied");
  await api.close();
  await imds.close();
});

Deno.test("a session that the cloud calls over is fetched anew", async () => {
  const stand = buildStand();
  stand.cloud.keys.addRole("terway");
  const { id: instanceId } = stand.cloud.addInstance({
    type: "ecs.g7.large",
    vSwitchId: stand.vSwitchId,
    ramRole: "terway",
  });
  const api = serveAlibaba(stand.cloud);
  const imds = serveMetadata(stand.cloud, { instanceId });
  const env: Readonly<Record<string, string>> = {
    ALIBABA_CLOUD_IMDS_ENDPOINT: imds.endpoint,
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ECS_ENDPOINT: api.endpoint,
  };
  const { cloud } = await openCloud(
    { name: "alibaba", region: "cn-hangzhou" },
    (name) => env[name],
    soon(),
  );
  await cloud.describeEnis({ instanceId }, soon());
  stand.cloud.keys.revoke("terway");
  const error = await assertRejects(() =>
    cloud.describeEnis({ instanceId }, soon())
  );
  assertInstanceOf(error, CloudError);
  assertEquals(error.kind, "denied");
  await cloud.describeEnis({ instanceId }, soon());
  await api.close();
  await imds.close();
});

Deno.test("scripted metadata is staler than by its lag, for a read", () =>
  served(async (served) => {
    const { cloud, clock, get, instanceId } = served;
    const eniId = await make(served);
    cloud.attach({ eniId, instanceId });
    await clock.advance(20_000);
    cloud.script.begin([{ fault: "stale metadata", ms: 15_000, times: 2 }]);
    const count = async (): Promise<number> =>
      String(await get("network/interfaces/macs/")).split("\n").length;
    assertEquals(await get("instance-id"), instanceId); // isn't struck
    assertEquals(await count(), 2);
    cloud.detach({ eniId, instanceId });
    await clock.advance(1_000);
    assertEquals(await count(), 2); // what was before the detachment
    assertEquals(await count(), 1);
  }));

Deno.test("sessions that end are renewed before anybody is refused", async () => {
  // Metadata tells ends in whole seconds: shorter sessions couldn't be told.
  const stand = buildStand({ sessionMs: 1_500 });
  const { cloud } = stand;
  cloud.keys.addRole("terway");
  const { id: instanceId } = cloud.addInstance({
    type: "ecs.g7.large",
    vSwitchId: stand.vSwitchId,
    ramRole: "terway",
  });
  const fronts = [serveAlibaba(cloud), serveMetadata(cloud, { instanceId })];
  const [api, metadata] = fronts;
  const env: Readonly<Record<string, string | undefined>> = {
    ALIBABA_CLOUD_IMDS_ENDPOINT: metadata?.endpoint,
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ECS_ENDPOINT: api?.endpoint,
  };
  const config = { name: "alibaba", secretFolder: "/nowhere" } as const;
  const opened = await openCloud(config, (name) => env[name], soon());
  const ends = new Set<number | undefined>();
  for (let n = 0; n < 60; n++) {
    await opened.cloud.describeEnis({ instanceId }, soon());
    ends.add(opened.credentialStatus()?.expiresAtMs);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert(ends.size > 1, "one session can't have lasted");
  for (const front of fronts) await front.close();
  await cloud.close();
});
