import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { AlibabaCloud } from "../../../pool/alibaba/cloud.ts";
import { OpenApiTransport } from "../../../pool/alibaba/client.ts";
import {
  CredentialChain,
  staticSource,
} from "../../../pool/alibaba/credentials.ts";
import {
  type Cloud,
  CloudError,
  type CloudErrorKind,
  type Eni,
} from "../../../pool/cloud.ts";
import { openDirect } from "./direct.ts";
import { type FaultName, FAULTS } from "./faults.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

const SECRET = "topmost-secret-of-all";

function overHttp(
  stand: Stand,
  endpoint: string,
  deadlineMs: number,
): Cloud {
  const key = stand.cloud.keys.add({ secret: SECRET });
  return new AlibabaCloud(
    new OpenApiTransport({
      region: "cn-hangzhou",
      credentials: new CredentialChain([staticSource("the test", key)]),
      endpoints: { ecs: endpoint, vpc: endpoint, scheme: "HTTP" },
      deadlineMs,
    }),
  );
}

/** Tries a thing both over HTTP and directly. */
async function both(
  work: (cloud: Cloud, stand: Stand) => Promise<void>,
): Promise<void> {
  const direct = buildStand();
  await work(openDirect(direct.cloud), direct);
  await direct.cloud.close();

  const stand = buildStand();
  const front = serveAlibaba(stand.cloud);
  try {
    await work(overHttp(stand, front.endpoint, 2_000), stand);
  } finally {
    await front.close();
    await stand.cloud.close();
  }
}

function create(
  cloud: Cloud,
  stand: Stand,
  signal = AbortSignal.timeout(5_000),
): Promise<Eni> {
  return cloud.createEni({
    vSwitchId: stand.vSwitchId,
    securityGroupIds: [stand.securityGroupId],
    ipCount: 1,
    tags: {},
    description: "in trouble",
    token: "the-token",
  }, signal);
}

/** Fault, what it means to the pool, and how many cards there are after it. */
const TABLE: readonly [FaultName, CloudErrorKind, number][] = [
  ["throttled", "throttled", 0],
  ["internal", "transient", 0],
  ["unavailable", "transient", 0],
  ["denied", "denied", 0],
  ["lost", "transient", 1],
  ["garbage", "transient", 0],
];

for (const [name, kind, count] of TABLE) {
  Deno.test(`${name}: the pool learns "${kind}", and may try again`, () =>
    both(async (cloud, stand) => {
      stand.cloud.faults.add(FAULTS[name], {
        action: "CreateNetworkInterface",
      });
      const error = await assertRejects(() => create(cloud, stand));
      assertInstanceOf(error, CloudError);
      assertEquals(error.kind, kind, error.message);
      assertEquals(stand.cloud.dump().enis.length - 1, count);
      assertEquals(stand.cloud.faults.count, 0); // one call: no hidden retry
      const { id } = await create(cloud, stand);
      assert(id.startsWith("eni-"));
      assertEquals(stand.cloud.dump().enis.length, 2);
    }));
}

for (const name of ["timeout", "silent"] as const) {
  Deno.test(`${name}: a call ends when its signal does`, () =>
    both(async (cloud, stand) => {
      stand.cloud.faults.add(FAULTS[name]);
      const beginMs = performance.now();
      const error = await assertRejects(() =>
        create(cloud, stand, AbortSignal.timeout(100))
      );
      assertInstanceOf(error, DOMException);
      assertEquals(error.name, "TimeoutError");
      assert(performance.now() - beginMs < 1_000);
      const count = name === "silent" ? 2 : 1;
      assertEquals(stand.cloud.dump().enis.length, count);
      await create(cloud, stand);
      assertEquals(stand.cloud.dump().enis.length, 2);
    }));
}

Deno.test("a cloud that never answers is given up by itself", async () => {
  const stand = buildStand();
  const front = serveAlibaba(stand.cloud);
  stand.cloud.faults.add(FAULTS.timeout);
  const cloud = overHttp(stand, front.endpoint, 100);
  const error = await assertRejects(() => create(cloud, stand));
  assertInstanceOf(error, CloudError);
  assertEquals([error.kind, error.httpStatus], ["transient", 0]);
  await front.close();
});

Deno.test("a slow answer is an answer", () =>
  both(async (cloud, stand) => {
    stand.cloud.faults.add({ kind: "slow", ms: 50 });
    const beginMs = performance.now();
    await create(cloud, stand);
    assert(performance.now() - beginMs >= 45);
  }));

Deno.test("an answer of another shape is garbage, not a crash", () =>
  both(async (cloud, stand) => {
    stand.cloud.model.enis.forEach((eni) => {
      eni.ips = ["not-an-address"];
    });
    const { instanceId } = stand;
    const error = await assertRejects(() =>
      cloud.describeEnis({ instanceId }, AbortSignal.timeout(5_000))
    );
    assertInstanceOf(error, CloudError);
    assertEquals(error.kind, "transient");
    assertEquals(error.code, "Garbage");
  }));

Deno.test("no error of a call holds the secret", () =>
  both(async (cloud, stand) => {
    for (const fault of Object.values(FAULTS)) {
      stand.cloud.faults.add(fault);
      const error = await assertRejects(() =>
        create(cloud, stand, AbortSignal.timeout(100))
      );
      const shown = Deno.inspect(error, { depth: 20, showHidden: true }) +
        JSON.stringify(error) + String((error as Error).stack);
      assertFalse(shown.includes(SECRET), shown);
    }
  }));

Deno.test("nobody there: transient, with status 0", async () => {
  const stand = buildStand();
  const front = serveAlibaba(stand.cloud);
  await front.close();
  const cloud = overHttp(stand, front.endpoint, 2_000);
  const error = await assertRejects(() =>
    cloud.describeEnis({}, AbortSignal.timeout(5_000))
  );
  assertInstanceOf(error, CloudError);
  assertEquals([error.kind, error.httpStatus], ["transient", 0]);
  assertFalse(error.message.includes(SECRET));
});
