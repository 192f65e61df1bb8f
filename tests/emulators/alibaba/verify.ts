/**
 * Who sends a request, and whether it is what they signed.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";
import type { AccessKey } from "./access_keys.ts";
import type { EmulatedCloud } from "./cloud.ts";
import { invalid } from "./params.ts";
import { Refusal } from "./refusal.ts";
import { ACS3, signAcs3, type SignedRequest, signRpc } from "./signature.ts";

/** How far a request's time may be off. Source: "Public error codes". */
export const SKEW_MS: number = 15 * 60_000;

/** What a request asks for, once its signature is found right. */
export interface VerifiedRequest {
  /** Such as `CreateNetworkInterface`. */
  readonly action: string;
  /** The API's version. */
  readonly version: string;
  /** Its own parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** Who signed. */
  readonly key: AccessKey;
}

/** Parameters of RPC v1 that belong to every call. */
const RPC_COMMON: ReadonlySet<string> = new Set([
  "AccessKeyId",
  "Action",
  "Format",
  "SecurityToken",
  "Signature",
  "SignatureMethod",
  "SignatureNonce",
  "SignatureType",
  "SignatureVersion",
  "Timestamp",
  "Version",
]);

/** Calls that nobody signs: the token that they carry is the proof. */
const UNSIGNED: ReadonlySet<string> = new Set([
  "2015-04-01 AssumeRoleWithOIDC",
]);

/** Who calls those. */
const NOBODY: AccessKey = { id: "", secret: "", allow: [] };

/** Verifies requests and remembers their nonces. */
export class Verifier {
  readonly #cloud: EmulatedCloud;
  /** Nonces and when they may be forgotten, oldest first. */
  readonly #nonces = new Map<string, number>();

  /**
   * Makes one.
   *
   * @param cloud Whose keys and whose time count.
   */
  constructor(cloud: EmulatedCloud) {
    this.#cloud = cloud;
  }

  /**
   * Verifies a request.
   *
   * @param request The request.
   * @returns What it asks for, and who asks.
   * @throws {Refusal} The reason.
   */
  verify(request: SignedRequest): VerifiedRequest {
    const authorization = request.headers["authorization"] ?? "";
    const { Action: action = "", Version: version = "" } = request.query;
    if (UNSIGNED.has(`${version} ${action}`)) {
      return { action, version, params: ownOf(request.query), key: NOBODY };
    }
    return authorization.startsWith(ACS3)
      ? this.#verifyAcs3(request, authorization)
      : this.#verifyRpc(request);
  }

  #verifyAcs3(request: SignedRequest, authorization: string): VerifiedRequest {
    const { headers } = request;
    const [, id, names, signature] =
      /^\S+ Credential=([^,]+),SignedHeaders=([^,]+),Signature=(\w+)$/
        .exec(authorization) ?? [];
    if (id === undefined || names === undefined || signature === undefined) {
      throw new Refusal(
        "IncompleteSignature",
        "The request signature does not conform to Aliyun standards.",
      );
    }
    const signedHeaders = names.split(";");
    demandSigned(headers, signedHeaders);
    if (headers["x-acs-content-sha256"] !== request.bodyHash) {
      throw mismatch();
    }
    const key = this.#cloud.keys.find(
      id,
      headers["x-acs-security-token"],
      this.#cloud.clock.nowMs(),
    );
    if (!equal(signAcs3(request, signedHeaders, key.secret), signature)) {
      throw mismatch();
    }
    this.#demandFresh(
      headers["x-acs-date"],
      headers["x-acs-signature-nonce"],
      id,
    );
    return {
      action: needed("Action", headers["x-acs-action"]),
      version: needed("Version", headers["x-acs-version"]),
      params: request.query,
      key,
    };
  }

  #verifyRpc(request: SignedRequest): VerifiedRequest {
    const { query } = request;
    const id = needed("AccessKeyId", query["AccessKeyId"]);
    const signature = needed("Signature", query["Signature"]);
    const method = needed("SignatureMethod", query["SignatureMethod"]);
    if (method !== "HMAC-SHA1") throw invalid("SignatureMethod", method);
    const version = needed("SignatureVersion", query["SignatureVersion"]);
    if (version !== "1.0") throw invalid("SignatureVersion", version);
    const key = this.#cloud.keys.find(
      id,
      query["SecurityToken"],
      this.#cloud.clock.nowMs(),
    );
    if (!equal(signRpc(request.method, query, key.secret), signature)) {
      throw mismatch();
    }
    this.#demandFresh(query["Timestamp"], query["SignatureNonce"], id);
    return {
      action: needed("Action", query["Action"]),
      version: needed("Version", query["Version"]),
      params: ownOf(query),
      key,
    };
  }

  #demandFresh(
    date: string | undefined,
    nonce: string | undefined,
    id: string,
  ): void {
    const nowMs = this.#cloud.clock.nowMs();
    const text = needed("Timestamp", date);
    const atMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text)
      ? Date.parse(text)
      : NaN;
    if (Number.isNaN(atMs)) {
      throw new Refusal(
        "InvalidTimeStamp.Format",
        "Specified time stamp or date value is not well formatted.",
      );
    }
    if (Math.abs(nowMs - atMs) > SKEW_MS) {
      throw new Refusal(
        "InvalidTimeStamp.Expired",
        "Specified time stamp or date value is expired.",
      );
    }
    const used = `${id} ${needed("SignatureNonce", nonce)}`;
    for (const [old, untilMs] of this.#nonces) {
      if (untilMs > nowMs) break;
      this.#nonces.delete(old);
    }
    if (this.#nonces.has(used)) {
      throw new Refusal(
        "SignatureNonceUsed",
        "Specified signature nonce was used already.",
      );
    }
    // After this time the request's date alone refuses a replay.
    this.#nonces.set(used, nowMs + 2 * SKEW_MS);
  }
}

/** `host` and every `x-acs-…` header must be signed, else they may be forged. */
function demandSigned(
  headers: Readonly<Record<string, string>>,
  signed: readonly string[],
): void {
  const unsigned = Object.keys(headers).find((name) =>
    (name === "host" || name.startsWith("x-acs-")) && !signed.includes(name)
  );
  if (unsigned === undefined) return;
  throw new Refusal(
    "IncompleteSignature",
    `The request signature does not conform to Aliyun standards: header ${unsigned} is not signed.`,
  );
}

/** A call's own parameters: all but those of every call. */
function ownOf(
  query: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(query).filter(([name]) => !RPC_COMMON.has(name)),
  );
}

function needed(name: string, value: string | undefined): string {
  if (value !== undefined && value !== "") return value;
  throw new Refusal(
    "MissingParameter",
    `The input parameter "${name}" that is mandatory for processing this request is not supplied.`,
  );
}

function mismatch(): Refusal {
  return new Refusal(
    "SignatureDoesNotMatch",
    "Specified signature is not matched with our calculation.",
  );
}

function equal(a: string, b: string): boolean {
  const [x, y] = [new TextEncoder().encode(a), new TextEncoder().encode(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
