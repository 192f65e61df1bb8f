/**
 * What an instance can read about itself: its metadata service.
 *
 * Token mode is tried first and left for good when the service has none.
 * Metadata lags behind the API; it is a hint about cards, never the truth.
 * Source: ECS page "Instance metadata", read 2026-11-21.
 *
 * @module
 */
import { z } from "zod";
import { parseIp } from "../../netns/ip.ts";
import { CloudError, type Instance } from "../cloud.ts";

/** Where the service is, unless `ALIBABA_CLOUD_IMDS_ENDPOINT` says otherwise. */
export const METADATA_ENDPOINT = "http://100.100.100.200";

/** How long a token is asked for; it is used for half of that. */
const TOKEN_SECONDS = 21_600;

/** How long one request may take. */
const REQUEST_MS = 5_000;

/** Waits between tries after 429, 5xx or no answer. Source: Terway's. */
const RETRY_MS: readonly number[] = [500, 600, 720];

/** How a {@linkcode Metadata} reaches the world. */
export interface MetadataOptions {
  /** Where the service is. @default {METADATA_ENDPOINT} */
  readonly endpoint?: string;
  /** Makes requests. @default {fetch} */
  readonly fetch?: typeof fetch;
  /** Waits, and rejects when the signal ends first. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** The time in milliseconds. @default {Date.now} */
  readonly nowMs?: () => number;
}

/** A session of the instance's RAM role; the caller wraps its secrets. */
export interface RoleSession {
  /** The role's name. */
  readonly role: string;
  /** Names the session. */
  readonly accessKeyId: string;
  /** Signs. A secret. */
  readonly accessKeySecret: string;
  /** Travels along. A secret. */
  readonly securityToken: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

const sessionShape = z.object({
  Code: z.literal("Success"),
  AccessKeyId: z.string().min(1),
  AccessKeySecret: z.string().min(1),
  SecurityToken: z.string().min(1),
  Expiration: z.iso.datetime(),
});

/** Reads the metadata of the instance that this process runs on. */
export class Metadata {
  readonly #endpoint: string;
  readonly #fetch: typeof fetch;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #nowMs: () => number;
  #token: { text: string; untilMs: number } | "plain" | undefined;

