/**
 * A node's overlay over the cluster's configuration: JSON Merge Patch, RFC
 * 7396. Objects are merged key by key, everything else, lists too, is
 * replaced, and null deletes.
 *
 * It is the RFC's own ten lines and not a package: the one on npm changes its
 * target, and drops all that follows a key named `constructor`.
 *
 * @module
 */
import { type ConfTree, isTree } from "./eni_conf_text.ts";

/**
 * Applies a patch. Neither argument is changed.
 *
 * @example A list is replaced, null deletes
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const cluster = { vswitches: { a: ["vsw-1"], b: ["vsw-2"] }, mtu: 1500 };
 * const node = { vswitches: { a: ["vsw-3"] }, mtu: null };
 * assertEquals(mergePatch(cluster, node), {
 *   vswitches: { a: ["vsw-3"], b: ["vsw-2"] },
 * });
 * ```
 * @param target What is patched.
 * @param patch The patch.
 * @returns The result, without a null of the patch.
 * @see https://www.rfc-editor.org/rfc/rfc7396 (read 2026-11-21)
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const merged = new Map(isTree(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  // Unlike assignment, fromEntries makes a key of `__proto__` too.
  return Object.fromEntries(merged);
}

/**
 * Lays trees over one another. The first is a patch too, over nothing: a null
 * in it means that the key isn't given.
 *
 * @param trees The lowest first.
 * @returns What they say together.
 */
export function mergeTrees(trees: readonly ConfTree[]): ConfTree {
  const merged = trees.reduce<unknown>(mergePatch, {});
  return isTree(merged) ? merged : {};
}

/**
 * Finds the tree that a path of the merged result came from.
 *
 * @param trees The lowest first.
 * @param path Keys and places in the merged result.
 * @returns Its place among them; nothing when none holds the path, as for a
 * default or the whole.
 */
export function originOf(
  trees: readonly ConfTree[],
  path: readonly PropertyKey[],
): number | undefined {
  if (path.length === 0) return undefined;
  const at = trees.findLastIndex((tree) => valueAt(tree, path) !== undefined);
  return at === -1 ? undefined : at;
}

/**
 * Reads the value at a path.
 *
 * @param tree Where to look.
 * @param path Keys and places.
 * @returns The value; nothing when there is none.
 */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.entries(value).find(([key]) => key === String(part))?.[1];
  }
  return value;
}
