import {
  assert,
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
  const names = ["AK_ID", "AK_SECRET"] as const;
  const halves = [
    [{ id: "ak" }, "AK_SECRET is missing"],
    [{ secret: TEXT }, "AK_ID is missing"],
  ] as const;
  for (const [half, missing] of halves) {
    const error = await assertRejects(() =>
      staticSource("the variables", { ...half, names }).load(soon())
    );
    assertInstanceOf(error, CredentialError);
    assertStringIncludes(error.message, "Cannot use the variables");
    assertStringIncludes(error.message, missing);
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

/** Lets what goes on behind a caller come to its end. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A chain of one role, its time, and the key that callers get. */
function chainOf(chance = 0) {
  const time = { nowMs: 0 };
  const role = new Role(() => time.nowMs);
  const chain = new CredentialChain([role], {
    nowMs: () => time.nowMs,
    chance: () => chance,
  });
  const key = async (): Promise<string> =>
    (await chain.get(soon())).accessKeyId;
  return { time, role, chain, key };
}

Deno.test("CredentialChain fetches a session once for many callers", async () => {
  const { key, role } = chainOf();
  assertEquals(await Promise.all([key(), key(), key()]), [
    "STS.1",
    "STS.1",
    "STS.1",
  ]);
  assertEquals(role.loadCount, 1);
});

for (const [chance, minutes] of [[0, 15], [0.5, 17.5]] as const) {
  Deno.test(`CredentialChain renews a session ${minutes} min before it ends`, async () => {
    const { time, key } = chainOf(chance);
    await key();
    time.nowMs = HOUR_MS - minutes * 60_000 - 1;
    await key();
    await settle();
    assertEquals(await key(), "STS.1");
    time.nowMs++;
    assertEquals(await key(), "STS.1"); // nobody waits for it
    await settle();
    assertEquals(await key(), "STS.2");
  });
}

Deno.test("CredentialChain waits for a session when the old one is at its end", async () => {
  const { time, key } = chainOf();
  await key();
  time.nowMs = HOUR_MS - 59_000;
  assertEquals(await key(), "STS.2");
});

Deno.test("CredentialChain keeps a session that still lasts when there is no new one", async () => {
  const { time, role, chain, key } = chainOf();
  await key();
  role.isBroken = true;
  time.nowMs = HOUR_MS - 10 * 60_000;
  await key();
  await settle();
  assertEquals(await key(), "STS.1");
  assertEquals(role.loadCount, 2); // and doesn't ask at every call
  assertEquals(chain.status(), {
    source: "a role",
    expiresAtMs: HOUR_MS,
    problem: "no metadata",
  });
  time.nowMs = HOUR_MS - 30_000;
  assertEquals(await key(), "STS.1");
  time.nowMs += 14_999;
  await key();
  assertEquals(role.loadCount, 3);
  time.nowMs++; // half of what was left: the less there is, the sooner
  await key();
  assertEquals(role.loadCount, 4);
  time.nowMs = HOUR_MS;
  await assertRejects(key, Error, "no metadata");
  role.isBroken = false;
  assertEquals(await key(), `STS.${role.loadCount}`);
  assertEquals(chain.status()?.problem, undefined);
});

Deno.test("CredentialChain forgets what was refused, and only that", async () => {
  const { chain } = chainOf();
  const first = await chain.get(soon());
  chain.forget(first);
  const second = await chain.get(soon());
  assertEquals(second.accessKeyId, "STS.2");
  chain.forget(first);
  assertEquals(await chain.get(soon()), second);
});

Deno.test("CredentialChain takes a source that comes to be, in its order", async () => {
  let nowMs = 0;
  const pair: { id?: string; secret?: string } = {};
  const file: CredentialSource = {
    name: "file",
    rereadMs: 10_000,
    load: (signal) => staticSource("file", pair).load(signal),
  };
  const chain = new CredentialChain([
    file,
    staticSource("env", { id: "ak", secret: TEXT }),
  ], { nowMs: () => nowMs });
  const source = async (): Promise<string> => (await chain.get(soon())).source;
  assertEquals(await source(), "env");
  const kept = await chain.get(soon());
  nowMs = 10_000;
  await source();
  await settle();
  assert(await chain.get(soon()) === kept, "the same ones stay themselves");
  Object.assign(pair, { id: "new", secret: TEXT });
  nowMs = 20_000;
  await source();
  await settle();
  assertEquals(await source(), "file");
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
