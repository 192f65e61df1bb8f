/**
 * The two signatures that the service takes.
 *
 * - ACS3-HMAC-SHA256, in headers. Source: "V3 request body and signature
 *   mechanism", read 2026-11-21.
 * - RPC v1, HMAC-SHA1, in the query. Source: "RPC mechanism", read 2026-11-21.
 *
 * @module
 */
import { createHash, createHmac } from "node:crypto";

/** A request, as far as its signature goes. */
export interface SignedRequest {
  /** In upper case. */
  readonly method: string;
  /** The path, such as `/`. */
  readonly path: string;
  /** Decoded query parameters, and for RPC v1 also those of a form. */
  readonly query: Readonly<Record<string, string>>;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, in hex. */
  readonly bodyHash: string;
}

/** The name of the newer signature. */
export const ACS3 = "ACS3-HMAC-SHA256";

/**
 * Computes the newer signature.
 *
 * @param request The request.
 * @param signedHeaders Names in lower case, sorted.
 * @param secret The key's secret.
 * @returns In hex.
 */
export function signAcs3(
  request: SignedRequest,
  signedHeaders: readonly string[],
  secret: string,
): string {
  const canonical = [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...signedHeaders.map((name) =>
      `${name}:${(request.headers[name] ?? "").trim()}`
    ),
    "", // the headers end with an empty line
    signedHeaders.join(";"),
    request.bodyHash,
  ].join("\n");
  return createHmac("sha256", secret)
    .update(`${ACS3}\n${sha256(canonical)}`)
    .digest("hex");
}

/**
 * Computes the older signature.
 *
 * @param method In upper case.
 * @param params All parameters but `Signature`.
 * @param secret The key's secret.
 * @returns In base64.
 */
export function signRpc(
  method: string,
  params: Readonly<Record<string, string>>,
  secret: string,
): string {
  const { Signature: _, ...signed } = params;
  const text = `${method}&${encode("/")}&${encode(canonicalQuery(signed))}`;
  return createHmac("sha1", `${secret}&`).update(text).digest("base64");
}

/**
 * Computes SHA-256.
 *
 * @param data Text or bytes.
 * @returns In hex.
 */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function canonicalQuery(params: Readonly<Record<string, string>>): string {
  return Object.keys(params).sort()
    .map((name) => `${encode(name)}=${encode(params[name] ?? "")}`)
    .join("&");
}

/** RFC 3986: stricter than the language's own function. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
