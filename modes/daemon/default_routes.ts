/**
 * The node's default route stays its own: one that appears over an ENI of pods
 * is taken away, as it would lead the node's own traffic out there.
 *
 * @module
 */
import type { Kernel, KernelEvent } from "../../netns/kernel.ts";
import { TABLE_MAIN } from "../../netns/step.ts";
import { errorFields, type Log } from "../log.ts";
import type { NodeEnis } from "./enis.ts";

/** Events of one change come together. */
const GATHER_MS = 100;

/** What it works with. */
export interface DefaultRoutesParts {
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "onEvent"> & {
    readonly host: Pick<Kernel["host"], "dropDefaults">;
  };
  /** The ENIs of pods. */
  readonly enis: Pick<NodeEnis, "ids" | "attached" | "onReady">;
  /** Where it is told. */
  readonly log: Pick<Log, "warning">;
}

/** Looks after the default route. */
export class DefaultRoutes implements AsyncDisposable {
  readonly #parts: DefaultRoutesParts;
  readonly #ears = new DisposableStack();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #work: Promise<void> = Promise.resolve();

  /**
   * Listens to the kernel from now on.
   *
   * @param parts What it works with.
   */
  constructor(parts: DefaultRoutesParts) {
    this.#parts = parts;
    this.#ears.use(parts.kernel.onEvent((event) => this.#hear(event)));
    this.#ears.use(parts.enis.onReady(() => this.#begin()));
  }

  /** Looks now. */
  look(): Promise<void> {
    this.#work = this.#work.then(() => this.#look());
    return this.#work;
  }

  /** Listens no more, and waits for a look that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ears[Symbol.dispose]();
    clearTimeout(this.#timer);
    await this.#work;
  }

  #hear(event: KernelEvent): void {
    if (event.kind !== "route" || event.action !== "new") return;
    const { destination, table } = event.route;
    const isDefault = destination === "0.0.0.0/0" || destination === "::/0";
    if (isDefault && table === TABLE_MAIN) this.#begin();
  }

  #begin(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.look();
    }, GATHER_MS);
  }

  async #look(): Promise<void> {
    const { kernel, enis, log } = this.#parts;
    const macs = enis.ids().flatMap((id) => enis.attached(id)?.mac ?? []);
    if (macs.length === 0) return;
    try {
      for (const { link, route, by } of await kernel.host.dropDefaults(macs)) {
        log.warning(
          "a default route over an ENI of pods was taken away: the node's own " +
            "traffic would have left by it. Have DHCP clients and network " +
            `managers leave ${link} alone`,
          { link, route, by },
        );
      }
    } catch (error) {
      log.warning(
        "default routes over ENIs of pods can't be looked after",
        errorFields(error),
      );
    }
  }
}
