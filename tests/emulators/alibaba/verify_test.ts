import OpenApi, {
  Config,
  OpenApiRequest,
  Params,
} from "@alicloud/openapi-client";
import { RuntimeOptions } from "@alicloud/tea-util";
import { assert, assertEquals } from "@std/assert";
import type { AccessKey } from "./access_keys.ts";
import { serveAlibaba } from "./serve.ts";
import { ACS3, sha256, signAcs3, signRpc } from "./signature.ts";
import { buildStand, type Stand } from "./stand.ts";

const ECS = "2014-05-26";
const NOW = Date.parse("2026-11-21T12:00:00Z");

/** A region whose time stands still, served. */
interface Served extends Stand {
  readonly endpoint: string;
  readonly key: AccessKey;
}

async function served(work: (served: Served) => Promise<void>): Promise<void> {
  const stand = buildStand({
    clock: { nowMs: () => NOW, after: () => () => {} },
  });
  const front = serveAlibaba(stand.cloud);
  const key = stand.cloud.keys.add();
  try {
    await work({ ...stand, endpoint: front.endpoint, key });
  } finally {
    await front.close();
    await stand.cloud.close();
  }
}

/** What may be wrong with a request; what isn't named is right. */
interface Flaws {
  readonly id?: string;
  readonly secret?: string;
  readonly date?: string;
  readonly nonce?: string;
  readonly extraHeaders?: Readonly<Record<string, string>>;
  readonly token?: string;
  /** Added after the signature was made. */
  readonly tampering?: string;
  readonly body?: string;
  readonly action?: string;
  readonly version?: string;
  readonly omit?: string;
}

async function callAcs3(at: Served, flaws: Flaws = {}): Promise<Answer> {
  const query = { RegionId: "cn-hangzhou", "Tag.1.Value": "a*b c~!'()" };
  const headers: Record<string, string> = {
    "host": at.endpoint,
    "x-acs-action": flaws.action ?? "DescribeNetworkInterfaces",
    "x-acs-content-sha256": sha256(""),
    "x-acs-date": flaws.date ?? "2026-11-21T12:00:00Z",
    "x-acs-signature-nonce": flaws.nonce ?? crypto.randomUUID(),
    "x-acs-version": flaws.version ?? ECS,
    ...(flaws.token === undefined
      ? {}
      : { "x-acs-security-token": flaws.token }),
  };
  delete headers[flaws.omit ?? ""];
  const names = Object.keys(headers).sort();
  const signature = signAcs3(
    { method: "POST", path: "/", query, headers, bodyHash: sha256("") },
    names,
    flaws.secret ?? at.key.secret,
  );
  const id = flaws.id ?? at.key.id;
  const url = `http://${at.endpoint}/?${new URLSearchParams(query)}${
    flaws.tampering ?? ""
  }`;
  const { host: _, ...sent } = headers;
  return await read(
    await fetch(url, {
      method: "POST",
      headers: {
        ...sent,
        ...flaws.extraHeaders,
        authorization: `${ACS3} Credential=${id},SignedHeaders=${
          names.join(";")
        },Signature=${signature}`,
      },
      ...(flaws.body === undefined ? {} : { body: flaws.body }),
    }),
  );
}

async function callRpc(
  at: Served,
  flaws: Flaws & { form?: boolean; method?: string } = {},
): Promise<Answer> {
  const params: Record<string, string> = {
    AccessKeyId: flaws.id ?? at.key.id,
    Action: flaws.action ?? "DescribeNetworkInterfaces",
    Format: "JSON",
    RegionId: "cn-hangzhou",
    SignatureMethod: "HMAC-SHA1",
    SignatureNonce: flaws.nonce ?? crypto.randomUUID(),
    SignatureType: "",
    ...(flaws.token === undefined ? {} : { SecurityToken: flaws.token }),
    SignatureVersion: "1.0",
    "Tag.1.Key": "none *of ~these",
    Timestamp: flaws.date ?? "2026-11-21T12:00:00Z",
    Version: flaws.version ?? ECS,
  };
  delete params[flaws.omit ?? ""];
  const method = flaws.method ?? "POST";
  const secret = flaws.secret ?? at.key.secret;
  const Signature = signRpc(method, params, secret);
  const text = new URLSearchParams({ ...params, Signature }).toString() +
    (flaws.tampering ?? "");
  const response = flaws.form
    ? await fetch(`http://${at.endpoint}/`, {
      method,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: text,
    })
    : await fetch(`http://${at.endpoint}/?${text}`, { method });
  return await read(response);
}

