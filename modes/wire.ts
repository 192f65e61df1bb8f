/**
 * The wire between relays and the daemon. It is served forever: the launcher
 * in a node's `/opt/cni/bin` may be older than every daemon that follows.
 *
 * ```text
 * request  "TERWAY1\n"  u32 length, little-endian  body of that length
 * body     NAME=value NUL, for every variable  NUL  standard input
 * reply    u8 exit status  document  end of stream
 * ```
 *
 * A document is empty or exactly one line of JSON that ends with a newline.
 * So a reply that a dying daemon cut short is recognised: no status byte, no
 * newline at the end, or a failure without a document.
 *
 * The caller never closes its half alone. While the daemon works, its pending
 * read ends exactly when the caller is gone: see {@linkcode callerGone}.
 *
 * CNI mode imports this file, so it imports nothing.
 *
 * @module
 */

/** Where a daemon listens unless told otherwise. */
export const DEFAULT_SOCKET = "/run/terway/terway.sock";

/** Where relays leave what a daemon must do later, unless told otherwise. */
export const DEFAULT_TOMBSTONES = "/var/lib/terway/tombstones";

/**
 * The longest body. A GC lists every attachment of a node, at some 150 bytes
 * each, and a chain's earlier result is a few kB: 8 MiB is a thousand times
 * the usual, and yet the launcher holds it in one buffer that never grows.
 */
export const MAX_BODY_BYTES: number = 8 * 1024 * 1024;

/** The longest document: a node's whole status is below a tenth of it. */
export const MAX_DOCUMENT_BYTES: number = 8 * 1024 * 1024;

const MAGIC = new TextEncoder().encode("TERWAY1\n");
const HEADER_BYTES = MAGIC.length + 4;
const LITTLE_ENDIAN = true;

/** What a caller wants. */
export interface WireRequest {
  /**
   * `CNI_*` variables of a runtime's call, or `TERWAY_*` of an operator's.
   * Bytes that are no UTF-8 have become U+FFFD.
   */
  readonly variables: ReadonlyMap<string, string>;
  /** Standard input. */
  readonly stdin: Uint8Array;
}

/** What the caller's process ends with. */
export interface Reply {
  /** The exit status, 0 to 255. */
  readonly status: number;
  /** For standard output: empty, or one line of JSON and its newline. */
  readonly document: string;
}

/**
 * Why there is no request or no reply.
 *
 * - `absent`: nobody listens, which a moment may cure;
 * - `refused`: the socket can't be used, which no moment cures;
 * - `closed`: the other end went away in the middle of a request;
 * - `broken`: the daemon went away before its reply was whole;
 * - `late`: the signal came first;
 * - `malformed`: this isn't our protocol, or not a document;
 * - `large`: beyond the limit.
 */
export type WireErrorKind =
  | "absent"
  | "refused"
  | "closed"
  | "broken"
  | "late"
  | "malformed"
  | "large";

