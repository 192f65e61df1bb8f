/**
 * A runtime's call of the plugin: what stands in the environment and on
 * standard input, and the four keys of the network configuration that the
 * relay itself needs. Everything else is the daemon's to judge.
 *
 * @module
 */
import {
  decodeBody,
  DEFAULT_SOCKET,
  DEFAULT_TOMBSTONES,
  MAX_BODY_BYTES,
  WireError,
} from "../wire.ts";

/** One call, ready to be relayed. */
export interface Call {
  /** `CNI_COMMAND`; empty when there is none. */
  readonly verb: string;
  /** The body of the request, byte for byte as the runtime gave it. */
  readonly body: Uint8Array;
  /** `cniVersion` of the configuration, when it can be read. */
  readonly cniVersion: string | undefined;
  /** `daemon_socket`: where the daemon listens. */
  readonly socket: string;
  /** `tombstone_dir`: where requests wait for a daemon. */
  readonly tombstones: string;
  /** `reply_timeout_ms`: how long to wait for a reply; by verb when absent. */
  readonly replyTimeoutMs: number | undefined;
}

/**
 * Reads the call.
 *
 * @param environ `NAME=value` strings, each ended by NUL: environ(7) in bytes,
 *   as a value may be no UTF-8 and has to arrive as it is.
 * @param stdin Standard input.
 * @returns The call. A configuration that can't be read has the defaults: that
 *   it can't be read is the daemon's to say.
 */
export function readCall(environ: Uint8Array, stdin: Uint8Array): Call {
  const body = bodyOf(environ, stdin);
  const config = readConfig(stdin);
  const text = (name: string): string | undefined => {
    const value = config[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const version = text("cniVersion");
  const timeoutMs = config.reply_timeout_ms;
  return {
    verb: decodeBody(body).variables.get("CNI_COMMAND") ?? "",
    body,
    cniVersion: version !== undefined && /^\d+\.\d+\.\d+$/.test(version)
      ? version
      : undefined,
    socket: text("daemon_socket") ?? DEFAULT_SOCKET,
    tombstones: text("tombstone_dir") ?? DEFAULT_TOMBSTONES,
    replyTimeoutMs: typeof timeoutMs === "number" && timeoutMs > 0
      ? timeoutMs
      : undefined,
  };
}

/**
 * Reads a stream to its end, or to one byte more than a body may have.
 *
 * @param stream Standard input.
 * @returns What it held.
 * @throws {WireError} `large` when it holds more.
 */
export function readToEnd(
  stream: { readSync(into: Uint8Array): number | null },
): Uint8Array {
  let bytes = new Uint8Array(16 * 1024);
  let length = 0;
  while (true) {
    if (length === bytes.length) bytes = grown(bytes);
    const count = stream.readSync(bytes.subarray(length));
    if (count === null || count === 0) return bytes.subarray(0, length);
    length += count;
  }
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length > MAX_BODY_BYTES) {
    throw new WireError("large", "Standard input is beyond the limit");
  }
  const twice = new Uint8Array(bytes.length * 2);
  twice.set(bytes);
  return twice;
}

function bodyOf(environ: Uint8Array, stdin: Uint8Array): Uint8Array {
  const prefix = [..."CNI_"].map((letter) => letter.charCodeAt(0));
  const body = new Uint8Array(environ.length + 1 + stdin.length);
  let length = 0;
  for (let at = 0; at < environ.length;) {
    const end = environ.indexOf(0, at) + 1 || environ.length;
    const text = environ.subarray(at, end);
    if (prefix.every((letter, index) => text[index] === letter)) {
      body.set(text, length);
      length += text.length;
    }
    at = end;
  }
  body.set(stdin, length + 1);
  return body.subarray(0, length + 1 + stdin.length);
}

function readConfig(stdin: Uint8Array): Record<string, unknown> {
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(stdin));
    return typeof config === "object" && config !== null ? { ...config } : {};
  } catch {
    return {};
  }
}
