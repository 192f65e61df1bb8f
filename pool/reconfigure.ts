/**
 * What of a pool's settings may change while it runs.
 *
 * All bounds may, since they only steer the next steps: with fewer cards or
 * addresses than there are, nothing is taken from pods, and what they leave
 * isn't made again; a vSwitch that isn't listed any more gets no new cards, and
 * the old ones serve on; with `hotPlug` off, cards that are on their way in or
 * out wait as they are. `warmUpCount` has an effect only while the pool has
 * never been warm.
 *
 * Security groups may: new cards get them, and those that we made are put into
 * them one by one. Tags of new cards may: a card that was being made under the
 * old ones is found by its intent's tag.
 *
 * The instance, the cluster, the primary card, and what is adopted or blocked
 * may not: they tell which cards are ours.
 *
 * @module
 */
import type { PoolConfig, Reconfiguration } from "./contract.ts";
import type { PoolLimits } from "./limits.ts";

/** What a pool works by. */
export interface Settings {
  /** How much it may hold. */
  readonly limits: PoolLimits;
  /** Who and where it is. */
  readonly config: PoolConfig;
}

/** Source: ECS CreateNetworkInterface, `SecurityGroupIds.N`. */
const MOST_GROUPS = 5;

/**
 * Gives a pool's settings once some of them have changed.
 *
 * @param old What is in force.
 * @param change What shall be.
 * @returns The settings.
 * @throws {RangeError} When there are no security groups, or too many.
 */
export function reconfigured(
  { limits, config }: Settings,
  change: Reconfiguration,
): Settings {
  const { securityGroupIds = config.securityGroupIds } = change;
  const { eniTags = config.eniTags } = change;
  const { resourceGroupId = config.resourceGroupId } = change;
  const count = securityGroupIds.length;
  if (count < 1 || count > MOST_GROUPS) {
    throw new RangeError(
      `Cannot change the security groups as they must be 1 to ${MOST_GROUPS}: they are ${count}`,
    );
  }
  const { resourceGroupId: _, ...rest } = config;
  return {
    limits: change.limits ?? limits,
    config: {
      ...rest,
      securityGroupIds,
      ...(resourceGroupId ? { resourceGroupId } : {}),
      ...(eniTags === undefined ? {} : { eniTags }),
    },
  };
}
