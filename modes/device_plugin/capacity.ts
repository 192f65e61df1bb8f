/**
 * How many ENIs a node can promise to pods that want one to themselves, and
 * the devices that say so. Pure.
 *
 * @module
 */
import type { Device } from "./api.ts";

/** What a node's daemon says of its ENIs. */
export interface EniFigures {
  /** How pods get their network. */
  readonly daemonMode: string;
  /** False where `disable_device_plugin` says that nobody is to be promised any. */
  readonly isWanted: boolean;
  /** ENIs that pods may use: the type's, less the primary one and the caps. */
  readonly eniCount: number;
  /** Whether ENIs come and go. */
  readonly hotPlug: boolean;
  /** Whether the cloud would make another one now. */
  readonly mayGrow: boolean;
  /** Those of the pool. */
  readonly enis: readonly EniFigure[];
  /** Others' ENIs on this instance. */
  readonly foreignCount: number;
  /** ENIs that may hang on the node's trunk; absent where it has none to use. */
  readonly memberCount?: number;
}

/** An ENI of the pool. */
export interface EniFigure {
  /** Where it is in its life. */
  readonly phase: string;
  /** Whether the cloud shows it on this instance. */
  readonly isShown: boolean;
  /** Whether all that could be lent of it is held back until it is proven free. */
  readonly isQuarantined: boolean;
}

/** Modes in which a pod can have an ENI to itself; in others all are shared. */
const MODES_WITH_WHOLE_ENIS: ReadonlySet<string> = new Set(["VPC", "ENIOnly"]);

/** Phases in which an ENI is attached, and will stay so. */
const ATTACHED: ReadonlySet<string> = new Set(["preparing", "ready"]);

/**
 * Counts the ENIs that pods can have to themselves.
 *
 * With hot plugging those are all that the type allows, less the primary one,
 * others' ENIs, and those that can't be lent; without it, or while the cloud
 * makes none, those that are attached. Where pods share ENIs it is none.
 *
 * @example A type with 4 ENIs, one of them somebody else's
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const count = promisedCount({
 *   ...{ daemonMode: "ENIOnly", isWanted: true, eniCount: 3 },
 *   ...{ hotPlug: true, mayGrow: true, enis: [], foreignCount: 1 },
 * });
 * assertEquals(count, 2);
 * ```
 * @param figures What the daemon says.
 * @returns How many, 0 or more; those that pods have already included.
 */
export function promisedCount(figures: EniFigures): number {
  const { daemonMode, isWanted, eniCount, hotPlug, mayGrow, enis } = figures;
  if (!isWanted || !MODES_WITH_WHOLE_ENIS.has(daemonMode)) return 0;
  const attachedCount =
    enis.filter(({ phase, isShown, isQuarantined }) =>
      ATTACHED.has(phase) && isShown && !isQuarantined
    ).length;
  if (!hotPlug) return attachedCount;
  const heldCount = enis.filter(({ isQuarantined }) => isQuarantined).length;
  const most = Math.max(0, eniCount - figures.foreignCount - heldCount);
  return mayGrow ? most : Math.min(most, attachedCount);
}

/**
 * Lists a resource's devices: as many healthy ones as are promised, the first
 * ones. Those that were listed before and aren't promised any more are
 * unhealthy and don't vanish: pods may have them, and the kubelet takes pods
 * up again after its restart only with devices that it knows.
 *
 * @param wish The node's name, how many are promised, how many were listed.
 * @returns The devices, `NODE-0` first.
 */
export function devicesOf(
  { nodeName, count, listedCount }: {
    readonly nodeName: string;
    readonly count: number;
    readonly listedCount: number;
  },
): readonly Device[] {
  return Array.from(
    { length: Math.max(count, listedCount) },
    (_, index) => ({
      id: `${nodeName}-${index}`,
      health: index < count ? "Healthy" : "Unhealthy",
    }),
  );
}

/**
 * Picks the devices that a container had best get: the first ones, so that
 * those which go when there are fewer are the least likely to be in use.
 *
 * @param available From these ids.
 * @param must These among them.
 * @param size So many.
 * @returns The ids; fewer when there aren't so many.
 */
export function preferred(
  available: readonly string[],
  must: readonly string[],
  size: number,
): readonly string[] {
  const others = available.filter((id) => !must.includes(id));
  others.sort((a, b) => indexOf(a) - indexOf(b));
  return [...must, ...others].slice(0, Math.max(size, must.length));
}

function indexOf(id: string): number {
  return Number(id.slice(id.lastIndexOf("-") + 1));
}
