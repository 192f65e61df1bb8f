/**
 * The pool on a stage, by the real clock: daemon, kernel, journal, and the
 * emulated cloud over its wire.
 *
 * @module
 */
import { askDaemon } from "../stage/daemon.ts";
import { percentile, round } from "./figures.ts";
import { Rig } from "./rig.ts";

/** 7 ENIs for pods, 30 addresses each. */
const INSTANCE_TYPE = "ecs.g7.8xlarge";

/** Pods that come to an empty pool at once. */
const COLD_COUNT = 50;

/** The cloud's pace. */
const CLOUD = { replyMs: 100, attachMs: 2_000, detachMs: 500, deleteMs: 100 };

/** Leases that a killed daemon has. */
const LEASE_COUNT = 200;

/** A new daemon is ready within this, or it never is. */
const RECOVERY_DEADLINE_MS = 60_000;

const LOOK_MS = 5;

/** How long pods waited for an empty pool. */
export interface ColdStart {
  /** How many came at once. */
  readonly podCount: number;
  /** How long the cloud takes to attach an ENI. */
  readonly attachMs: number;
  /** How long it takes for any answer. */
  readonly replyMs: number;
  /** ADD of the first pod that was ready. */
  readonly firstMs: number;
  /** Of the pod in the middle. */
  readonly p50Ms: number;
  /** From the first ADD's start to the last one's end. */
  readonly allMs: number;
  /** Calls of the cloud until then, by API. */
  readonly calls: Readonly<Record<string, number>>;
}

/**
 * Lets 50 pods come to an empty pool at once.
 *
 * @returns How long they waited.
 */
export async function coldStart(): Promise<ColdStart> {
  await using rig = await Rig.open({
    poolCount: 0,
    stage: {
      instanceType: INSTANCE_TYPE,
      cloud: CLOUD,
      config: { min_pool_size: 0, max_pool_size: 5 },
    },
  });
  const calls: Record<string, number> = {};
  const { cloud } = rig.stage.region;
  const before = cloud.before;
  cloud.before = (call) => {
    calls[call.action] = (calls[call.action] ?? 0) + 1;
    return before(call);
  };
  await using launcher = rig.launcher();
  using pods = rig.sandboxes("cold", COLD_COUNT);
  const { eachMs, totalMs } = await launcher.call("ADD", pods, COLD_COUNT);
  const counted = { ...calls };
  await launcher.call("DEL", pods, COLD_COUNT);
  return {
    podCount: COLD_COUNT,
    attachMs: CLOUD.attachMs,
    replyMs: CLOUD.replyMs,
    firstMs: round(Math.min(...eachMs), 1),
    p50Ms: percentile(eachMs, 0.5),
    allMs: round(totalMs, 1),
    calls: counted,
  };
}

/** How a daemon came back. */
export interface Recovery {
  /** Leases that it had when it was killed. */
  readonly leaseCount: number;
  /** From its start until it answered on its socket. */
  readonly answersMs: number;
  /** Until its pool served, all leases in it. */
  readonly servesMs: number;
  /** Until a new pod's ADD was answered, from its stock. */
  readonly firstAddMs: number;
  /** Calls of the cloud until then that change something. */
  readonly changes: number;
}

/**
 * Kills a daemon with 200 leases, and starts it again.
 *
 * @returns How long it took to be what it was.
 */
export async function recovery(): Promise<Recovery> {
  await using rig = await Rig.open({
    poolCount: LEASE_COUNT + 5,
    stage: { instanceType: INSTANCE_TYPE },
  });
  const { node, stage } = rig;
  await using launcher = rig.launcher();
  using pods = rig.sandboxes("kept", LEASE_COUNT);
  using more = rig.sandboxes("more", 1);
  await launcher.call("ADD", pods, 8);
  await stage.killDaemon(node.name);
  let changes = 0;
  const { cloud } = stage.region;
  const before = cloud.before;
  cloud.before = (call) => {
    if (!call.action.startsWith("Describe")) changes++;
    return before(call);
  };
  const startMs = performance.now();
  const restarted = stage.restartDaemon(node.name);
  const deadlineMs = startMs + RECOVERY_DEADLINE_MS;
  let answersMs = 0;
  for (;;) {
    const seen = await look(node.socket);
    if (seen !== undefined && answersMs === 0) {
      answersMs = performance.now() - startMs;
    }
    if (seen?.mode === "serving" && seen.leaseCount === LEASE_COUNT) break;
    if (performance.now() > deadlineMs) throw new Error("no daemon came back");
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const servesMs = performance.now() - startMs;
  await launcher.call("ADD", more);
  const firstAddMs = performance.now() - startMs;
  await restarted;
  await launcher.call("CHECK", pods.slice(0, 20), 8);
  await launcher.call("DEL", [...pods, ...more], 8);
  return {
    leaseCount: LEASE_COUNT,
    answersMs: round(answersMs, 1),
    servesMs: round(servesMs, 1),
    firstAddMs: round(firstAddMs, 1),
    changes,
  };
}

async function look(
  socket: string,
): Promise<{ mode: string; leaseCount: number } | undefined> {
  try {
    const signal = AbortSignal.timeout(1_000);
    const status = await askDaemon(socket, "status", signal);
    const { mode } = status.pool as { mode: string };
    return { mode, leaseCount: (status.leases as unknown[]).length };
  } catch {
    return undefined; // nobody listens as yet
  }
}
