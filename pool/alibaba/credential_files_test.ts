import {
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { addonTokenSource, secretSource } from "./credential_files.ts";
import { CredentialError, type CredentialSource } from "./credentials.ts";

const SECRET = "topmost-secret";

function soon(): AbortSignal {
  return AbortSignal.timeout(1_000);
}

/** Reads from a record instead of a disk. */
function readFrom(files: Readonly<Record<string, string>>) {
  return (path: string): Promise<string> => {
    const text = files[path];
    return text === undefined
      ? Promise.reject(new Deno.errors.NotFound(path))
      : Promise.resolve(text);
  };
}

/** Asserts that a source is wrongly set up, says why, and shows no secret. */
async function isBroken(
  source: CredentialSource,
  why: string,
): Promise<void> {
  const error = await assertRejects(() => source.load(soon()));
  assertInstanceOf(error, CredentialError);
  assertStringIncludes(error.message, why);
  assertFalse(Deno.inspect(error, { depth: 9 }).includes(SECRET));
}

Deno.test("secretSource() reads both files each time", async () => {
  const files = { "/s/ak_id": "ak\n", "/s/ak_secret": `${SECRET}\n` };
  const source = secretSource("/s", readFrom(files));
  const first = await source.load(soon());
  assertEquals(first?.accessKeyId, "ak");
  assertEquals(first?.accessKeySecret.reveal(), SECRET);
  files["/s/ak_id"] = "other";
  assertEquals((await source.load(soon()))?.accessKeyId, "other");
});

Deno.test("secretSource() has nothing where nothing is mounted", async () => {
  const source = secretSource("/s", readFrom({}));
  assertEquals(await source.load(soon()), undefined);
});

Deno.test("secretSource() refuses half a pair, and names the other half", async () => {
  const only = (file: string, text: string): CredentialSource =>
    secretSource("/s", readFrom({ [`/s/${file}`]: text }));
  await isBroken(only("ak_id", "ak"), "ak_secret is missing");
  await isBroken(only("ak_secret", SECRET), "ak_id is missing");
  await isBroken(only("ak_id", " \n"), "both are empty");
});

Deno.test("secretSource() doesn't pass over files that it may not read", async () => {
  const denied = () => Promise.reject(new Deno.errors.PermissionDenied("no"));
  await isBroken(secretSource("/s", denied), "Cannot read");
});

const KEYRING = "0123456789abcdef0123456789abcdef";

/** Encrypts as the managed cluster does. */
async function encrypt(text: string): Promise<string> {
  const key = await crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(KEYRING),
    "AES-CBC",
    ...[false, ["encrypt"]] as [boolean, KeyUsage[]],
  );
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const data = new TextEncoder().encode(text);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-CBC", iv },
    key,
    data,
  );
  return new Uint8Array([...iv, ...new Uint8Array(sealed)]).toBase64();
}

async function tokenFile(
  changes: Readonly<Record<string, string>> = {},
): Promise<CredentialSource> {
  const text = JSON.stringify({
    "access.key.id": await encrypt("STS.id"),
    "access.key.secret": await encrypt(SECRET),
    "security.token": await encrypt("a session"),
    "expiration": "2026-11-21T13:00:00Z",
    "keyring": KEYRING,
    ...changes,
  });
  return addonTokenSource("/t", readFrom({ "/t": text }));
}

Deno.test("addonTokenSource() decrypts the token and knows its end", async () => {
  const found = await (await tokenFile()).load(soon());
  assertEquals(found?.accessKeyId, "STS.id");
  assertEquals(found?.accessKeySecret.reveal(), SECRET);
  assertEquals(found?.securityToken?.reveal(), "a session");
  assertEquals(found?.expiresAtMs, Date.parse("2026-11-21T13:00:00Z"));
  assertEquals(found?.source, "the addon token /t");
});

Deno.test("addonTokenSource() has nothing when no path is given", async () => {
  assertEquals(await addonTokenSource(undefined).load(soon()), undefined);
});

Deno.test("addonTokenSource() refuses a file that can't be used", async () => {
  await isBroken(addonTokenSource("/t", readFrom({})), "isn't there");
  await isBroken(
    addonTokenSource("/t", readFrom({ "/t": `{"${SECRET}` })),
    "its JSON",
  );
  await isBroken(await tokenFile({ expiration: "soon" }), "expiration");
  await isBroken(await tokenFile({ keyring: KEYRING.slice(1) }), "keyring");
  await isBroken(
    await tokenFile({ keyring: KEYRING.replace("0", "1") }),
    "keyring",
  );
});