/** A request or a reply that didn't come about. */
export class WireError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "WireError";
  /** Why, for code. */
  readonly kind: WireErrorKind;

  /**
   * Makes one.
   *
   * @param kind Why, for code.
   * @param message Why, for people.
   * @param options The error that led here.
   */
  constructor(kind: WireErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * Writes a request's body.
 *
 * @example There and back
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const variables = new Map([["CNI_COMMAND", "ADD"], ["CNI_ARGS", "A=b;C=d"]]);
 * const stdin = new TextEncoder().encode("{}");
 * assertEquals(decodeBody(encodeBody({ variables, stdin })), { variables, stdin });
 * ```
 * @param request The request.
 * @returns The body.
 * @throws {WireError} `malformed` when a name or value can't be told apart.
 */
export function encodeBody(request: WireRequest): Uint8Array<ArrayBuffer> {
  let text = "";
  for (const [name, value] of request.variables) {
    if (name === "" || /[=\0]/.test(name) || value.includes("\0")) {
      throw new WireError("malformed", `Cannot send a variable ${name}`);
    }
    text += `${name}=${value}\0`;
  }
  return concat([new TextEncoder().encode(`${text}\0`), request.stdin]);
}

/**
 * Reads a request's body: from the wire, or from a tombstone.
 *
 * @param body The body.
 * @returns The request; of equal names the first counts, as with getenv(3).
 * @throws {WireError} `malformed` when it isn't a body.
 */
export function decodeBody(body: Uint8Array): WireRequest {
  const variables = new Map<string, string>();
  const decoder = new TextDecoder();
  let at = 0;
  while (true) {
    const end = body.indexOf(0, at);
    if (end < 0) {
      throw new WireError("malformed", "The variables of a body have no end");
    }
    if (end === at) return { variables, stdin: body.slice(end + 1) };
    const text = decoder.decode(body.subarray(at, end));
    const equals = text.indexOf("=");
    if (equals < 1) {
      throw new WireError("malformed", `A variable has no name: ${text}`);
    }
    const name = text.slice(0, equals);
    if (!variables.has(name)) variables.set(name, text.slice(equals + 1));
    at = end + 1;
  }
}

/**
 * Writes a request as it goes over the wire.
 *
 * @param request A request, or the body of one.
 * @returns The header and the body.
 * @throws {WireError} `large` beyond {@linkcode MAX_BODY_BYTES}.
 */
export function encodeRequest(
  request: WireRequest | Uint8Array,
): Uint8Array<ArrayBuffer> {
  const body = request instanceof Uint8Array ? request : encodeBody(request);
  checkLength(body.length);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, body.length, LITTLE_ENDIAN);
  return concat([MAGIC, length, body]);
}

/**
 * Reads the request of a connection that was just accepted.
 *
 * Effects: when the signal comes first, the connection is closed.
 *
 * @param conn The connection.
 * @param signal The deadline for the request to arrive.
 * @returns The request.
 * @throws {WireError} `late`, `closed`, `malformed` or `large`.
 */
export function readRequest(
  conn: Deno.Conn,
  signal: AbortSignal,
): Promise<WireRequest> {
  return before(signal, conn, async () => {
    // One read takes in most requests: a chain's result makes one of 2 kB.
    const first = new Uint8Array(4096);
    const count = await read(conn, first) ?? 0;
    await readFully(conn, first.subarray(count, HEADER_BYTES));
    if (!MAGIC.every((byte, at) => byte === first[at])) {
      throw new WireError("malformed", "A request has to begin with TERWAY1");
    }
    const length = new DataView(first.buffer)
      .getUint32(MAGIC.length, LITTLE_ENDIAN);
    checkLength(length);
    const body = new Uint8Array(length);
    const had = first.subarray(HEADER_BYTES, count).subarray(0, length);
    body.set(had);
    await readFully(conn, body.subarray(had.length));
    return decodeBody(body);
  });
}

/**
 * Writes the reply. The caller sees its end when the connection is closed,
 * which is left to the one who accepted it.
 *
 * @param conn The connection.
 * @param reply The reply.
 * @throws {WireError} `malformed` when it could be taken for a broken one,
 *   `closed` when the caller is gone.
 */
export async function writeReply(
  conn: Deno.Conn,
  reply: Reply,
): Promise<void> {
  const { status, document } = reply;
  const oneLine = document === "" ? status === 0 : /^[^\n]+\n$/.test(document);
  if (!oneLine || !Number.isInteger(status) || status < 0 || status > 255) {
    throw new WireError(
      "malformed",
      `Cannot reply status ${status} with ${document.length} characters as a ` +
        "document must be a line of JSON, empty only for status 0",
    );
  }
  const text = new TextEncoder().encode(document);
  await writeFully(conn, concat([new Uint8Array([status]), text]));
}

/**
 * Resolves when the caller is gone: its process ended, or it took the reply.
 *
 * Call it once, after {@linkcode readRequest}. It never throws, and it ends
 * with the connection at the latest.
 *
 * @param conn The connection.
 */
export async function callerGone(conn: Deno.Conn): Promise<void> {
  const rest = new Uint8Array(64);
  try {
    // A caller has nothing more to say: what it does say is dropped.
    while (await conn.read(rest) !== null);
  } catch {
    // Reset by the caller or closed by us: gone either way.
  }
}

/**
 * Asks a daemon.
 *
 * Effects: one connection, closed at the end. Safe to repeat: as the request.
 *
 * @param socketPath Where the daemon listens; at most 107 bytes.
 * @param request A request, or the body of one.
 * @param signal The deadline for the whole of it.
 * @returns The daemon's reply, whole.
 * @throws {WireError} Of any kind but `closed`.
 */
export async function ask(
  socketPath: string,
  request: WireRequest | Uint8Array,
  signal: AbortSignal,
): Promise<Reply> {
  const bytes = encodeRequest(request);
  const conn = await connect(socketPath);
  try {
    return await before(signal, conn, async () => {
      await writeFully(conn, bytes);
      return decodeReply(await readAll(conn));
    });
  } catch (error) {
    if (!(error instanceof WireError) || error.kind !== "closed") throw error;
    throw new WireError("broken", "The daemon went away", { cause: error });
  } finally {
    close(conn);
  }
}

async function connect(path: string): Promise<Deno.Conn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (cause) {
    // A daemon that starts hasn't made its socket, or doesn't listen yet; one
    // that is overrun has a full backlog, which is EAGAIN.
    const moment = cause instanceof Deno.errors.NotFound ||
      cause instanceof Deno.errors.ConnectionRefused ||
      cause instanceof Deno.errors.WouldBlock;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WireError(
      moment ? "absent" : "refused",
      `Cannot connect to ${path}: ${reason}`,
      { cause },
    );
  }
}

function decodeReply(bytes: Uint8Array): Reply {
  const [status] = bytes;
  const document = new TextDecoder().decode(bytes.subarray(1));
  const whole = status !== undefined &&
    (document === "" ? status === 0 : document.endsWith("\n"));
  if (!whole) {
    throw new WireError(
      "broken",
      `The reply was cut short after ${bytes.length} bytes`,
    );
  }
  return { status, document };
}

/** Closing the connection is the only way to end a pending read or write. */
async function before<T>(
  signal: AbortSignal,
  conn: Deno.Conn,
  work: () => Promise<T>,
): Promise<T> {
  const stop = (): void => close(conn);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new WireError("late", "The deadline has passed", { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function readFully(conn: Deno.Conn, into: Uint8Array): Promise<void> {
  let at = 0;
  while (at < into.length) {
    const count = await read(conn, into.subarray(at));
    if (count === null) throw new WireError("closed", "The stream ended early");
    at += count;
  }
}

async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (true) {
    const chunk = new Uint8Array(16 * 1024);
    const count = await read(conn, chunk);
    if (count === null) return concat(chunks);
    total += count;
    if (total > 1 + MAX_DOCUMENT_BYTES) {
      throw new WireError("broken", "The reply is beyond the limit");
    }
    chunks.push(chunk.subarray(0, count));
  }
}

async function read(conn: Deno.Conn, into: Uint8Array): Promise<number | null> {
  try {
    return await conn.read(into);
  } catch (cause) {
    throw new WireError("closed", "The stream broke", { cause });
  }
}

async function writeFully(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) {
      at += await conn.write(bytes.subarray(at));
    }
  } catch (cause) {
    throw new WireError("closed", "The other end is gone", { cause });
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}

function checkLength(length: number): void {
  if (length <= MAX_BODY_BYTES) return;
  throw new WireError(
    "large",
    `A body must have at most ${MAX_BODY_BYTES} bytes: it has ${length}`,
  );
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(
    parts.reduce((total, part) => total + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
