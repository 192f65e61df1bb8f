/**
 * The repository as text: its files, and what they import.
 *
 * @module
 */

/** A file. */
export interface Source {
  /** From the root, such as `pool/plan.ts`. */
  readonly path: string;
  /** Its text. */
  readonly text: string;
}

/** An import, static or dynamic. */
export interface Import {
  /** The importing file. */
  readonly from: string;
  /** A path from the root, or a specifier such as `zod` or `node:util`. */
  readonly to: string;
}

const ROOT = new URL("../../", import.meta.url);

/** What is made or fetched isn't ours to judge. */
const PASSED_OVER = new Set([".git", "dist", "node_modules", "deno.lock"]);

const TEXT = /\.(ts|js|c|h|md|json|yml|yaml|sh|conf|sql)$|^\.ci\/|Dockerfile/;

/**
 * Reads every text file of the repository.
 *
 * @param folder Where to begin, from the root.
 * @returns The files, by path.
 */
export async function readSources(folder = ""): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for await (const entry of Deno.readDir(new URL(`./${folder}`, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (PASSED_OVER.has(entry.name)) continue;
    if (entry.isDirectory) sources.push(...await readSources(`${path}/`));
    if (!entry.isFile || !TEXT.test(path)) continue;
    sources.push({ path, text: await Deno.readTextFile(new URL(path, ROOT)) });
  }
  return sources.sort((a, b) => a.path < b.path ? -1 : 1);
}

/**
 * Finds a module's imports. The examples in its comments aren't its own.
 *
 * @param source A TypeScript file, formatted.
 * @returns Its imports.
 */
export function importsOf({ path, text }: Source): readonly Import[] {
  const code = text.replaceAll(/^\s*(\*|\/\/|\/\*).*$/gm, "");
  const statements = code.matchAll(
    /(?:\bfrom|\bimport)\s*\(?\s*"([^"\n]+)"/g,
  );
  return [...statements].map(([, specifier = ""]) => ({
    from: path,
    to: specifier.startsWith(".") ? resolve(path, specifier) : specifier,
  }));
}

/**
 * Finds the functions of a file and their lengths.
 *
 * @param source A TypeScript file, formatted: a function ends at the first
 *   brace as far left as its beginning.
 * @returns Names and line counts.
 */
export function functionsOf(
  { text }: Source,
): readonly { readonly name: string; readonly lineCount: number }[] {
  const lines = text.split("\n");
  return lines.flatMap((line, at) => {
    const begin = /^(\s*)(?:export )?(?:async )?function\*? (\w+)/.exec(line);
    const [, indent = "", name = ""] = begin ?? [];
    if (begin === null) return [];
    const end = lines.indexOf(`${indent}}`, at);
    return end < 0 ? [] : [{ name, lineCount: end - at + 1 }];
  });
}

function resolve(from: string, specifier: string): string {
  const url = new URL(specifier, `file:///${from}`);
  return url.pathname.slice(1);
}
