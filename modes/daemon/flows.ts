/**
 * The tracked flows of addresses that were released: their next owners must
 * not get old answers.
 *
 * @module
 */
import { NetlinkError } from "../../netns/errno.ts";
import type { Ip } from "../../netns/ip.ts";
import type { Kernel } from "../../netns/kernel.ts";
import { errorFields, type Log } from "../log.ts";

/** What forgetting works with. */
export interface FlowsParts {
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "forgetFlows">;
  /** Where it is told. */
  readonly log: Log;
}

/** Flows that are to be forgotten. */
export class Flows {
  readonly #parts: FlowsParts;
  readonly #ips = new Set<Ip>();

  /**
   * Makes one with none.
   *
   * @param parts What it works with.
   */
  constructor(parts: FlowsParts) {
    this.#parts = parts;
  }

  /**
   * Hears that addresses were released.
   *
   * @param ips The addresses.
   */
  released(ips: readonly Ip[]): void {
    for (const ip of ips) this.#ips.add(ip);
  }

  /**
   * Tells whether the flows of one of these are still to be forgotten.
   *
   * @param ips Addresses.
   * @returns Whether they are.
   */
  areLeft(ips: readonly Ip[]): boolean {
    return ips.some((ip) => this.#ips.has(ip));
  }

  /**
   * Forgets them. To be called while an address rests. It is one walk over
   * the node's whole table for all of them: 10 ms of the kernel's thread,
   * however few the flows are.
   */
  async forget(): Promise<void> {
    const { kernel, log } = this.#parts;
    const ips = [...this.#ips];
    this.#ips.clear();
    if (ips.length === 0) return;
    try {
      const count = await kernel.forgetFlows(ips);
      if (count > 0) log.debug("flows were forgotten", { ips, count });
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === "EOPNOTSUPP") return;
      log.warning("the flows of released addresses can't be forgotten", {
        ips,
        ...errorFields(error),
      });
    }
  }
}
