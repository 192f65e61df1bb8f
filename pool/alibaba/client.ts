/**
 * One call of Alibaba Cloud's OpenAPI, over the official generic client.
 *
 * Calls are of RPC style with all parameters in the query, signed
 * ACS3-HMAC-SHA256. The client's own retries are off: what to do after an
 * answer is the pool's plan. What comes back is only known to be a JSON
 * object; `answers.ts` says what it must hold.
 *
 * @module
 */
import openapi, {
  Config,
  OpenApiRequest,
  Params,
} from "@alicloud/openapi-client";
import { RuntimeOptions } from "@alicloud/tea-util";
import { z } from "zod";
import { CloudError, type CloudErrorKind } from "../cloud.ts";
import { orAbort } from "./abort.ts";
import {
  type CredentialChain,
  CredentialError,
  type Credentials,
} from "./credentials.ts";
import { refused } from "./refused.ts";

/** A call: `CreateNetworkInterface` of ECS, and its parameters. */
export interface ApiCall {
  /** Which service. */
  readonly product: "ecs" | "vpc";
  /** Its name. */
  readonly action: string;
  /** Flat, as on the wire: `Tag.1.Key`. */
  readonly params: Readonly<Record<string, string>>;
}

/** Whatever carries calls to the cloud. */
export interface ApiTransport {
  /**
   * Makes a call.
   *
   * @param call The call.
   * @param signal Its deadline.
   * @returns The answer's body.
   * @throws {CloudError} When the cloud refuses or doesn't answer; the
   * signal's reason when it ends first.
   */
  call(call: ApiCall, signal: AbortSignal): Promise<unknown>;
}

/** Where and as whom to call. */
export interface ClientOptions {
  /** The region, such as `cn-hangzhou`. */
  readonly region: string;
  /** As whom. */
  readonly credentials: CredentialChain;
  /** Where; see {@linkcode endpointsFrom}. */
  readonly endpoints: Endpoints;
  /**
   * After so long a call is given up, whatever its signal says; its error is
   * then `transient`.
   *
   * @default {20000}
   */
  readonly deadlineMs?: number;
  /** Hears of each call that ended; mustn't throw. */
  readonly onCall?: (ended: CallEnded) => void;
}

/** A call that ended. */
export interface CallEnded {
  /** The cloud's name of it, such as `CreateNetworkInterface`. */
  readonly api: string;
  /** Why it failed; nothing when it didn't. */
  readonly kind?: CloudErrorKind;
  /** How long it took. */
  readonly seconds: number;
}

/** Where the services are. */
export interface Endpoints {
  /** Host, and port if need be. */
  readonly ecs: string;
  /** Host, and port if need be. */
  readonly vpc: string;
  /** How to speak to them. */
  readonly scheme: "HTTP" | "HTTPS";
}

/** The versions of the APIs. */
export const VERSIONS: Readonly<Record<ApiCall["product"], string>> = {
  ecs: "2014-05-26",
  vpc: "2016-04-28",
};

/** The library's client. */
type LibraryClient = InstanceType<typeof openapi.default>;

/** Its class: one level deeper under Deno than in a bundle. */
const LibraryClient = openapi.default ??
  openapi as unknown as typeof openapi.default;

/** Codes that say: these credentials are over, whatever they promised. */
const STALE = /^(InvalidSecurityToken|InvalidAccessKeyId)\b/;

/** How long a call may take, unless told. Source: Terway's. */
const DEADLINE_MS = 20_000;

/** What the library throws for an answer that is a refusal. */
const refusalShape = z.object({
  code: z.string(),
  message: z.string(),
  data: z.object({
    statusCode: z.number(),
    Code: z.string(),
    Message: z.string().optional(),
    RequestId: z.string().optional(),
    AccessDeniedDetail: z.object({ AuthAction: z.string().optional() })
      .optional().catch(undefined),
  }),
});

/**
 * Reads where the services are from the variables that the official tools
 * read: `ECS_ENDPOINT`, `VPC_ENDPOINT`, `ALICLOUD_CLIENT_SCHEME`; else they
 * are the region's, as reached from inside a VPC unless
 * `ALICLOUD_ENDPOINT_TYPE` is `public`.
 *
 * @example Inside a VPC
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { ecs } = endpointsFrom("cn-hangzhou", () => undefined);
 * assertEquals(ecs, "ecs-vpc.cn-hangzhou.aliyuncs.com");
 * ```
 * @param region The region.
 * @param env Reads a variable.
 * @returns Where they are.
 */