interface Answer {
  readonly status: number;
  readonly code: string;
  readonly body: Readonly<Record<string, unknown>>;
}

async function read(response: Response): Promise<Answer> {
  const body: Record<string, unknown> = await response.json();
  return { status: response.status, code: String(body["Code"] ?? "OK"), body };
}

function brief({ status, code }: Answer): string {
  return `${status} ${code}`;
}

Deno.test("a request signed by the official client is let in", () =>
  served(async (at) => {
    const Client = OpenApi.default;
    const client = new Client(
      new Config({
        accessKeyId: at.key.id,
        accessKeySecret: at.key.secret,
        endpoint: at.endpoint,
        protocol: "HTTP",
        regionId: "cn-hangzhou",
      }),
    );
    // The client signs with the machine's time, so the region takes it over.
    Object.defineProperty(at.cloud.clock, "nowMs", { value: Date.now });
    const answer: Record<string, unknown> = await client.callApi(
      new Params({
        action: "DescribeInstanceTypes",
        version: ECS,
        protocol: "HTTP",
        pathname: "/",
        method: "POST",
        authType: "AK",
        style: "RPC",
        reqBodyType: "formData",
        bodyType: "json",
      }),
      new OpenApiRequest({ query: { "InstanceTypes.1": "ecs.g7.large" } }),
      new RuntimeOptions({}),
    );
    assertEquals(answer["statusCode"], 200);
  }));

Deno.test("a request signed by hand is let in, either way", () =>
  served(async (at) => {
    assertEquals(brief(await callAcs3(at)), "200 OK");
    assertEquals(brief(await callRpc(at)), "200 OK");
    assertEquals(brief(await callRpc(at, { method: "GET" })), "200 OK");
    assertEquals(brief(await callRpc(at, { form: true })), "200 OK");
  }));

Deno.test("an error names code, message, request, host and a page", () =>
  served(async (at) => {
    const { body } = await callAcs3(at, { secret: "wrong" });
    assertEquals(Object.keys(body).sort(), [
      "Code",
      "HostId",
      "Message",
      "Recommend",
      "RequestId",
    ]);
    assertEquals(body["HostId"], at.endpoint);
  }));

const SAME_FOR_BOTH: Readonly<Record<string, [Flaws, string]>> = {
  "an unknown key": [{ id: "LTAInobody" }, "404 InvalidAccessKeyId.NotFound"],
  "a wrong secret": [{ secret: "wrong" }, "400 SignatureDoesNotMatch"],
  "a parameter added later": [
    { tampering: "&Status=InUse" },
    "400 SignatureDoesNotMatch",
  ],
  "a clock 16 minutes slow": [
    { date: "2026-11-21T11:44:00Z" },
    "400 InvalidTimeStamp.Expired",
  ],
  "a clock 16 minutes fast": [
    { date: "2026-11-21T12:16:00Z" },
    "400 InvalidTimeStamp.Expired",
  ],
  "a time that is none": [{ date: "noon" }, "400 InvalidTimeStamp.Format"],
  "an unknown action": [{ action: "MakeCoffee" }, "404 InvalidAction.NotFound"],
  "an unknown version": [{ version: "1999-01-01" }, "400 InvalidVersion"],
};

