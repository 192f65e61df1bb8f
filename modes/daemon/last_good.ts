/**
 * A configuration to start with: what lies there, or, where that can't be
 * used, what this node worked with before.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import { ConfigError } from "./config.ts";
import {
  type ConfigPlaces,
  loadConfig,
  type LoadedConfig,
} from "./eni_conf_file.ts";

/** Where a configuration comes from. */
export interface StartParts {
  /** Where it lies. */
  readonly places: ConfigPlaces;
  /** The cluster, which has kept the last good one. */
  readonly cluster?: Pick<Cluster, "goodPlaces" | "tellNode" | "keepGood">;
  /** Where it is told. */
  readonly log: Log;
}

/**
 * Loads the configuration to start with. A mistake in a ConfigMap mustn't take
 * the network of a node away that is only being updated.
 *
 * @param parts Where it comes from.
 * @returns The configuration.
 * @throws {ConfigError} With every problem, when there is no last good one.
 */
export async function loadToStart(
  { places, cluster, log }: StartParts,
): Promise<LoadedConfig> {
  try {
    const loaded = await loadConfig(places);
    await cluster?.keepGood();
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError) || cluster === undefined) throw error;
    const good = await loadConfig(cluster.goodPlaces).catch(() => undefined);
    if (good === undefined) throw error;
    log.error(
      "the configuration can't be used: the last good one holds",
      errorFields(error),
    );
    tellBad(cluster, error);
    return good;
  }
}

/**
 * Tells of a configuration that isn't taken up, as an event of the node.
 *
 * @param cluster The cluster, if there is one.
 * @param error What is wrong.
 */
export function tellBad(
  cluster: Pick<Cluster, "tellNode"> | undefined,
  error: unknown,
): void {
  const why = error instanceof Error ? error.message : String(error);
  cluster?.tellNode({
    type: "Warning",
    reason: "ConfigError",
    message: `eni-config isn't taken up, the last good one holds: ${why}`,
  });
}
