/**
 * What the cloud has shown of the trunk of this instance, beside the card.
 *
 * @module
 */
import type { Problem } from "./event.ts";

/** What was seen. */
export interface TrunkSight {
  /** Whether somebody else's card is a trunk: an instance has one at most. */
  readonly hasForeign: boolean;
  /** Members that hang on this instance's trunk. */
  readonly memberIds: readonly string[];
  /** Set while no trunk is asked for: the cloud refused one. */
  readonly rest:
    | { readonly untilMs: number; readonly problem: Problem }
    | undefined;
}

/** Nothing was seen yet. */
export const UNSEEN: TrunkSight = {
  hasForeign: false,
  memberIds: [],
  rest: undefined,
};
