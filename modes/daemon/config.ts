/**
 * `eni_conf`: the daemon's configuration, decoded once, at the edge.
 *
 * A text becomes a tree (`eni_conf_text.ts`), its keys become known ones
 * (`eni_conf_keys.ts`), sources are laid over one another (`overlay.ts`), and
 * the result is decoded as one (`eni_conf_schema.ts`). All problems are told at
 * once, each with its path, the rule and the value. The result is frozen;
 * nothing has an effect while it is being decoded.
 *
 * @module
 */
import type { DaemonConfig } from "./eni_conf_decoded.ts";
import { findFaults } from "./eni_conf_issue.ts";
import { type ConfKeys, flattenKeys } from "./eni_conf_keys.ts";
import {
  ConfigError,
  type ConfigProblem,
  showPath,
  showValue,
} from "./eni_conf_problem.ts";
import { decodeKeys } from "./eni_conf_schema.ts";
import { findUnbuilt, UNREAD } from "./eni_conf_support.ts";
import {
  type ConfigSource,
  type ConfTree,
  readConfText,
} from "./eni_conf_text.ts";
import { mergeTrees, originOf } from "./overlay.ts";

export { AccessKey } from "./eni_conf_decoded.ts";
export type { DaemonConfig, IdleReclaim } from "./eni_conf_decoded.ts";
export { ConfigError } from "./eni_conf_problem.ts";
export type { ConfigProblem } from "./eni_conf_problem.ts";
export type { ConfigSource } from "./eni_conf_text.ts";

/** A configuration that can be used. */
export interface DecodedConfig {
  /** The configuration, frozen. */
  readonly config: DaemonConfig;
  /** What an operator should be told, a line each, with the source's name. */
  readonly warnings: readonly string[];
}

/**
 * Decodes a configuration.
 *
 * @example YAML as people write it
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { config } = decodeConfig("max_pool_size: 9 # idle", "eni_conf");
 * assertEquals(config.maxPoolCount, 9);
 * ```
 * @param text JSON or YAML, the value of the key `eni_conf`.
 * @param source What it was read from, for messages.
 * @returns The configuration, and what an operator should be told.
 * @throws {ConfigError} With every problem.
 */
export function decodeConfig(text: string, source: string): DecodedConfig {
  return decodeConfigs([{ name: source, text }]);
}

/**
 * Decodes a configuration that stands in several sources.
 *
 * @example A node's own bounds
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { config } = decodeConfigs([
 *   { name: "eni_conf", text: '{ "max_pool_size": 25, "min_pool_size": 10 }' },
 *   { name: "eni_conf of the node", text: '{ "min_pool_size": null }' },
 * ]);
 * assertEquals([config.maxPoolCount, config.minPoolCount], [25, 0]);
 * ```
 * @param sources At least one; each is laid over those before it by RFC 7396.
 * @returns The configuration, and what an operator should be told.
 * @throws {ConfigError} With every problem of every source.
 */
export function decodeConfigs(
  sources: readonly ConfigSource[],
): DecodedConfig {
  const read = sources.map(readSource);
  const layers = read.flatMap(({ layer }) => layer ?? []);
  const tree = mergeTrees(layers.map((layer) => layer.tree));
  const decoded = decodeKeys(tree);
  // Without a source that can't be read, nothing is known of the sum.
  const isWhole = layers.length === sources.length;
  const problems = [
    ...read.flatMap((each) => each.problems),
    ...(isWhole ? findProblems(decoded, tree, layers) : []),
  ];
  if (problems.length > 0 || "issues" in decoded) {
    const title = sources.map(({ name }) => name).join(" with ");
    throw new ConfigError(
      title,
      sources.length > 1 ? problems : problems.map(withoutSource),
    );
  }
  return {
    config: decoded.config,
    warnings: Object.freeze([
      ...read.flatMap((each) => each.warnings),
      ...findIdle(tree, layers),
    ]),
  };
}

/** A source's keys. */
type Layer = ConfKeys & { readonly name: string };

interface ReadSource {
  /** Nothing when the source can't be read. */
  readonly layer?: Layer;
  readonly warnings: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

function readSource(source: ConfigSource): ReadSource {
  const { name } = source;
  try {
    const { tree, warnings } = readConfText(source);
    const keys = flattenKeys(tree);
    return {
      layer: { ...keys, name },
      warnings: [
        ...warnings,
        ...keys.warnings.map((warning) => `${name}: ${warning}`),
      ],
      problems: keys.problems.map((each) => ({ ...each, source: name })),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map((each) => ({ ...each, source: name }));
    return { warnings: [], problems };
  }
}

function findProblems(
  decoded: ReturnType<typeof decodeKeys>,
  tree: ConfTree,
  layers: readonly Layer[],
): ConfigProblem[] {
  const issues = "issues" in decoded ? decoded.issues : [];
  return [
    ...issues.flatMap((issue) => findFaults(issue, tree)),
    ...findUnbuilt(tree).map((key) => ({
      path: [key],
      rule: "isn't built yet",
      value: showValue(tree[key], [key]),
    })),
  ].map(({ path, rule, value }) => {
    const layer = layerOf(path, layers);
    const [first = "", ...rest] = path;
    const written = layer?.spelled.get(String(first)) ?? [first];
    return {
      path: showPath([...written, ...rest]),
      rule,
      value,
      ...(layer === undefined ? {} : { source: layer.name }),
    };
  });
}

/** Warnings of keys that say something that nothing reads. */
function findIdle(tree: ConfTree, layers: readonly Layer[]): string[] {
  const needsAfter = Object.keys(tree).filter((key) =>
    key.startsWith(IDLE_RECLAIM) && tree[IDLE_RECLAIM_AFTER] === undefined
  );
  return Object.keys(tree).flatMap((key) => {
    const name = layerOf([key], layers)?.name ?? "";
    const why = UNREAD.get(key);
    if (why !== undefined) {
      return [`${name}: ${key} is checked, but has no effect: ${why}`];
    }
    return needsAfter.includes(key)
      ? [`${name}: ${key} has no effect without ${IDLE_RECLAIM_AFTER}`]
      : [];
  });
}

const IDLE_RECLAIM = "idle_ip_reclaim_";
const IDLE_RECLAIM_AFTER = "idle_ip_reclaim_after";

function layerOf(
  path: readonly PropertyKey[],
  layers: readonly Layer[],
): Layer | undefined {
  const at = originOf(layers.map(({ tree }) => tree), path);
  return at === undefined ? undefined : layers[at];
}

function withoutSource({ path, rule, value }: ConfigProblem): ConfigProblem {
  return { path, rule, value };
}
