/**
 * What the making of a plan's objects shares: where they are made, what undoes
 * them, and how the kernel's "is there" and "is gone" are taken.
 *
 * @module
 */
import { isThere } from "./errno.ts";
import type { Places } from "./places.ts";

/** A setting of the whole node that was changed, and stays so. */
export interface SettingChange {
  /** Such as `net/ipv6/conf/all/forwarding`. */
  readonly key: string;
  /** What it was; empty when it couldn't be read. */
  readonly was: string;
  /** What it is. */
  readonly now: string;
}

/** Where the work is done, and what undoes it, last thing first. */
export interface Work {
  /** The node and the pod. */
  readonly places: Places;
  /** Undoes what was done so far. */
  readonly undo: DisposableStack;
  /** Settings of the whole node that were changed so far. */
  readonly changes: SettingChange[];
}

/**
 * Runs an addition.
 *
 * @param add Asks the kernel for an object.
 * @returns False when the object is there already.
 */
export function added(add: () => void): boolean {
  try {
    add();
    return true;
  } catch (error) {
    if (isThere(error)) return false;
    throw error;
  }
}