  /**
   * Makes a reader; nothing is read yet.
   *
   * @param options How it reaches the world.
   */
  constructor(options: MetadataOptions = {}) {
    const endpoint = options.endpoint ?? METADATA_ENDPOINT;
    this.#endpoint = endpoint.includes("://") ? endpoint : `http://${endpoint}`;
    this.#fetch = options.fetch ?? fetch;
    this.#sleep = options.sleep ?? sleep;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /**
   * Reads one entry.
   *
   * @param path Below `/latest/meta-data/`, such as `instance-id`.
   * @param signal Ends the wait.
   * @returns The text, or nothing when there is no such entry.
   * @throws {CloudError} `transient` when the service doesn't answer.
   */
  async read(path: string, signal: AbortSignal): Promise<string | undefined> {
    for (let attempt = 0;; attempt++) {
      try {
        return await this.#readOnce(path, signal);
      } catch (error) {
        signal.throwIfAborted();
        const waitMs = RETRY_MS[attempt];
        if (waitMs === undefined) throw error;
        await this.#sleep(waitMs, signal);
      }
    }
  }

  /**
   * Tells who this instance is.
   *
   * @param signal Ends the wait.
   * @returns The instance.
   * @throws {CloudError} `transient` when the service doesn't answer,
   * `notFound` when it lacks an entry.
   */
  async identity(signal: AbortSignal): Promise<Instance> {
    const need = async (path: string): Promise<string> => {
      const text = await this.read(path, signal);
      if (text !== undefined && text !== "") return text;
      throw failure(path, "notFound", { status: 404 });
    };
    const [id, type, region, zone, vpcId, vSwitchId, mac] = await Promise.all([
      need("instance-id"),
      need("instance/instance-type"),
      need("region-id"),
      need("zone-id"),
      need("vpc-id"),
      need("vswitch-id"),
      need("mac"),
    ]);
    const primaryMac = mac.toLowerCase();
    const ipv6s = `network/interfaces/macs/${primaryMac}/ipv6s`;
    const [primaryIp, ips6 = ""] = await Promise.all([
      need("private-ipv4"),
      this.read(ipv6s, signal),
    ]);
    const [ip6] = ips6.match(/[0-9a-f:]+/gi) ?? [];
    return {
      id,
      type,
      region,
      zone,
      vpcId,
      vSwitchId,
      primaryMac,
      primaryIp: parseIp(primaryIp),
      ...(ip6 === undefined ? {} : { primaryIp6: parseIp(ip6) }),
    };
  }

  /**
   * Gets a session of the RAM role that the instance bears.
   *
   * @param signal Ends the wait.
   * @returns The session, or nothing when the instance bears no role.
   * @throws {CloudError} `transient` when what comes is no session.
   */
  async roleSession(signal: AbortSignal): Promise<RoleSession | undefined> {
    const folder = "ram/security-credentials/";
    const role = (await this.read(folder, signal))?.split("\n")[0]?.trim();
    if (role === undefined || role === "") return undefined;
    const text = await this.read(`${folder}${role}`, signal);
    const session = sessionShape.safeParse(parseJson(text ?? ""));
    if (!session.success) {
      // The answer isn't quoted: it may hold a secret.
      throw failure(folder, "transient", { status: 200 });
    }
    const { data } = session;
    return {
      role,
      accessKeyId: data.AccessKeyId,
      accessKeySecret: data.AccessKeySecret,
      securityToken: data.SecurityToken,
      expiresAtMs: Date.parse(data.Expiration),
    };
  }

  async #readOnce(
    path: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    let response = await this.#get(path, signal);
    if (response.status === 401) {
      await response.body?.cancel();
      this.#token = undefined; // it ended before its time
      response = await this.#get(path, signal);
    }
    if (response.ok) return await response.text();
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw failure(path, "transient", { status: response.status });
  }

  async #get(path: string, signal: AbortSignal): Promise<Response> {
    const token = await this.#freshToken(signal);
    return await this.#request(
      `/latest/meta-data/${path}`,
      {
        headers: token === undefined
          ? {}
          : { "X-aliyun-ecs-metadata-token": token },
      },
      signal,
    );
  }

  async #freshToken(signal: AbortSignal): Promise<string | undefined> {
    if (this.#token === "plain") return undefined;
    if (this.#token !== undefined && this.#token.untilMs > this.#nowMs()) {
      return this.#token.text;
    }
    const response = await this.#request("/latest/api/token", {
      method: "PUT",
      headers: {
        "X-aliyun-ecs-metadata-token-ttl-seconds": String(TOKEN_SECONDS),
      },
    }, signal);
    if (response.ok) {
      const text = await response.text();
      const untilMs = this.#nowMs() + TOKEN_SECONDS * 1000 / 2;
      this.#token = { text, untilMs };
      return text;
    }
    await response.body?.cancel();
    if (response.status >= 500 || response.status === 429) {
      throw failure("token", "transient", { status: response.status });
    }
    this.#token = "plain";
    return undefined;
  }

  async #request(
    path: string,
    init: RequestInit,
    signal: AbortSignal,
  ): Promise<Response> {
    const both = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]);
    try {
      return await this.#fetch(this.#endpoint + path, {
        ...init,
        signal: both,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failure(path, "transient", { status: 0, cause: error });
    }
  }
}

function failure(
  path: string,
  kind: "transient" | "notFound",
  detail: { status: number; cause?: unknown },
): CloudError {
  const { status, cause } = detail;
  return new CloudError(
    `Cannot read the instance's metadata ${path}: ${
      status === 0 ? "no answer" : `HTTP ${status}`
    }`,
    {
      kind,
      api: "Metadata",
      code: status === 0 ? "NoAnswer" : `HTTP${status}`,
      httpStatus: status,
      requestId: "",
    },
    cause === undefined ? {} : { cause },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    reject(signal.reason);
  }, { once: true });
  return promise;
}