for (const [what, [flaws, expected]] of Object.entries(SAME_FOR_BOTH)) {
  Deno.test(`${what} is refused: ${expected}`, () =>
    served(async (at) => {
      assertEquals(brief(await callAcs3(at, flaws)), expected);
      assertEquals(brief(await callRpc(at, flaws)), expected);
    }));
}

Deno.test("a clock 14 minutes off is let in", () =>
  served(async (at) => {
    const date = "2026-11-21T11:46:00Z";
    assertEquals(brief(await callAcs3(at, { date })), "200 OK");
    assertEquals(brief(await callRpc(at, { date })), "200 OK");
  }));

Deno.test("a nonce is good once a key", () =>
  served(async (at) => {
    const nonce = "once";
    assertEquals(brief(await callAcs3(at, { nonce })), "200 OK");
    assertEquals(
      brief(await callAcs3(at, { nonce })),
      "400 SignatureNonceUsed",
    );
    assertEquals(brief(await callRpc(at, { nonce })), "400 SignatureNonceUsed");
    const { id, secret } = at.cloud.keys.add();
    assertEquals(brief(await callAcs3(at, { nonce, id, secret })), "200 OK");
  }));

Deno.test("a body that isn't the one signed is refused", () =>
  served(async (at) => {
    const answer = await callAcs3(at, { body: "Status=InUse" });
    assertEquals(brief(answer), "400 SignatureDoesNotMatch");
  }));

Deno.test("a header of the service's that isn't signed is refused", () =>
  served(async (at) => {
    const extraHeaders = { "x-acs-source-ip": "1.2.3.4" };
    const answer = await callAcs3(at, { extraHeaders });
    assertEquals(brief(answer), "400 IncompleteSignature");
  }));

Deno.test("what every request needs is missed", () =>
  served(async (at) => {
    const missing = "400 MissingParameter";
    assertEquals(brief(await callAcs3(at, { omit: "x-acs-date" })), missing);
    assertEquals(brief(await callAcs3(at, { omit: "x-acs-action" })), missing);
    for (const omit of ["AccessKeyId", "SignatureNonce", "Timestamp"]) {
      assertEquals(brief(await callRpc(at, { omit })), missing);
    }
  }));

Deno.test("a session needs its token, and ends", () =>
  served(async (at) => {
    at.cloud.keys.addRole("terway");
    const session = at.cloud.keys.session("terway", NOW, 60_000);
    assert(session?.token !== undefined);
    const { id, secret, token } = session;
    const both = async (flaws: Flaws, expected: string): Promise<void> => {
      assertEquals(brief(await callAcs3(at, flaws)), expected);
      assertEquals(brief(await callRpc(at, flaws)), expected);
    };
    await both({ id, secret, token }, "200 OK");
    await both({ id, secret }, "400 MissingSecurityToken");
    await both(
      { id, secret, token: "other" },
      "400 InvalidSecurityToken.Malformed",
    );
    Object.defineProperty(at.cloud.clock, "nowMs", {
      value: () => NOW + 60_000,
    });
    await both({ id, secret, token }, "400 InvalidSecurityToken.Expired");
    at.cloud.keys.revoke("terway");
    await both({ id, secret, token }, "404 InvalidAccessKeyId.NotFound");
  }));

Deno.test("a key may do what its rules allow", () =>
  served(async (at) => {
    const may = async (allow: readonly string[]): Promise<string> => {
      const { id, secret } = at.cloud.keys.add({ allow });
      return brief(await callAcs3(at, { id, secret }));
    };
    assertEquals(await may(["ecs:DescribeNetworkInterfaces"]), "200 OK");
    assertEquals(await may(["vpc:*", "ecs:Describe*"]), "200 OK");
    assertEquals(
      await may(["ecs:CreateNetworkInterface"]),
      "403 Forbidden.RAM",
    );
    assertEquals(await may([]), "403 Forbidden.RAM");
  }));
