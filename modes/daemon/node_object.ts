/**
 * What the daemon writes to its node's object: conditions, how many addresses
 * there may be, and that the startup taint has done its work.
 *
 * @module
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import type { Keeper } from "../../pool/contract.ts";
import { call, type Kubernetes } from "../../k8s/client.ts";
import type { V1Node } from "../../k8s/objects.ts";
import type { Cidr } from "../../netns/ip.ts";
import { errorFields, type Log } from "../log.ts";
import type { NodeHappening } from "./cluster.ts";
import {
  type Condition,
  judgeMaxPods,
  judgeServiceCidr,
  withoutStartupTaint,
} from "./node_verdict.ts";
import { sufficientIp } from "./sufficient.ts";

/** How often pool and node are looked at. */
const LOOK_MS = 5_000;

/** How often unchanged conditions are written. Source: reference §1.8. */
const REFRESH_MS = 300_000;

/** How often the Service is asked for: nobody changes it. */
const SERVICE_MS = 300_000;

/** Events are kept for an hour, so what lasts is told again. */
const EVENT_MS = 3_000_000;

/** How many addresses pods may have. Source: reference §1.8. */
const MAX_IPS = "k8s.aliyun.com/max-available-ip";

/** What it works with. */
export interface NodeObjectParts {
  /** The API. */
  readonly kubernetes: Kubernetes;
  /** The node's name. */
  readonly nodeName: string;
  /** The node as it is known. */
  readonly node: () => V1Node | undefined;
  /** The pool. */
  readonly keeper: Pick<Keeper, "status">;
  /** Tells how many pods the network can serve. */
  readonly served: () => number;
  /** Tells how many pods of the host's network are on the node. */
  readonly hostPods: () => number;
  /** The range of Services in force; none when it isn't known. */
  readonly serviceCidrs: readonly Cidr[];
  /** Tells an event of the node. */
  readonly tell: (happening: NodeHappening) => void;
  /** Where failures are told. */
  readonly log: Log;
}

/** Keeps the node's object true. */
export class NodeObject implements AsyncDisposable {
  readonly #parts: NodeObjectParts;
  readonly #timer: ReturnType<typeof setInterval>;
  #work: Promise<void> | undefined;
  #written: { conditions: readonly Condition[]; atMs: number } | undefined;
  readonly #changedMs = new Map<Condition["type"], number>();
  #service: { condition: Condition | undefined; atMs: number } | undefined;
  readonly #toldMs = new Map<string, number>();

  /**
   * Begins.
   *
   * @param parts What it works with.
   */
  constructor(parts: NodeObjectParts) {
    this.#parts = parts;
    const look = (): void => {
      this.#work ??= this.#look().finally(() => this.#work = undefined);
    };
    look();
    this.#timer = setInterval(look, LOOK_MS);
  }

  /** Ends it; the object stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  async #look(): Promise<void> {
    const status = this.#parts.keeper.status();
    // Before the cloud has told its ENIs there is nothing to judge.
    if (status.mode !== "serving") return;
    await this.#try(
      "the startup taint can't be taken away",
      () => this.#untaint(),
    );
    await this.#try(
      "Service default/kubernetes can't be read",
      () => this.#askService(),
    );
    this.#judgeMaxPods();
    const service = this.#service?.condition;
    const conditions = [sufficientIp(status), ...service ? [service] : []];
    await this.#try(
      "the node's conditions can't be written",
      () => this.#write(conditions),
    );
    await this.#try("the node can't be annotated", () => this.#annotate());
  }

  /** One thing that fails keeps no other from being done. */
  async #try(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.debug(what, errorFields(error));
    }
  }

  async #untaint(): Promise<void> {
    const { kubernetes, nodeName, node, log } = this.#parts;
    const { spec, metadata } = node() ?? {};
    const taints = withoutStartupTaint(spec?.taints);
    if (taints === undefined) return;
    const { resourceVersion } = metadata ?? {};
    // Of the version that was read: a taint that comes meanwhile isn't lost.
    const body = { metadata: { resourceVersion }, spec: { taints } };
    await call("take the startup taint away", () =>
      kubernetes.core.patchNode(
        { name: nodeName, body },
        setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
      ));
    log.info("pods may come: the startup taint is taken away");
  }

  async #askService(): Promise<void> {
    const { kubernetes: { core }, serviceCidrs } = this.#parts;
    if (serviceCidrs.length === 0) return;
    if (Date.now() - (this.#service?.atMs ?? -Infinity) < SERVICE_MS) return;
    const { spec } = await call(
      "read the Service default/kubernetes",
      () =>
        core.readNamespacedService({
          namespace: "default",
          name: "kubernetes",
        }),
    );
    const ips = spec?.clusterIPs ?? (spec?.clusterIP ? [spec.clusterIP] : []);
    const condition = judgeServiceCidr(serviceCidrs, ips);
    this.#service = { condition, atMs: Date.now() };
    if (condition?.status !== "False") return;
    this.#tellOnce("ConfigError", condition.message);
  }

  #judgeMaxPods(): void {
    const { node, served, hostPods } = this.#parts;
    const allowed = Number(node()?.status?.allocatable?.["pods"] ?? 0);
    const message = judgeMaxPods({
      allowed,
      served: served(),
      hostPods: hostPods(),
    });
    if (message !== undefined) this.#tellOnce("MaxPodsTooHigh", message);
  }

  /** An hour later it is told again; a count that changes isn't news. */
  #tellOnce(reason: NodeHappening["reason"], message: string): void {
    const toldMs = this.#toldMs.get(reason) ?? -Infinity;
    if (Date.now() - toldMs < EVENT_MS) return;
    this.#toldMs.set(reason, Date.now());
    const { tell, log } = this.#parts;
    log.warning(message, { reason });
    tell({ type: "Warning", reason, message });
  }

  async #annotate(): Promise<void> {
    const { kubernetes, nodeName, node, served } = this.#parts;
    const known = node()?.metadata?.annotations?.[MAX_IPS];
    const value = String(served());
    if (node() === undefined || known === value) return;
    const annotations = Object.fromEntries([[MAX_IPS, value]]);
    await call("annotate the node", () =>
      kubernetes.core.patchNode(
        { name: nodeName, body: { metadata: { annotations } } },
        setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
      ));
  }

  async #write(conditions: readonly Condition[]): Promise<void> {
    const before = this.#written?.conditions ?? [];
    const isNew = ({ type, status }: Condition): boolean =>
      before.find((one) => one.type === type)?.status !== status;
    const nowMs = Date.now();
    for (const one of conditions.filter(isNew)) {
      this.#changedMs.set(one.type, nowMs);
    }
    const isFresh = nowMs - (this.#written?.atMs ?? 0) < REFRESH_MS;
    if (isFresh && !conditions.some(isNew)) return;
    const at = (ms: number): string => new Date(ms).toISOString();
    const whole = conditions.map((condition) => ({
      ...condition,
      lastHeartbeatTime: at(nowMs),
      lastTransitionTime: at(this.#changedMs.get(condition.type) ?? nowMs),
    }));
    const { kubernetes, nodeName } = this.#parts;
    await call(
      "write the node's conditions",
      () =>
        kubernetes.core.patchNodeStatus(
          { name: nodeName, body: { status: { conditions: whole } } },
          setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
        ),
    );
    this.#written = { conditions, atMs: nowMs };
  }
}
