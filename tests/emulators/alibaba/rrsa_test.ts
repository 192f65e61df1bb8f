/**
 * RRSA against the emulated STS, and every source in its order.
 */
import {
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { CloudError } from "../../../pool/cloud.ts";
import { openCloud, type OpenedCloud } from "../../../pool/clouds.ts";
import { serveMetadata } from "./metadata.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

const ROLE_ARN = "acs:ram::1234567890123456:role/terway";
const PROVIDER_ARN = "acs:ram::1234567890123456:oidc-provider/ack-rrsa";
const TOKEN = "eyJhbGciOi.very.secret";

/** A region that trusts a token, a folder for files, and how to open it. */
interface World extends Stand {
  readonly folder: string;
  readonly env: Record<string, string>;
  open(config?: {
    accessKey?: { id: string; secret: string };
    credentialPath?: string;
  }): Promise<OpenedCloud>;
}

function soon(): AbortSignal {
  return AbortSignal.timeout(5_000);
}

async function inWorld(work: (world: World) => Promise<void>): Promise<void> {
  const stand = buildStand();
  const { cloud, instanceId } = stand;
  cloud.keys.addRole("terway");
  cloud.oidc.trust({
    providerArn: PROVIDER_ARN,
    roleArn: ROLE_ARN,
    token: TOKEN,
  });
  const api = serveAlibaba(cloud);
  const metadata = serveMetadata(cloud, { instanceId });
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/token`, `${TOKEN}\n`);
  const env: Record<string, string> = {
    ALICLOUD_CLIENT_SCHEME: "HTTP",
    ALIBABA_CLOUD_IMDS_ENDPOINT: metadata.endpoint,
    ECS_ENDPOINT: api.endpoint,
    STS_ENDPOINT: api.endpoint,
    VPC_ENDPOINT: api.endpoint,
  };
  const open: World["open"] = (config = {}) =>
    openCloud(
      { name: "alibaba", secretFolder: folder, ...config },
      (name) => env[name],
      soon(),
    );
  try {
    await work({ ...stand, folder, env, open });
  } finally {
    await metadata.close();
    await api.close();
    await cloud.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function setRrsa({ env, folder }: World): void {
  env["ALIBABA_CLOUD_ROLE_ARN"] = ROLE_ARN;
  env["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] = PROVIDER_ARN;
  env["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = `${folder}/token`;
}

async function sourceOf(opened: OpenedCloud): Promise<string> {
  return await opened.credentialSource(soon());
}

Deno.test("a service account's token buys a session that may call", () =>
  inWorld(async (world) => {
    setRrsa(world);
    const opened = await world.open();
    const { instanceId } = world;
    const enis = await opened.cloud.describeEnis({ instanceId }, soon());
    assertEquals(enis.length, 1);
    assertEquals(await sourceOf(opened), "RRSA role terway");
    const status = opened.credentialStatus();
    assertEquals(status?.source, "RRSA role terway");
    assertFalse(JSON.stringify(status).includes("STS."));
  }));

Deno.test("a rotated token is read from its file", () =>
  inWorld(async (world) => {
    setRrsa(world);
    const next = "next.secret.token";
    world.cloud.oidc.trust({
      providerArn: PROVIDER_ARN,
      roleArn: ROLE_ARN,
      token: next,
    });
    const opened = await world.open();
    const error = await assertRejects(() => sourceOf(opened));
    assertInstanceOf(error, CloudError);
    assertEquals(
      [error.kind, error.code, error.httpStatus],
      ["denied", "AuthenticationFail.OIDCToken.Expired", 401],
    );
    assertFalse(error.requestId === "");
    assertFalse(Deno.inspect(error).includes(TOKEN));
    await Deno.writeTextFile(`${world.folder}/token`, next);
    assertEquals(await sourceOf(opened), "RRSA role terway");
  }));

Deno.test("who isn't trusted gets no session, and learns why", () =>
  inWorld(async (world) => {
    setRrsa(world);
    const codeWith = async (name: string, value: string): Promise<string> => {
      const before = world.env[name] ?? "";
      world.env[name] = value;
      const opened = await world.open();
      const error = await assertRejects(() => sourceOf(opened));
      world.env[name] = before;
      assertInstanceOf(error, CloudError);
      return error.code;
    };
    await Deno.writeTextFile(`${world.folder}/other`, "an.other.token");
    assertEquals(
      await codeWith("ALIBABA_CLOUD_OIDC_TOKEN_FILE", `${world.folder}/other`),
      "AuthenticationFail.OIDCToken.Invalid",
    );
    assertEquals(
      await codeWith("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:x/y"),
      "AuthenticationFail.NoPermission",
    );
  }));

Deno.test("RRSA needs all of its variables, and names those that lack", () =>
  inWorld(async (world) => {
    world.env["ALIBABA_CLOUD_ROLE_ARN"] = ROLE_ARN;
    const opened = await world.open();
    const error = await assertRejects(() => sourceOf(opened), Error);
    assertStringIncludes(error.message, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN");
    assertStringIncludes(error.message, "ALIBABA_CLOUD_OIDC_TOKEN_FILE");
    world.env["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] = PROVIDER_ARN;
    world.env["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = "/nowhere/token";
    const unread = await assertRejects(() => sourceOf(opened), Error);
    assertStringIncludes(unread.message, "/nowhere/token");
  }));

Deno.test("STS that doesn't answer is transient", () =>
  inWorld(async (world) => {
    setRrsa(world);
    world.env["STS_ENDPOINT"] = "127.0.0.1:9"; // discard: nobody listens
    const opened = await world.open();
    const error = await assertRejects(() => sourceOf(opened));
    assertInstanceOf(error, CloudError);
    assertEquals(error.kind, "transient");
  }));

Deno.test("the sources are asked in their order", () =>
  inWorld(async (world) => {
    const { cloud, env, folder } = world;
    const instance = cloud.addInstance({
      type: "ecs.g7.large",
      vSwitchId: world.vSwitchId,
      ramRole: "terway",
    });
    const metadata = serveMetadata(cloud, { instanceId: instance.id });
    env["ALIBABA_CLOUD_IMDS_ENDPOINT"] = metadata.endpoint;
    try {
      assertEquals(await sourceOf(await world.open()), "RAM role terway");
      setRrsa(world);
      assertEquals(await sourceOf(await world.open()), "RRSA role terway");
      const accessKey = cloud.keys.add();
      assertEquals(
        await sourceOf(await world.open({ accessKey })),
        "access_key and access_secret",
      );
      Object.assign(env, { AK_ID: accessKey.id, AK_SECRET: accessKey.secret });
      assertEquals(
        await sourceOf(await world.open({ accessKey })),
        "AK_ID and AK_SECRET",
      );
      await Deno.writeTextFile(`${folder}/ak_id`, accessKey.id);
      const half = await world.open({ accessKey });
      await assertRejects(() => sourceOf(half), Error, "ak_secret is missing");
      await Deno.writeTextFile(`${folder}/ak_secret`, accessKey.secret);
      assertStringIncludes(
        await sourceOf(await world.open({ accessKey })),
        "the Secret's files",
      );
    } finally {
      await metadata.close();
    }
  }));

Deno.test("a broken addon token isn't passed over", () =>
  inWorld(async (world) => {
    const opened = await world.open({ credentialPath: "/nowhere/token" });
    await assertRejects(() => sourceOf(opened), Error, "credential_path");
  }));
