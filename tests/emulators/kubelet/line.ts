/**
 * A line to a plugin's socket that can be cut: what a killed kubelet had under
 * way ends without a word, where a client that is closed says goodbye.
 *
 * @module
 */

/** Leads connections on to a socket until it is cut. */
export class Line implements Disposable {
  /** Where to connect to. */
  readonly path: string;
  readonly #target: string;
  readonly #folder = Deno.makeTempDirSync({ prefix: "line-" });
  readonly #listener: Deno.Listener;
  readonly #ends = new Set<Deno.Conn>();
  #isCut = false;

  /**
   * Makes one.
   *
   * @param target The socket that it leads to.
   */
  constructor(target: string) {
    this.#target = target;
    this.path = `${this.#folder}/sock`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    void this.#accept();
  }

  /** Cuts it, in the middle of whatever is said. */
  [Symbol.dispose](): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#listener.close();
    for (const end of this.#ends) close(end);
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) void this.#lead(near);
  }

  async #lead(near: Deno.Conn): Promise<void> {
    this.#ends.add(near);
    try {
      const far = await Deno.connect({ transport: "unix", path: this.#target });
      this.#ends.add(far);
      await Promise.race([
        near.readable.pipeTo(far.writable),
        far.readable.pipeTo(near.writable),
      ]);
      close(far);
    } catch {
      // Nobody is there, or one side is gone: the other learns by the end.
    } finally {
      close(near);
    }
  }
}

function close(end: Deno.Conn): void {
  try {
    end.close();
  } catch {
    // It is closed.
  }
}
