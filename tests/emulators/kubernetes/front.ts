/**
 * A door before a server, which can be slammed: every connection breaks at
 * once, and nobody is let in until it opens again, on the same port.
 *
 * @module
 */

const REOPEN_DEADLINE_MS = 2_000;

/** Listens on a port of a loopback; on a free one when it is 0. */
export type Listen = (
  port: number,
) => Deno.TcpListener;

function listenHere(port: number): ReturnType<Listen> {
  return Deno.listen({ hostname: "127.0.0.1", port });
}

/** The door. */
export class Front implements AsyncDisposable {
  /** Where it is: this machine's loopback, unless it listens elsewhere. */
  readonly hostname: string;
  /** The port there. */
  readonly port: number;
  readonly #target: number;
  readonly #listen: Listen;
  readonly #conns = new Set<Deno.Conn>();
  #listener: Deno.TcpListener | undefined;

  /**
   * Opens a door.
   *
   * @param target The server's port.
   * @param listen Listens elsewhere than on this machine's loopback.
   */
  constructor(target: number, listen: Listen = listenHere) {
    this.#target = target;
    this.#listen = listen;
    const listener = listen(0);
    this.port = listener.addr.port;
    this.hostname = listener.addr.hostname;
    this.#serve(listener);
  }

  /** Breaks every connection and lets nobody in, as a killed server does. */
  slam(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const conn of this.#conns) close(conn);
    this.#conns.clear();
  }

  /** Lets people in again. */
  async open(): Promise<void> {
    const endMs = Date.now() + REOPEN_DEADLINE_MS;
    while (this.#listener === undefined) {
      try {
        this.#serve(this.#listen(this.port));
      } catch (error) {
        // The port is free a moment after its listener was closed.
        const isTaken = error instanceof Deno.errors.AddrInUse;
        if (!isTaken || Date.now() > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  /** Ends it. */
  [Symbol.asyncDispose](): Promise<void> {
    this.slam();
    return Promise.resolve();
  }

  #serve(listener: Deno.TcpListener): void {
    this.#listener = listener;
    (async () => {
      for await (const near of listener) this.#join(near).catch(() => {});
    })().catch(() => {});
  }

  async #join(near: Deno.Conn): Promise<void> {
    this.#conns.add(near);
    const far = await Deno.connect({
      hostname: "127.0.0.1",
      port: this.#target,
    });
    this.#conns.add(far);
    try {
      await Promise.all([
        near.readable.pipeTo(far.writable),
        far.readable.pipeTo(near.writable),
      ]);
    } finally {
      for (const conn of [near, far]) {
        this.#conns.delete(conn);
        close(conn);
      }
    }
  }
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It has been closed by its other end.
  }
}
