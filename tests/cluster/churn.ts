/**
 * Pods that come and go, round after round, while something else happens.
 *
 * @module
 */
import { until } from "./command.ts";
import type { Kubectl } from "./kubectl.ts";
import { createPods, waitForReadyPods } from "./pods.ts";

/** What comes and goes. */
export interface ChurnWish {
  /** Part of the pods' names: no other churn may have the same. */
  readonly name: string;
  /** The nodes that they come to, in turn. */
  readonly nodeNames: readonly string[];
  /** How many come at a time. */
  readonly podCount: number;
}

/** The API server may be away, a daemon may be starting. */
const ROUND_DEADLINE_MS = 180_000;

/** Enough for what happens to be over; a bound for a loop. */
const ROUND_LIMIT = 200;

/** Pods that come and go. */
export class Churn {
  readonly #kubectl: Kubectl;
  readonly #wish: ChurnWish;
  readonly #done: Promise<void>;
  #roundCount = 0;
  #lastRound = ROUND_LIMIT;

  /**
   * Begins.
   *
   * @param kubectl Asks the API server.
   * @param wish See {@linkcode ChurnWish}.
   */
  constructor(kubectl: Kubectl, wish: ChurnWish) {
    this.#kubectl = kubectl;
    this.#wish = wish;
    this.#done = this.#run();
    // It is told by end().
    this.#done.catch(() => {});
  }

  /**
   * Ends it, once a whole round has begun and ended after this call.
   *
   * @returns How many pods came and went.
   * @throws {Error} When some didn't come, or didn't go.
   */
  async end(): Promise<number> {
    this.#lastRound = this.#roundCount + 2;
    await this.#done;
    return this.#roundCount * this.#wish.podCount;
  }

  async #run(): Promise<void> {
    while (this.#roundCount < this.#lastRound) {
      await this.#round(`${this.#wish.name}-${this.#roundCount}`);
      this.#roundCount++;
    }
  }

  async #round(label: string): Promise<void> {
    const kubectl = this.#kubectl;
    const { podCount, nodeNames } = this.#wish;
    const which = ["pod", "-l", `churn=${label}`];
    const pods = Array.from({ length: podCount }, (_, number) => ({
      name: `churn-${label}-${number}`,
      nodeName: nodeNames[number % nodeNames.length] ?? "",
      labels: { churn: label },
    }));
    const anyhow = async (what: string, work: () => Promise<unknown>) => {
      await until(what, { deadlineMs: ROUND_DEADLINE_MS }, async () => {
        await work();
        return true;
      });
    };
    await anyhow(`pods of ${label}`, () => createPods(kubectl, pods));
    await anyhow(
      `pods of ${label} to be ready`,
      () => waitForReadyPods(kubectl, which),
    );
    await anyhow(
      `pods of ${label} to be gone`,
      () => kubectl(["delete", ...which, "--ignore-not-found", "--wait"]),
    );
  }
}
