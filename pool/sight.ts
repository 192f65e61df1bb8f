/**
 * What looks at a card told, between one look and the next.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";

/**
 * What looks at a card told that isn't as the pool has it. Nothing follows
 * from one look: the second one settles it.
 */
export interface Sight {
  /** When the last look that showed the card began; 0 for never. */
  readonly seenMs: number;
  /** Addresses that it lacked, and when that was first seen. */
  readonly absent: ReadonlyMap<Ip, number>;
  /** When it was first seen not to be attached, though it serves. */
  readonly apartMs: number | undefined;
  /** When to look again; undefined when there is nothing to settle. */
  readonly lookFromMs: number | undefined;
}

/** The sight of a card that is as the pool has it. */
export const CLEAR: Sight = {
  seenMs: 0,
  absent: new Map(),
  apartMs: undefined,
  lookFromMs: undefined,
};
