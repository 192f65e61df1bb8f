/**
 * Whether the cloud can be reached, and what is left undone while it can't.
 *
 * The first step back is to give nothing back: what a pod may need soon can't
 * be had again. The second is to call nothing but probes. One answer doesn't
 * end it: the cloud must answer for a while. Only silence and nonsense count:
 * who refuses a call is there.
 *
 * @module
 */
import type { Problem } from "./event.ts";

/** How the cloud answers. */
export interface Health {
  /** `whole`, or what is left undone: `noReleases`, `probesOnly`. */
  readonly level: "whole" | "noReleases" | "probesOnly";
  /** Since when no call was answered; undefined after an answer. */
  readonly awayMs: number | undefined;
  /** Since when all calls were answered; undefined after a failure. */
  readonly backMs: number | undefined;
  /** The last failure while it was away. */
  readonly problem: Problem | undefined;
}

/** The health of a cloud that answers. */
export const WHOLE: Health = {
  level: "whole",
  awayMs: undefined,
  backMs: undefined,
  problem: undefined,
};

/** Away for so long, nothing is given back. */
export const NO_RELEASES_MS: number = 60_000;

/** Away for so long, only probes are made. */
export const PROBES_ONLY_MS: number = 180_000;

/** It must answer for so long before all is done again. */
export const RECOVERY_MS: number = 15_000;

/** Between two probes that answer, until the recovery is believed. */
export const RECOVERY_PROBE_MS: number = 5_000;

/**
 * Takes in that a call to the cloud wasn't answered.
 *
 * @param health Before.
 * @param problem What came instead.
 * @param nowMs The time.
 * @returns After.
 */
export function unanswered(
  health: Health,
  problem: Problem,
  nowMs: number,
): Health {
  const awayMs = health.awayMs ?? nowMs;
  const level = worse(health.level, levelAfter(nowMs - awayMs));
  return { level, awayMs, backMs: undefined, problem };
}

function levelAfter(awayForMs: number): Health["level"] {
  if (awayForMs >= PROBES_ONLY_MS) return "probesOnly";
  return awayForMs >= NO_RELEASES_MS ? "noReleases" : "whole";
}

/** What fails while it recovers is no worse than before, and no better. */
function worse(a: Health["level"], b: Health["level"]): Health["level"] {
  return LEVELS.indexOf(a) > LEVELS.indexOf(b) ? a : b;
}

const LEVELS: readonly Health["level"][] = [
  "whole",
  "noReleases",
  "probesOnly",
];

/**
 * Takes in that the cloud answered, be it with a refusal.
 *
 * @param health Before.
 * @param nowMs The time.
 * @returns After; the same object when nothing was wrong.
 */
export function responded(health: Health, nowMs: number): Health {
  if (health === WHOLE) return health;
  if (health.level === "whole") return WHOLE;
  const backMs = health.backMs ?? nowMs;
  if (nowMs - backMs >= RECOVERY_MS) return WHOLE;
  return { ...health, awayMs: undefined, backMs };
}
