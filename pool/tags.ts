/**
 * How cards are marked as ours. A node touches only what bears its own tags.
 *
 * @module
 */
import type { PoolConfig } from "./contract.ts";
import type { EniKey } from "./state.ts";

/** Tells which intent made a card: its value is the card's key in the pool. */
export const INTENT_TAG = "terway/intent";

/** Tags by key. */
export type Tags = Readonly<Record<string, string>>;

/**
 * Gives the tags of everything that this node makes.
 *
 * @param config Which cluster and instance.
 * @returns The tags; a card that bears them all is ours.
 */
export function ownTags(
  config: Pick<PoolConfig, "clusterId" | "instanceId">,
): Tags {
  return {
    creator: "terway",
    "terway/cluster": config.clusterId,
    "terway/instance": config.instanceId,
  };
}

/**
 * Gives the tags of a card that is about to be made.
 *
 * @param config Which cluster and instance.
 * @param key The intent's token.
 * @returns The tags.
 */
export function eniTags(
  config: Pick<PoolConfig, "clusterId" | "instanceId" | "eniTags">,
  key: EniKey,
): Tags {
  return { ...config.eniTags, ...ownTags(config), [INTENT_TAG]: key };
}
