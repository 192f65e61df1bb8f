/**
 * The condition `SufficientIP` on the node's object.
 *
 * @module
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { Keeper } from "../../pool/contract.ts";
import { call, type Kubernetes } from "../../k8s/client.ts";
import { errorFields, type Log } from "../log.ts";
import { type Condition, sufficientIp } from "./sufficient.ts";

/** Source: reference §1.8. */
const TYPE = "SufficientIP";

/** How often the pool is looked at. */
const LOOK_MS = 5_000;

/** How often an unchanged condition is written. Source: reference §1.8. */
const REFRESH_MS = 300_000;

/** What it works with. */
export interface NodeConditionParts {
  /** The API. */
  readonly kubernetes: Kubernetes;
  /** The node. */
  readonly nodeName: string;
  /** The pool. */
  readonly keeper: Pick<Keeper, "status">;
  /** Where failures are told. */
  readonly log: Log;
}

/** Keeps the condition true. */
export class NodeCondition implements AsyncDisposable {
  readonly #parts: NodeConditionParts;
  readonly #timer: ReturnType<typeof setInterval>;
  #work: Promise<void> | undefined;
  #written: { condition: Condition; atMs: number } | undefined;
  #changedMs = Date.now();

  /**
   * Begins.
   *
   * @param parts What it works with.
   */
  constructor(parts: NodeConditionParts) {
    this.#parts = parts;
    const look = (): void => {
      this.#work ??= this.#look().finally(() => this.#work = undefined);
    };
    look();
    this.#timer = setInterval(look, LOOK_MS);
  }

  /** Ends it; the condition stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  async #look(): Promise<void> {
    const { keeper, log } = this.#parts;
    const status = keeper.status();
    // Before the cloud has told its ENIs there is nothing to judge.
    if (status.mode !== "serving") return;
    const condition = sufficientIp(status);
    const last = this.#written;
    const isSame = last?.condition.status === condition.status;
    if (isSame && Date.now() - last.atMs < REFRESH_MS) return;
    if (!isSame) this.#changedMs = Date.now();
    try {
      await this.#write(condition);
      this.#written = { condition, atMs: Date.now() };
    } catch (error) {
      log.debug("the node's condition can't be written", errorFields(error));
    }
  }

  async #write(condition: Condition): Promise<void> {
    const { kubernetes, nodeName } = this.#parts;
    const at = (ms: number): string => new Date(ms).toISOString();
    const whole = {
      type: TYPE,
      ...condition,
      lastHeartbeatTime: at(Date.now()),
      lastTransitionTime: at(this.#changedMs),
    };
    await call(
      "write the node's condition",
      () =>
        kubernetes.core.patchNodeStatus(
          { name: nodeName, body: { status: { conditions: [whole] } } },
          setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
        ),
    );
  }
}
