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
import { CloudError, type CloudErrorDetail } from "../cloud.ts";
import { orAbort } from "./abort.ts";
import {
  type CredentialChain,
  CredentialError,
  type Credentials,
} from "./credentials.ts";
import { kindOf } from "./errors.ts";

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
   * After so long a call is given up, whatever its signal says: the library
   * can't be stopped from outside, so that this bounds what lingers.
   *
   * @default {20000}
   */
  readonly readTimeoutMs?: number;
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

/** What the library throws for an answer that is a refusal. */
const refusalShape = z.object({
  code: z.string(),
  message: z.string(),
  data: z.object({
    statusCode: z.number(),
    Code: z.string(),
    Message: z.string().optional(),
    RequestId: z.string().optional(),
  }),
});

/**
 * Reads where the services are from the variables that the official tools
 * read: `ECS_ENDPOINT`, `VPC_ENDPOINT`, `ALICLOUD_CLIENT_SCHEME`; else they
 * are the region's, as reached from inside a VPC.
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
  return {
    ecs: host("ECS_ENDPOINT", `ecs-vpc.${region}.aliyuncs.com`),
    vpc: host("VPC_ENDPOINT", `vpc-vpc.${region}.aliyuncs.com`),
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
    signal.throwIfAborted();
    try {
      const credentials = await this.#options.credentials.get(signal);
      return await orAbort(this.#send(call, credentials), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof CloudError) throw error;
      const cloudError = toCloudError(call.action, error);
      if (STALE.test(cloudError.code)) this.#options.credentials.forget();
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
        readTimeout: this.#options.readTimeoutMs ?? 20_000,
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
function toCloudError(api: string, error: unknown): CloudError {
  const refusal = refusalShape.safeParse(error);
  if (refusal.success) {
    const { data } = refusal.data;
    return cloudError(api, data.Message ?? data.Code, {
      code: data.Code,
      httpStatus: data.statusCode,
      requestId: data.RequestId ?? "",
    });
  }
  const { name, message } = error instanceof Error
    ? error
    : new Error("an unknown failure");
  if (error instanceof CredentialError) {
    return new CloudError(`${api}: ${message}`, {
      kind: "denied",
      api,
      code: "NoCredentials",
      httpStatus: 0,
      requestId: "",
    }, { cause: error });
  }
  const code = (error as { code?: unknown }).code;
  return cloudError(api, `no answer of the cloud (${name}: ${message})`, {
    code: typeof code === "string" && /^E[A-Z]+$/.test(code)
      ? code
      : "NoAnswer",
    httpStatus: 0,
    requestId: "",
  });
}

function cloudError(
  api: string,
  message: string,
  detail: Omit<CloudErrorDetail, "kind" | "api">,
): CloudError {
  return new CloudError(`${api}: ${message} [${detail.code}]`, {
    ...detail,
    api,
    kind: kindOf(detail.code, detail.httpStatus),
  });
}
