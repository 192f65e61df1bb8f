/**
 * The steps of `bandwidth.ts` in a kernel: made, compared and unmade, for
 * `apply.ts`, `compare.ts` and `remove.ts`. Everything lies on links of the
 * plan, so what is there otherwise is put right.
 *
 * @module
 */
import type {
  BandwidthStep,
  IfbStep,
  RedirectStep,
  TbfStep,
} from "./bandwidth.ts";
import type { Finding } from "./compare.ts";
import { forgiving } from "./errno.ts";
import { deleteLink, setLink } from "./link.ts";
import { addLink } from "./link_add.ts";
import { describeLink, type Places, taken } from "./places.ts";
import {
  burstBytesOf,
  deleteRootQdisc,
  isTbf,
  type QdiscSeen,
  ROOT_HANDLE,
  rootQdisc,
  setTbf,
  type TbfSeen,
} from "./qdisc.ts";
import { deleteRedirect, redirectTarget, setRedirect } from "./tc_redirect.ts";
import type { Work } from "./work.ts";

/**
 * Makes a step true.
 *
 * @param step The step.
 * @param work Where, and what undoes it.
 * @throws {NetlinkError} `ENOENT` when the kernel lacks a part; it says which.
 * @throws {TakenError} When an ifb's name is taken.
 */
export function makeShape(step: BandwidthStep, work: Work): void {
  switch (step.kind) {
    case "ifb":
      return makeIfb(step, work);
    case "tbf":
      return makeTbf(step, work);
    case "redirect":
      return makeRedirect(step, work);
  }
}

/**
 * Compares a step with the kernel.
 *
 * @param step The step.
 * @param places Where; its place can be reached.
 * @returns How it isn't as planned; undefined when it is.
 */
export function lookAtShape(
  step: BandwidthStep,
  places: Places,
): Finding | undefined {
  switch (step.kind) {
    case "ifb":
      return lookAtIfb(step, places);
    case "tbf":
      return lookAtTbf(step, places);
    case "redirect":
      return lookAtRedirect(step, places);
  }
}

/**
 * Unmakes a step, when it is ours. An ifb is left to who deletes links.
 *
 * @param step The step.
 * @param places Where; its place can be reached.
 */
export function unmakeShape(step: BandwidthStep, places: Places): void {
  const link = places.find(step.place, step.link);
  if (link === undefined) return;
  const socket = places.socket(step.place);
  const { ifIndex } = link;
  if (step.kind === "tbf" && isOurs(rootQdisc(socket, ifIndex))) {
    deleteRootQdisc(socket, ifIndex);
  }
  if (step.kind !== "redirect") return;
  if (redirectTarget(socket, ifIndex) !== undefined) {
    deleteRedirect(socket, ifIndex);
  }
}

function makeIfb(step: IfbStep, { places, undo }: Work): void {
  const { place, link: name, mac, mtu } = step;
  const socket = places.socket(place);
  const seen = places.namesake(place, name);
  if (seen === undefined) {
    addLink(socket, { name, kind: "ifb", mac, mtu, up: true });
    const { ifIndex } = places.link(place, name);
    undo.defer(forgiving(() => deleteLink(socket, ifIndex)));
    return;
  }
  if (seen.mac !== mac || seen.kind !== "ifb") throw taken(seen);
  const { ifIndex, up } = seen;
  if (up && seen.mtu === mtu) return;
  setLink(socket, ifIndex, { up: true, mtu });
  undo.defer(forgiving(() => setLink(socket, ifIndex, { up, mtu: seen.mtu })));
}

function makeTbf(step: TbfStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const link = places.link(step.place, step.link);
  const { ifIndex } = link;
  const made = places.wasMade(step.place, link);
  const seen = made ? undefined : rootQdisc(socket, ifIndex);
  const old = isOurs(seen) ? seen?.tbf : undefined;
  if (old !== undefined && isTbf(old, step)) return;
  // Another kind of our number has to go first: a kind can't be changed.
  if (seen?.handle === ROOT_HANDLE && old === undefined) {
    deleteRootQdisc(socket, ifIndex);
  }
  setTbf(socket, ifIndex, step);
  if (made) return;
  undo.defer(
    forgiving(() =>
      old === undefined
        ? deleteRootQdisc(socket, ifIndex)
        : setTbf(socket, ifIndex, { ...old, burstBytes: burstBytesOf(old) })
    ),
  );
}

function makeRedirect(step: RedirectStep, { places, undo }: Work): void {
  const socket = places.socket(step.place);
  const { ifIndex } = places.link(step.place, step.link);
  const { ifIndex: toIndex } = places.link(step.place, step.to);
  const seen = redirectTarget(socket, ifIndex);
  if (seen === toIndex) return;
  setRedirect(socket, ifIndex, toIndex);
  undo.defer(
    forgiving(() =>
      seen === undefined
        ? deleteRedirect(socket, ifIndex)
        : setRedirect(socket, ifIndex, seen)
    ),
  );
}

function lookAtIfb(step: IfbStep, places: Places): Finding | undefined {
  const link = places.namesake(step.place, step.link);
  if (link === undefined) return { problem: "missing" };
  if (link.mac !== step.mac || link.kind !== "ifb") {
    return changed(describeLink(link));
  }
  if (!link.up) return changed(`${link.name} is down`);
  if (link.mtu === step.mtu) return undefined;
  return changed(`${link.name} has mtu ${link.mtu}`);
}

function lookAtTbf(step: TbfStep, places: Places): Finding | undefined {
  const link = places.find(step.place, step.link);
  if (link === undefined) return { problem: "missing" };
  const seen = rootQdisc(places.socket(step.place), link.ifIndex);
  // Its number is 0 when it is the link's own default.
  if (seen === undefined || seen.handle === 0) return { problem: "missing" };
  if (seen.tbf === undefined) return changed(`qdisc ${seen.kind}`);
  if (isOurs(seen) && isTbf(seen.tbf, step)) return undefined;
  return changed(describeTbf(seen.tbf));
}

function lookAtRedirect(
  step: RedirectStep,
  places: Places,
): Finding | undefined {
  const link = places.find(step.place, step.link);
  if (link === undefined) return { problem: "missing" };
  const target = redirectTarget(places.socket(step.place), link.ifIndex);
  if (target === undefined) return { problem: "missing" };
  const to = places.find(step.place, step.to);
  if (target === to?.ifIndex) return undefined;
  return changed(`redirected to link #${target}`);
}

function isOurs(seen: QdiscSeen | undefined): boolean {
  return seen?.tbf !== undefined && seen.handle === ROOT_HANDLE;
}

function describeTbf(seen: TbfSeen): string {
  return `tbf rate ${seen.bytesPerSec * 8}bit burst ${burstBytesOf(seen)}b ` +
    `limit ${seen.limitBytes}b`;
}

function changed(seen: string): Finding {
  return { problem: "changed", seen };
}