export function endpointsFrom(
  region: string,
  env: (name: string) => string | undefined,
): Endpoints {
  const host = (name: string, fallback: string): string =>
    (env(name) ?? "").replace(/^https?:\/\//i, "").replace(/\/+$/, "") ||
    fallback;
  const inside = env("ALICLOUD_ENDPOINT_TYPE") === "public" ? "" : "-vpc";
  return {
    ecs: host("ECS_ENDPOINT", `ecs${inside}.${region}.aliyuncs.com`),
    vpc: host("VPC_ENDPOINT", `vpc${inside}.${region}.aliyuncs.com`),
    scheme: env("ALICLOUD_CLIENT_SCHEME")?.toUpperCase() === "HTTP"
      ? "HTTP"
      : "HTTPS",
  };
}

/** Calls the cloud over HTTP. */
export class OpenApiTransport implements ApiTransport {
  readonly #options: ClientOptions;
  /** The library's clients are bound to an endpoint and to credentials. */
  readonly #clients = new Map<string, LibraryClient>();
  #clientsOf: Credentials | undefined;

  /**
   * Makes one; nothing is called yet.
   *
   * @param options Where and as whom.
   */
  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** {@inheritDoc ApiTransport.call} */
  async call(call: ApiCall, signal: AbortSignal): Promise<unknown> {
    const { onCall } = this.#options;
    const startMs = performance.now();
    const tell = (kind?: CloudErrorKind): void =>
      onCall?.({
        api: call.action,
        ...kind && { kind },
        seconds: (performance.now() - startMs) / 1000,
      });
    try {
      const body = await this.#call(call, signal);
      tell();
      return body;
    } catch (error) {
      // What we gave up ourselves says nothing of the cloud.
      if (error instanceof CloudError) tell(error.kind);
      throw error;
    }
  }

  async #call(call: ApiCall, signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const { credentials, deadlineMs = DEADLINE_MS } = this.#options;
    const deadline = AbortSignal.timeout(deadlineMs);
    const both = AbortSignal.any([signal, deadline]);
    let used: Credentials | undefined;
    try {
      used = await credentials.get(both);
      return await orAbort(this.#send(call, used), both);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CloudError) throw error;
      if (deadline.aborted && error === deadline.reason) {
        throw noAnswer(call.action, "Deadline", `none in ${deadlineMs} ms`);
      }
      const cloudError = toCloudError(call, error, used?.source);
      if (used && STALE.test(cloudError.code)) credentials.forget(used);
      throw cloudError;
    }
  }

  async #send(call: ApiCall, credentials: Credentials): Promise<unknown> {
    const client = this.#clientOf(call.product, credentials);
    const answer: unknown = await client.callApi(
      new Params({
        action: call.action,
        version: VERSIONS[call.product],
        protocol: this.#options.endpoints.scheme,
        pathname: "/",
        method: "POST",
        authType: "AK",
        style: "RPC",
        reqBodyType: "formData",
        bodyType: "json",
      }),
      new OpenApiRequest({
        query: { RegionId: this.#options.region, ...call.params },
      }),
      new RuntimeOptions({
        autoretry: false,
        maxAttempts: 1,
        connectTimeout: 5_000,
        // The library can't be stopped: this bounds what lingers.
        readTimeout: this.#options.deadlineMs ?? DEADLINE_MS,
      }),
    );
    return (answer as { body?: unknown }).body;
  }

  #clientOf(
    product: ApiCall["product"],
    credentials: Credentials,
  ): LibraryClient {
    if (this.#clientsOf !== credentials) this.#clients.clear();
    this.#clientsOf = credentials;
    const known = this.#clients.get(product);
    if (known !== undefined) return known;
    const { endpoints, region } = this.#options;
    const client = new LibraryClient(
      new Config({
        accessKeyId: credentials.accessKeyId,
        accessKeySecret: credentials.accessKeySecret.reveal(),
        ...(credentials.securityToken === undefined
          ? {}
          : { securityToken: credentials.securityToken.reveal() }),
        endpoint: endpoints[product],
        protocol: endpoints.scheme,
        regionId: region,
        userAgent: "terway",
      }),
    );
    this.#clients.set(product, client);
    return client;
  }
}

/**
 * Makes the pool's error of whatever the library threw.
 *
 * The library's error isn't kept as the cause: it carries the request with its
 * security token.
 */
function toCloudError(
  call: ApiCall,
  error: unknown,
  source: string | undefined,
): CloudError {
  const { action: api } = call;
  const refusal = refusalShape.safeParse(error);
  if (refusal.success) {
    const { data } = refusal.data;
    return refused(call, {
      code: data.Code,
      message: data.Message ?? data.Code,
      httpStatus: data.statusCode,
      requestId: data.RequestId ?? "",
      authAction: data.AccessDeniedDetail?.AuthAction,
      source,
    });
  }
  if (error instanceof CredentialError) {
    return new CloudError(`${api}: ${error.message}`, {
      kind: "denied",
      api,
      code: "NoCredentials",
      httpStatus: 0,
      requestId: "",
    }, { cause: error });
  }
  const { name, message } = error instanceof Error
    ? error
    : new Error("an unknown failure");
  const { code } = error as { code?: unknown };
  const isErrno = typeof code === "string" && /^E[A-Z]+$/.test(code);
  return noAnswer(api, isErrno ? code : "NoAnswer", `${name}: ${message}`);
}

function noAnswer(api: string, code: string, why: string): CloudError {
  return new CloudError(`${api}: no answer of the cloud (${why}) [${code}]`, {
    kind: "transient",
    api,
    code,
    httpStatus: 0,
    requestId: "",
  });
}
