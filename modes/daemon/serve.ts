/**
 * The daemon's socket: one request, one reply a connection.
 *
 * While a request is served, the connection is read: its end means that the
 * caller is gone, and what was begun for it is undone.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import {
  callerGone,
  readRequest,
  type WireRequest,
  writeReply,
} from "../wire.ts";
import type { Served } from "./dispatch.ts";

/** A caller that says nothing for this long is no relay. */
const REQUEST_DEADLINE_MS = 10_000;

/** A reply is a few kB: a caller that doesn't take it is stuck. */
const REPLY_DEADLINE_MS = 10_000;

/**
 * More connections than this wait in the kernel's backlog. A node starts some
 * hundred pods at the very most.
 */
const CONNECTION_LIMIT = 512;

/** After an error of accept(2), which would come again at once. */
const ACCEPT_PAUSE_MS = 100;

/** What a server works with. */
export interface ServeOptions {
  /** Where it listens: a path under 108 bytes. Source: unix(7), sun_path. */
  readonly path: string;
  /** Serves one request; never throws. */
  readonly handle: (
    request: WireRequest,
    gone: AbortSignal,
  ) => Promise<Served>;
  /** Where failures are told. */
  readonly log: Log;
}

/** A listening socket and the connections that are being served. */
export interface Server {
  /** Accepts no more, and waits for what is under way. */
  close(): Promise<void>;
}

/**
 * Listens. A socket of an earlier daemon is replaced: that it is dead is known
 * by the journal's lock, which only one daemon can hold.
 *
 * @param options Where, and what to do.
 * @returns The server.
 * @throws {RangeError} When the path is too long for a socket.
 */
export function serve(options: ServeOptions): Server {
  const listener = listen(options.path);
  const open = new Set<Promise<void>>();
  const closed = new AbortController();
  const accepting = (async () => {
    while (!closed.signal.aborted) {
      const conn = await accept(listener, { log: options.log, closed });
      if (conn === undefined) continue;
      const served = serveOne(conn, options)
        .finally(() => open.delete(served));
      open.add(served);
      if (open.size >= CONNECTION_LIMIT) await Promise.race(open);
    }
  })();
  return {
    close: async () => {
      closed.abort();
      listener.close();
      await accepting;
      await Promise.all(open);
    },
  };
}

/** A daemon that has no descriptor left for a moment must not go deaf. */
async function accept(
  listener: Deno.Listener,
  { log, closed }: { log: Log; closed: AbortController },
): Promise<Deno.Conn | undefined> {
  try {
    return await listener.accept();
  } catch (error) {
    if (closed.signal.aborted) return undefined;
    log.error("a connection can't be accepted", errorFields(error));
    await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
    return undefined;
  }
}

function listen(path: string): Deno.Listener {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > 107) {
    throw new RangeError(
      `Cannot listen on ${path} as a socket's path has at most 107 bytes: it ` +
        `has ${bytes}`,
    );
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  Deno.chmodSync(folder, 0o700);
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return listener;
}

async function serveOne(
  conn: Deno.Conn,
  { handle, log }: ServeOptions,
): Promise<void> {
  const gone = new AbortController();
  try {
    const deadline = AbortSignal.timeout(REQUEST_DEADLINE_MS);
    const request = await readRequest(conn, deadline);
    callerGone(conn).then(() =>
      gone.abort(new DOMException("the caller is gone", "AbortError"))
    );
    const { answer, heard, undo } = await handle(request, gone.signal);
    try {
      await reply(conn, answer, gone.signal);
    } catch (error) {
      log.warning("the caller was gone before its answer", errorFields(error));
      return await undo?.();
    }
    heard?.();
  } catch (error) {
    log.warning("a connection failed", errorFields(error));
  } finally {
    try {
      conn.close();
    } catch {
      // Closed already, with its end.
    }
  }
}

async function reply(
  conn: Deno.Conn,
  answer: Served["answer"],
  gone: AbortSignal,
): Promise<void> {
  gone.throwIfAborted();
  const deadline = AbortSignal.timeout(REPLY_DEADLINE_MS);
  const late = Promise.withResolvers<never>();
  const stop = (): void => late.reject(deadline.reason);
  deadline.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([writeReply(conn, answer), late.promise]);
  } finally {
    deadline.removeEventListener("abort", stop);
  }
}
