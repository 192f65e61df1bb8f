/**
 * Watches ClientTokens: what takes something from the cloud bears one, and one
 * is never used for two things.
 *
 * @module
 */
import type { FaultyCall } from "../../tests/emulators/alibaba/faults.ts";
import type { EniKey } from "../state.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

/** An intent that a dead process left open. */
interface OpenIntent {
  readonly key: EniKey;
  readonly token: string;
  readonly action: string;
}

const TAKING: ReadonlySet<string> = new Set([
  "AssignIpv6Addresses",
  "AssignPrivateIpAddresses",
  "CreateNetworkInterface",
]);

/** Remembers which tokens were used for what. */
export class Tokens {
  readonly #life: Simulation;
  readonly #uses = new Map<string, string>();
  /** Uses since the last {@linkcode expect}. */
  #recent = new Set<string>();
  #open: OpenIntent[] = [];
  readonly #seen = new Set<EniKey>();

  /**
   * Begins with none.
   *
   * @param life Where.
   */
  constructor(life: Simulation) {
    this.#life = life;
  }

  /**
   * Checks a call.
   *
   * @param call The call.
   * @throws {Violation} When it needs a token, or has another one's.
   */
  check({ action, params }: FaultyCall): void {
    if (!TAKING.has(action)) return;
    const { ClientToken: token = "", ...more } = params;
    if (token === "") {
      throw new Violation("token", `${action} was called without a token`);
    }
    const use = `${action} ${JSON.stringify(more)}`;
    const before = this.#uses.get(token);
    if (before !== undefined && before !== use) {
      throw new Violation("token", `${token} is used for ${before} and ${use}`);
    }
    this.#uses.set(token, use);
    this.#recent.add(token);
  }

  /**
   * Remembers that a card was made, even if it goes again.
   *
   * @param key Its intent.
   */
  saw(key: EniKey): void {
    this.#seen.add(key);
  }

  /** Remembers which intents are open: the next process must use their tokens. */
  expect(): void {
    this.#recent = new Set();
    this.#open = [...this.#life.ledger.enis.values()].flatMap((eni) => {
      const { key, phase, assign } = eni;
      if (phase === "creating") {
        return [{ key, token: key, action: "CreateNetworkInterface" }];
      }
      if (assign === undefined) return [];
      const action = assign.family === 6
        ? "AssignIpv6Addresses"
        : "AssignPrivateIpAddresses";
      return [{ key, token: assign.token, action }];
    });
  }

  /**
   * Checks that each of them was called again by its token, or was found to
   * have happened.
   *
   * @returns How many were open.
   * @throws {Violation} When one was forgotten.
   */
  met(): number {
    for (const { key, token, action } of this.#open) {
      const isFound = action.startsWith("Create") && this.#seen.has(key);
      if (isFound || this.#recent.has(token)) continue;
      throw new Violation("token", `${action} by ${token} was forgotten`);
    }
    return this.#open.length;
  }
}
