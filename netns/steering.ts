/**
 * The steps of `steer.ts` in a kernel: made, compared and unmade, for
 * `apply.ts`, `compare.ts` and `remove.ts`. A filter is ours by what it says;
 * whatever else hangs on a card is left alone.
 *
 * @module
 */
import type { Finding } from "./compare.ts";
import { forgiving, NetlinkError } from "./errno.ts";
import type { Places } from "./places.ts";
import type { RouteSocket } from "./socket.ts";
import {
  type ClsactStep,
  hookOf,
  keysOf,
  protocolOf,
  type SteerStep,
} from "./steer.ts";
import type { FilterAction } from "./tc_action.ts";
import {
  addClsact,
  addFilter,
  deleteFilter,
  deleteIdleClsact,
  type FilterPlace,
  type FilterRule,
  type FilterSeen,
  hasClsact,
  listFilters,
} from "./tc_filter.ts";
import { added, type Work } from "./work.ts";

/** Source: linux/if_ether.h. */
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd, vlan: 0x8100 } as const;

/** What the kernel shows of a link that is gone. */
const NO_LINK = 0;
const STALE = "a filter that leads to a link that is gone";

/**
 * Makes a step true.
 *
 * @param step The step.
 * @param work Where, and what undoes it.
 * @throws {NetlinkError} `ENOENT` when the kernel lacks a part; it says which.
 */
export function makeSteering(step: ClsactStep | SteerStep, work: Work): void {
  const { places, undo } = work;
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  if (step.kind === "clsact") {
    if (!naming(() => added(() => addClsact(socket, ifIndex)))) return;
    undo.defer(forgiving(() => deleteIdleClsact(socket, ifIndex)));
    return;
  }
  const place = placeOf(step, ifIndex);
  const rule = ruleOf(step, places);
  const { exact, stale } = find(socket, place, rule);
  // The first that matches decides: a stale one leads nowhere.
  for (const { handle } of stale) deleteFilter(socket, place, handle);
  if (exact !== undefined) return;
  naming(() => addFilter(socket, place, rule));
  undo.defer(forgiving(() => {
    const { exact } = find(socket, place, rule);
    if (exact !== undefined) deleteFilter(socket, place, exact.handle);
  }));
}

/**
 * Compares a step with the kernel.
 *
 * @param step The step.
 * @param places Where; its place can be reached.
 * @returns That it is missing; undefined when it is there.
 */
export function lookAtSteering(
  step: ClsactStep | SteerStep,
  places: Places,
): Finding | undefined {
  const socket = places.socket(step.place);
  const link = places.find(step.place, step.link);
  if (link === undefined) return { problem: "missing" };
  const { ifIndex } = link;
  if (step.kind === "clsact") {
    return hasClsact(socket, ifIndex) ? undefined : { problem: "missing" };
  }
  const { action } = step;
  const isLost = action.kind === "intoNode" &&
    places.find(step.place, action.link) === undefined;
  if (isLost) return { problem: "missing" };
  const place = placeOf(step, ifIndex);
  const { exact, stale } = find(socket, place, ruleOf(step, places));
  if (stale.length > 0) return { problem: "changed", seen: STALE };
  return exact === undefined ? { problem: "missing" } : undefined;
}

/**
 * Unmakes a step, when it is ours.
 *
 * @param step The step.
 * @param places Where; its place can be reached.
 * @throws {NetlinkError} What the kernel refused.
 */
export function unmakeSteering(
  step: ClsactStep | SteerStep,
  places: Places,
): void {
  const socket = places.socket(step.place);
  const link = places.find(step.place, step.link);
  if (link === undefined) return;
  const { ifIndex } = link;
  if (step.kind === "clsact") {
    if (hasClsact(socket, ifIndex)) deleteIdleClsact(socket, ifIndex);
    return;
  }
  const place = placeOf(step, ifIndex);
  const { exact, stale } = find(socket, place, ruleOf(step, places));
  const ours = exact === undefined ? stale : [exact, ...stale];
  for (const { handle } of ours) deleteFilter(socket, place, handle);
}

function placeOf(
  { match, priority }: SteerStep,
  ifIndex: number,
): FilterPlace {
  const protocol = ETHERTYPES[protocolOf(match)];
  return { ifIndex, hook: hookOf(match), priority, protocol };
}

function ruleOf(step: SteerStep, places: Places): FilterRule {
  return { keys: keysOf(step.match), actions: actionsOf(step, places) };
}

function actionsOf(
  { action, place }: SteerStep,
  places: Places,
): readonly FilterAction[] {
  switch (action.kind) {
    case "intoNode": {
      const toIndex = places.find(place, action.link)?.ifIndex ?? NO_LINK;
      return [
        { kind: "tunnel_key" },
        { kind: "skbedit" },
        { kind: "mirred", toIndex },
      ];
    }
    case "pushVlan":
      return [{ kind: "vlan", pushId: action.id }];
    case "popVlan":
      return [{ kind: "vlan" }];
  }
}

/**
 * Finds our filter, and those that would be ours but lead to a link that is
 * gone: the kernel keeps them, and they swallow what they match.
 */
function find(
  socket: RouteSocket,
  place: FilterPlace,
  rule: FilterRule,
): { readonly exact?: FilterSeen; readonly stale: readonly FilterSeen[] } {
  const alike = listFilters(socket, place).filter((seen) =>
    textOf(seen) === textOf(rule)
  );
  const wanted = targetOf(rule);
  const exact = alike.find((seen) => targetOf(seen) === wanted);
  const stale = alike.filter((seen) => targetOf(seen) !== wanted);
  return { ...exact && { exact }, stale };
}

function targetOf({ actions }: FilterRule): number | undefined {
  return actions.find((action) => action.kind === "mirred")?.toIndex;
}

/** A rule as text, but for the link that it leads to. */
function textOf({ keys, actions }: FilterRule): string {
  const words = keys.map(({ offset, mask, value }) =>
    `${offset} ${mask.join(".")} ${value.join(".")}`
  );
  const deeds = actions.map((action) =>
    action.kind === "vlan" ? `vlan ${action.pushId ?? "pop"}` : action.kind
  );
  return [...words, ...deeds].join("; ");
}

/** Says which part of the kernel is missing. */
function naming<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const { op, errno, detail = "" } = error;
    if (errno !== "ENOENT" && errno !== "EOPNOTSUPP") throw error;
    throw new NetlinkError({
      op,
      errno,
      detail: "this kernel lacks a part of what steers packets at a card: " +
        "load sch_ingress, cls_u32, act_mirred, act_skbedit, act_tunnel_key " +
        `and act_vlan with modprobe; ${detail}`,
    }, { cause: error });
  }
}
