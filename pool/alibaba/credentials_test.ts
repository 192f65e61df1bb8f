import {
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { inspect } from "node:util";
import {
  CredentialChain,
  CredentialError,
  type Credentials,
  type CredentialSource,
  Secret,
  staticSource,
} from "./credentials.ts";

const TEXT = "s3cr3t-value";
const HOUR_MS = 3_600_000;

function soon(): AbortSignal {
  return AbortSignal.timeout(1_000);
}

Deno.test("Secret shows itself to nobody who doesn't ask for it", () => {
  const secret = new Secret(TEXT);
  const holder = { secret, list: [secret], map: new Map([["k", secret]]) };
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify(holder),
    Deno.inspect(holder, { depth: 9, showHidden: true }),
    inspect(holder, { depth: 9, showHidden: true }),
    new Error(`wrong: ${secret}`, { cause: holder }).stack ?? "",
    Deno.inspect(new Error("wrong", { cause: holder })),
    Object.values(secret).join() + Object.keys(secret).join(),
  ].join("\n");
  assertFalse(shown.includes(TEXT), shown);
  assertStringIncludes(shown, "***");
  assertEquals(secret.reveal(), TEXT);
});

Deno.test("staticSource() gives a whole pair, and says where it was", async () => {
  const source = staticSource("a file", { id: " ak ", secret: `${TEXT}\n` });
  const found = await source.load(soon());
  assertEquals(found?.accessKeyId, "ak");
  assertEquals(found?.accessKeySecret.reveal(), TEXT);
  assertEquals(found?.source, "a file");
});

Deno.test("staticSource() gives nothing for no pair", async () => {
  assertEquals(await staticSource("env", {}).load(soon()), undefined);
  const empty = staticSource("env", { id: "", secret: new Secret("") });
  assertEquals(await empty.load(soon()), undefined);
});

Deno.test("staticSource() refuses half a pair without showing it", async () => {
  for (const pair of [{ id: "ak" }, { secret: TEXT }]) {
    const error = await assertRejects(() =>
      staticSource("AK_ID and AK_SECRET", pair).load(soon())
    );
    assertInstanceOf(error, CredentialError);
    assertStringIncludes(error.message, "AK_ID and AK_SECRET");
    assertFalse(error.message.includes(TEXT));
  }
});

/** A source whose sessions last an hour, and which can be told to fail. */
class Role implements CredentialSource {
  readonly name = "a role";
  loadCount = 0;
  isBroken = false;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  load(): Promise<Credentials | undefined> {
    this.loadCount++;
    if (this.isBroken) return Promise.reject(new Error("no metadata"));
    return Promise.resolve({
      accessKeyId: `STS.${this.loadCount}`,
      accessKeySecret: new Secret(TEXT),
      expiresAtMs: this.#nowMs() + HOUR_MS,
      source: this.name,
    });
  }
}

Deno.test("CredentialChain takes the first source that has any", async () => {
  const role = new Role(Date.now);
  const chain = new CredentialChain([
    staticSource("env", {}),
    staticSource("config", { id: "ak", secret: TEXT }),
    role,
  ]);
  assertEquals((await chain.get(soon())).source, "config");
  assertEquals(role.loadCount, 0);
});

Deno.test("CredentialChain names all sources when none has any", async () => {
  const chain = new CredentialChain([
    staticSource("env", {}),
    staticSource("config", {}),
  ]);
  const error = await assertRejects(() => chain.get(soon()));
  assertInstanceOf(error, CredentialError);
  assertStringIncludes(error.message, "env, config");
});

Deno.test("CredentialChain doesn't pass over a source that is wrong", async () => {
  const chain = new CredentialChain([
    staticSource("env", { id: "ak" }),
    staticSource("config", { id: "ak", secret: TEXT }),
  ]);
  await assertRejects(() => chain.get(soon()), CredentialError);
});

Deno.test("CredentialChain fetches a session once, and anew before it ends", async () => {
  let nowMs = 0;
  const role = new Role(() => nowMs);
  const chain = new CredentialChain([role], () => nowMs);
  const ids = await Promise.all([1, 2, 3].map(() => chain.get(soon())));
  assertEquals(ids.map((one) => one.accessKeyId), ["STS.1", "STS.1", "STS.1"]);
  nowMs = HOUR_MS / 2;
  assertEquals((await chain.get(soon())).accessKeyId, "STS.1");
  nowMs = HOUR_MS - 10 * 60_000;
  assertEquals((await chain.get(soon())).accessKeyId, "STS.2");
});

Deno.test("CredentialChain keeps a session that still lasts when there is no new one", async () => {
  let nowMs = 0;
  const role = new Role(() => nowMs);
  const chain = new CredentialChain([role], () => nowMs);
  await chain.get(soon());
  role.isBroken = true;
  nowMs = HOUR_MS - 10 * 60_000;
  assertEquals((await chain.get(soon())).accessKeyId, "STS.1");
  nowMs = HOUR_MS;
  await assertRejects(() => chain.get(soon()), Error, "no metadata");
});

Deno.test("CredentialChain lets one caller go without failing the others", async () => {
  const { promise, resolve } = Promise.withResolvers<Credentials>();
  const chain = new CredentialChain([{ name: "slow", load: () => promise }]);
  const impatient = chain.get(AbortSignal.timeout(10));
  const patient = chain.get(soon());
  await assertRejects(() => impatient, DOMException);
  resolve({
    accessKeyId: "ak",
    accessKeySecret: new Secret(TEXT),
    source: "slow",
  });
  assertEquals((await patient).accessKeyId, "ak");
});
