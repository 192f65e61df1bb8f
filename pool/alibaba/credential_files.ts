/**
 * Credentials that lie in files: a mounted Secret, and the token that Alibaba's
 * managed clusters give their addons.
 *
 * Both are read again and again, as both are replaced while we run. A file
 * that isn't there is no credentials; one that is there and can't be used is
 * an error.
 *
 * @module
 */
import { z } from "zod";
import {
  CredentialError,
  type Credentials,
  type CredentialSource,
  Secret,
  staticSource,
} from "./credentials.ts";

/** Where the Secret `aliyun-eni-ak` is mounted, unless told. */
export const SECRET_FOLDER = "/var/run/secrets/terway/aliyun-eni-ak";

/** The Secret's keys, and so its files. */
const ID_FILE = "ak_id";
const SECRET_FILE = "ak_secret";

/** How soon the files are read again: about as soon as the kubelet notices. */
const REREAD_MS = 10_000;

/** Reads a file; rejects as `Deno.readTextFile` does. */
export type ReadText = (path: string) => Promise<string>;

/**
 * The two files of a mounted Secret.
 *
 * @param folder Where it is mounted.
 * @param readText Reads a file.
 * @returns The source.
 */
export function secretSource(
  folder: string = SECRET_FOLDER,
  readText: ReadText = Deno.readTextFile,
): CredentialSource {
  const name = `the Secret's files ${ID_FILE} and ${SECRET_FILE} in ${folder}`;
  return {
    name,
    rereadMs: REREAD_MS,
    async load(signal: AbortSignal): Promise<Credentials | undefined> {
      const [id, secret] = await Promise.all([
        read(`${folder}/${ID_FILE}`, readText),
        read(`${folder}/${SECRET_FILE}`, readText),
      ]);
      if (id === undefined && secret === undefined) return undefined;
      const found = await staticSource(name, {
        id,
        secret,
        names: [ID_FILE, SECRET_FILE],
      }).load(signal);
      if (found !== undefined) return found;
      throw new CredentialError(`Cannot use ${name} as both are empty`);
    },
  };
}

const tokenShape = z.object({
  "access.key.id": z.base64(),
  "access.key.secret": z.base64(),
  "security.token": z.base64(),
  "expiration": z.iso.datetime(),
  "keyring": z.string(),
});

/**
 * The encrypted token of a managed cluster's addon: JSON whose values are
 * base64 of 16 bytes of IV and AES-CBC of the text under the file's own key.
 *
 * The key lies beside the lock; this is a format, not a protection. Source:
 * Terway, `pkg/aliyun/credential/sts.go` at 03d0307.
 *
 * @param path The file; nothing when there is none.
 * @param readText Reads a file.
 * @returns The source.
 */
export function addonTokenSource(
  path: string | undefined,
  readText: ReadText = Deno.readTextFile,
): CredentialSource {
  const name = `the addon token ${path ?? "of credential_path"}`;
  return {
    name,
    ...(path === undefined ? {} : { rereadMs: REREAD_MS }),
    async load(): Promise<Credentials | undefined> {
      if (path === undefined) return undefined;
      const text = await read(path, readText);
      if (text === undefined) {
        throw new CredentialError(
          `Cannot use ${name} as credential_path names it and it isn't there`,
        );
      }
      return { ...await decode(name, text), source: name };
    },
  };
}

async function decode(
  name: string,
  text: string,
): Promise<Omit<Credentials, "source">> {
  const token = tokenShape.safeParse(parseJson(text));
  if (!token.success) {
    // The file isn't quoted: it is a secret with its key.
    const paths = token.error.issues.map(({ path }) => path.join(" "));
    throw new CredentialError(
      `Cannot use ${name} as these must be right: ${
        paths.filter((path) => path !== "").join(", ") || "its JSON"
      }`,
    );
  }
  const { data } = token;
  try {
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(data.keyring),
      "AES-CBC",
      ...NOT_EXTRACTABLE,
    );
    const [id, secret, session] = await Promise.all([
      decrypt(data["access.key.id"], key),
      decrypt(data["access.key.secret"], key),
      decrypt(data["security.token"], key),
    ]);
    return {
      accessKeyId: id,
      accessKeySecret: new Secret(secret),
      securityToken: new Secret(session),
      expiresAtMs: Date.parse(data.expiration),
    };
  } catch {
    // What the cipher throws says nothing but "failed".
    throw new CredentialError(
      `Cannot use ${name} as its keyring must decrypt it, and doesn't`,
    );
  }
}

/** The last two arguments of `importKey`. */
const NOT_EXTRACTABLE: [boolean, KeyUsage[]] = [false, ["decrypt"]];

async function decrypt(text: string, key: CryptoKey): Promise<string> {
  const bytes = Uint8Array.fromBase64(text);
  const clear = await crypto.subtle.decrypt(
    { name: "AES-CBC", iv: bytes.subarray(0, 16) },
    key,
    bytes.subarray(16),
  );
  return new TextDecoder().decode(clear);
}

async function read(
  path: string,
  readText: ReadText,
): Promise<string | undefined> {
  try {
    return await readText(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CredentialError(`Cannot read the credentials in ${path}`, {
      cause: error,
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
