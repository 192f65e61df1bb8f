/**
 * Follows what a node's daemon says of its ENIs.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import type { EniFigures } from "./capacity.ts";
import { askFigures } from "./figures.ts";
import { pause } from "./keep.ts";

/** Between two questions: a pod comes no faster through the scheduler. */
const ASK_MS = 2_000;

/** What following works with. */
export interface FollowParts {
  /** Where the daemon listens. */
  readonly socket: string;
  /** Whether an earlier process left a figure. */
  readonly hasFigures: boolean;
  /** Told each time the daemon answers. */
  readonly onFigures: (figures: EniFigures) => void;
  /** Where it is told. */
  readonly log: Log;
}

/**
 * Follows a daemon until it is told to stop. While none answers, what it said
 * last stays in force, and that is told once.
 *
 * @param parts What it works with.
 * @param signal Ends it.
 */
export async function followDaemon(
  { socket, onFigures, log, ...known }: FollowParts,
  signal: AbortSignal,
): Promise<void> {
  let state: "new" | "there" | "away" = "new";
  let { hasFigures } = known;
  while (!signal.aborted) {
    try {
      onFigures(await askFigures(socket, signal));
      if (state === "away") log.info("the daemon answers again", { socket });
      state = "there";
      hasFigures = true;
    } catch (error) {
      if (state !== "away" && !signal.aborted) {
        const what = hasFigures
          ? "its last figures stay in force"
          : "nothing is registered before it has told how many ENIs there are";
        log.warning(`the daemon gives no figures: ${what}`, {
          socket,
          ...errorFields(error),
        });
      }
      state = "away";
    }
    await pause(ASK_MS, signal);
  }
}
