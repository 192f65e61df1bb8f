/**
 * How keys may be spelled: the flat form and the older one, in which all but
 * the version stands inside `config`. Both become one flat tree of known keys;
 * a message still says the path as it was written.
 *
 * @module
 */
import { type ConfigProblem, showPath } from "./eni_conf_problem.ts";
import { KEYS } from "./eni_conf_schema.ts";
import { LEGACY } from "./eni_conf_support.ts";
import { type ConfTree, isTree } from "./eni_conf_text.ts";

/** A source's keys, flat and known. */
export interface ConfKeys {
  /** Known keys only; values are unchecked, null stands for "not given". */
  readonly tree: ConfTree;
  /** By key, the path at which it is written. */
  readonly spelled: ReadonlyMap<string, readonly string[]>;
  /** What an operator should be told, without the source's name. */
  readonly warnings: readonly string[];
  /** Keys that can't be. */
  readonly problems: readonly ConfigProblem[];
}

/** The object of the older form; only this may stand beside it. */
const WRAPPER = "config";
const BESIDE_WRAPPER = "version";

/** Other spellings. Source: the first design of the ENI plugin. */
const SPELLINGS: ReadonlyMap<string, string> = new Map([
  ["security-group", "security_group"],
]);

/**
 * What may be repeated to a person: words. Anything else may be a secret that
 * lost its key; those of the cloud have digits and both cases.
 */
const SHOWN_KEY = /^([a-z0-9_-]{1,64}|[A-Za-z_-]{1,64})$/;

/**
 * Flattens a source.
 *
 * @example The older form
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { tree } = flattenKeys({
 *   version: "1",
 *   config: { "security-group": "sg-1" },
 * });
 * assertEquals(tree, { version: "1", security_group: "sg-1" });
 * ```
 * @param root What was read.
 * @returns Its keys.
 */
export function flattenKeys(root: ConfTree): ConfKeys {
  const written = writtenKeys(root);
  const tree = new Map<string, unknown>();
  const spelled = new Map<string, readonly string[]>();
  const warnings: string[] = [];
  const problems: ConfigProblem[] = [...written.problems];
  for (const { path, value } of written.keys) {
    const name = path.at(-1) ?? "";
    const key = SPELLINGS.get(name) ?? name;
    const before = spelled.get(key);
    if (LEGACY.has(key)) warnings.push(`${name} has no effect any more`);
    else if (!KEYS.has(key)) problems.push(unknownKey(path));
    else if (before !== undefined) {
      problems.push(problem(path, `stands as ${showPath(before)} too`));
    } else {
      spelled.set(key, path);
      tree.set(key, value);
    }
  }
  return { tree: Object.fromEntries(tree), spelled, warnings, problems };
}

interface WrittenKey {
  readonly path: readonly string[];
  readonly value: unknown;
}

function writtenKeys(
  root: ConfTree,
): { keys: readonly WrittenKey[]; problems: readonly ConfigProblem[] } {
  const all = Object.entries(root).map(([key, value]) => ({
    path: [key],
    value,
  }));
  if (!Object.hasOwn(root, WRAPPER)) return { keys: all, problems: [] };
  const inside = root[WRAPPER] ?? {};
  const keys = all.filter(({ path }) => path[0] === BESIDE_WRAPPER);
  const problems = all
    .filter(({ path: [key] }) => key !== BESIDE_WRAPPER && key !== WRAPPER)
    .map(({ path }) => problem(path, `must stand inside ${WRAPPER}`));
  if (!isTree(inside)) {
    // Not its value: it may be the whole configuration as one text.
    problems.push(problem([WRAPPER], "must be an object of keys and values"));
    return { keys, problems };
  }
  for (const [key, value] of Object.entries(inside)) {
    keys.push({ path: [WRAPPER, key], value });
  }
  return { keys, problems };
}

function unknownKey(path: readonly string[]): ConfigProblem {
  const near = path.at(-1)?.toLowerCase().replaceAll("-", "_") ?? "";
  return problem(
    path,
    "is no key of this configuration" +
      (KEYS.has(near) ? `: write ${near}` : ""),
  );
}

function problem(path: readonly string[], rule: string): ConfigProblem {
  const shown = path.map((key) => SHOWN_KEY.test(key) ? key : "***");
  return { path: showPath(shown), rule, value: "" };
}
