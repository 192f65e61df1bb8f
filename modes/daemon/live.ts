/**
 * A configuration that changes while the daemon runs: what is safe is taken up
 * at once, what isn't is refused with the reason, and the last good one stays
 * in force.
 *
 * @module
 */
import type { Keeper } from "../../pool/contract.ts";
import { errorFields, type Log } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import type { DaemonConfig } from "./config.ts";
import type { ConfigPlaces, LoadedConfig } from "./eni_conf_file.ts";
import { tellBad } from "./last_good.ts";
import type { DaemonMode } from "./mode.ts";
import { type NodeFacts, withConfig } from "./node.ts";
import { poolChange } from "./pool.ts";
import { planReload, type ReloadPlan } from "./reload.ts";
import { watchConfig } from "./reload_watch.ts";

/** What following a configuration works with. */
export interface LiveParts {
  /** Where it is. */
  readonly places: ConfigPlaces;
  /** What was read at the start. */
  readonly loaded: LoadedConfig;
  /** The node. */
  readonly node: NodeFacts;
  /** How pods get their network. */
  readonly mode: DaemonMode;
  /** The pool that takes changes up. */
  readonly keeper: Keeper;
  /** Hears of what isn't taken up, and keeps what is. */
  readonly cluster?: Pick<Cluster, "tellNode" | "keepGood">;
  /** Where it is told what changes and what doesn't. */
  readonly log: Log;
}

/** Follows the configuration until told to stop. */
export class LiveConfig implements AsyncDisposable {
  readonly #parts: LiveParts;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #inForce: DaemonConfig;

  /**
   * Begins.
   *
   * @param parts What it works with.
   */
  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#inForce = parts.loaded.config;
    this.#work = this.#follow();
  }

  /** What holds now. */
  get inForce(): DaemonConfig {
    return this.#inForce;
  }

  /** Ends it, and waits for a change that is being taken up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #follow(): Promise<void> {
    const { places, loaded } = this.#parts;
    const changes = watchConfig({
      ...places,
      from: loaded,
      signal: this.#stop.signal,
      onProblem: (error) => this.#refuse(error),
    });
    for await (const change of changes) await this.#take(change);
  }

  #refuse(error: unknown): void {
    const { cluster, log } = this.#parts;
    log.error(
      "the changed configuration is refused: the last good one holds",
      errorFields(error),
    );
    tellBad(cluster, error);
  }

  async #take({ config, warnings }: LoadedConfig): Promise<void> {
    const { node, keeper, mode, cluster, log } = this.#parts;
    for (const warning of warnings) log.warning(warning);
    const plan = planReload(this.#inForce, config);
    for (const { field, why } of plan.refused) {
      log.warning("a changed setting is refused", { field, why });
    }
    if (plan.refused.length > 0) {
      const message = `of eni-config this isn't taken up: ${refusedOf(plan)}`;
      cluster?.tellNode({ type: "Warning", reason: "ConfigError", message });
    }
    if (plan.apply.length === 0) return;
    try {
      const changed = await withConfig(plan.inForce, node);
      keeper.reconfigure(poolChange(plan.inForce, changed, mode));
    } catch (error) {
      // The file is looked at again when it changes again.
      return this.#refuse(error);
    }
    for (const { field, from, to } of plan.apply) {
      log.info("a setting changed", { field, from, to });
    }
    this.#inForce = plan.inForce;
    await cluster?.keepGood();
  }
}

function refusedOf({ refused }: ReloadPlan): string {
  return refused.map(({ field, why }) => `${field} ${why}`).join("; ");
}
