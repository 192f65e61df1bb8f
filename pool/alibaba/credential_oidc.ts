/**
 * RRSA: the session of a RAM role that a pod's service account may assume.
 *
 * The cluster mounts the account's OIDC token and sets the variables; STS
 * trades the token for a session (`AssumeRoleWithOIDC`, which nobody signs).
 * Source: STS page AssumeRoleWithOIDC, read 2026-11-21; the variables are
 * those that the official SDKs read.
 *
 * @module
 */
import { z } from "zod";
import { CloudError } from "../cloud.ts";
import type { ReadText } from "./credential_files.ts";
import {
  CredentialError,
  type Credentials,
  type CredentialSource,
  Secret,
} from "./credentials.ts";
import { refused } from "./refused.ts";

/** The role, the issuer and the token: all of them, or none. */
const NAMES = {
  roleArn: "ALIBABA_CLOUD_ROLE_ARN",
  providerArn: "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
  tokenFile: "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
} as const;

const API = "AssumeRoleWithOIDC";

/** How long a session lasts, in seconds: what every role allows. */
const SESSION_SECONDS = 3_600;

/** Where STS is, and how the world is reached. */
export interface OidcOptions {
  /** Reads a variable. */
  readonly env: (name: string) => string | undefined;
  /** STS: scheme, host, and port if need be. */
  readonly endpoint: string;
  /** Makes requests. @default {fetch} */
  readonly fetch?: typeof fetch;
  /** Reads the token. @default {Deno.readTextFile} */
  readonly readText?: ReadText;
}

const answerShape = z.object({
  Credentials: z.object({
    AccessKeyId: z.string().min(1),
    AccessKeySecret: z.string().min(1),
    SecurityToken: z.string().min(1),
    Expiration: z.iso.datetime(),
  }),
});

const refusalShape = z.object({
  Code: z.string(),
  Message: z.string().optional(),
  RequestId: z.string().optional(),
});

/**
 * Finds out where STS is: `STS_ENDPOINT`, else the region's, as reached from
 * inside a VPC unless `ALICLOUD_ENDPOINT_TYPE` is `public`.
 *
 * @param region The region.
 * @param env Reads a variable.
 * @returns Such as `https://sts-vpc.cn-hangzhou.aliyuncs.com`.
 */
export function stsEndpointFrom(
  region: string,
  env: (name: string) => string | undefined,
): string {
  const scheme = env("ALICLOUD_CLIENT_SCHEME")?.toLowerCase() === "http"
    ? "http"
    : "https";
  const vpc = env("ALICLOUD_ENDPOINT_TYPE") === "public" ? "" : "-vpc";
  const told = (env("STS_ENDPOINT") ?? "").replace(/\/+$/, "");
  if (told.includes("://")) return told;
  return `${scheme}://${told || `sts${vpc}.${region}.aliyuncs.com`}`;
}

/**
 * The session of the service account's role.
 *
 * @param options Where and how.
 * @returns The source; it has nothing when no variable is set.
 */
export function oidcSource(options: OidcOptions): CredentialSource {
  const name = `RRSA by ${Object.values(NAMES).join(", ")}`;
  return {
    name,
    async load(signal: AbortSignal): Promise<Credentials | undefined> {
      const [roleArn, providerArn, tokenFile] = Object.values(NAMES)
        .map((variable) => options.env(variable) ?? "");
      if (!roleArn && !providerArn && !tokenFile) return undefined;
      if (!roleArn || !providerArn || !tokenFile) {
        const missing = Object.values(NAMES)
          .filter((variable) => !options.env(variable));
        throw new CredentialError(
          `Cannot use RRSA as its variables must be set together: ${
            missing.join(" and ")
          } is missing`,
        );
      }
      const token = await readToken(tokenFile, options.readText);
      const body = await assume({ roleArn, providerArn, token }, {
        ...options,
        signal,
      });
      return sessionOf(body, roleArn);
    },
  };
}

async function assume(
  order: { roleArn: string; providerArn: string; token: string },
  { endpoint, env, signal, ...options }: OidcOptions & { signal: AbortSignal },
): Promise<unknown> {
  const query = new URLSearchParams({
    Action: API,
    Format: "JSON",
    SignatureNonce: crypto.randomUUID(),
    Timestamp: new Date().toISOString().slice(0, 19) + "Z",
    Version: "2015-04-01",
  });
  const form = new URLSearchParams({
    DurationSeconds: String(SESSION_SECONDS),
    OIDCProviderArn: order.providerArn,
    OIDCToken: order.token,
    RoleArn: order.roleArn,
    RoleSessionName: env("ALIBABA_CLOUD_ROLE_SESSION_NAME") || "terway",
  });
  try {
    const response = await (options.fetch ?? fetch)(`${endpoint}/?${query}`, {
      method: "POST",
      body: form,
      signal,
    });
    const body: unknown = await response.json();
    if (response.ok) return body;
    throw refusalOf(body, response.status);
  } catch (error) {
    if (error instanceof CloudError) throw error;
    signal.throwIfAborted();
    throw noSession("no answer of STS", 0);
  }
}

async function readToken(
  path: string,
  readText: ReadText = Deno.readTextFile,
): Promise<string> {
  try {
    const token = (await readText(path)).trim();
    if (token !== "") return token;
  } catch (error) {
    throw new CredentialError(`Cannot read ${NAMES.tokenFile}, ${path}`, {
      cause: error,
    });
  }
  throw new CredentialError(
    `Cannot use RRSA as ${NAMES.tokenFile}, ${path}, must not be empty`,
  );
}

function sessionOf(body: unknown, roleArn: string): Credentials {
  const answer = answerShape.safeParse(body);
  // What came isn't quoted: it may hold a secret.
  if (!answer.success) throw noSession("what came is no session", 200);
  const session = answer.data.Credentials;
  return {
    accessKeyId: session.AccessKeyId,
    accessKeySecret: new Secret(session.AccessKeySecret),
    securityToken: new Secret(session.SecurityToken),
    expiresAtMs: Date.parse(session.Expiration),
    source: `RRSA role ${roleArn.split("/").at(-1)}`,
  };
}

function refusalOf(body: unknown, httpStatus: number): CloudError {
  const refusal = refusalShape.safeParse(body);
  if (!refusal.success) return noSession("no answer of STS", httpStatus);
  const { Code, Message = Code, RequestId = "" } = refusal.data;
  return refused({ product: "sts", action: API }, {
    code: Code,
    message: Message,
    httpStatus,
    requestId: RequestId,
  });
}

function noSession(message: string, httpStatus: number): CloudError {
  return new CloudError(`${API}: ${message}`, {
    kind: "transient",
    api: API,
    code: "NoAnswer",
    httpStatus,
    requestId: "",
  });
}
