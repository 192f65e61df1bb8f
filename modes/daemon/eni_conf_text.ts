/**
 * The text forms of `eni_conf`: JSON, YAML, and either with the documents'
 * annotations, all read into one tree of plain data.
 *
 * JSON is read as the YAML that it is: so both refuse a key that stands twice.
 * But what begins with a brace must be JSON to the letter: YAML takes a comma
 * in a colon's place for a key without a value. Only the types that both know
 * exist: a date is a text, `<<` is a key.
 *
 * @module
 */
import { parse } from "@std/yaml";
import { stripAnnotations } from "./eni_conf_annotations.ts";
import { ConfigError, type ConfigProblem } from "./eni_conf_problem.ts";

/** An object of a configuration, before its keys and values are checked. */
export type ConfTree = Readonly<Record<string, unknown>>;

/** A text and where it came from. */
export interface ConfigSource {
  /** The file's name, or what else an operator knows it by. */
  readonly name: string;
  /** JSON or YAML. */
  readonly text: string;
}

/** What a text says. */
export interface ConfText {
  /** Its root. */
  readonly tree: ConfTree;
  /** What an operator should be told, a line each. */
  readonly warnings: readonly string[];
}

/** Kubernetes lets a ConfigMap hold no more. Source: its page, "ConfigMaps". */
export const TEXT_LIMIT_BYTES: number = 1_048_576;

/** The deepest key, `eni_tag_block_list[0].key` inside `config`, is at 4. */
const DEPTH_LIMIT = 16;

/**
 * Reads a text.
 *
 * @param source The text: UTF-8 with or without a byte order mark, any line
 * ends, at most {@linkcode TEXT_LIMIT_BYTES}.
 * @returns Its tree, in which no object stands twice, and warnings.
 * @throws {ConfigError} When it is empty, neither JSON nor YAML, not an object,
 * or holds what a document left out.
 */
export function readConfText({ name, text }: ConfigSource): ConfText {
  // A code unit takes a byte at least: what is longer is too long for sure.
  if (text.length > TEXT_LIMIT_BYTES) {
    throw whole(name, `must have at most ${TEXT_LIMIT_BYTES} bytes`);
  }
  const stripped = stripAnnotations(text.replace(/^\uFEFF/, ""));
  const problems = [...stripped.problems, ...findTabs(stripped.text)];
  if (problems.length > 0) throw new ConfigError(name, problems);
  const tree = parseTree(name, stripped.text);
  return {
    tree,
    warnings: stripped.annotatedLines.map((line) =>
      `${name}: line ${line}: what follows // is taken for an annotation and ` +
      "has no effect; a comment begins with #"
    ),
  };
}

function parseTree(name: string, text: string): ConfTree {
  let root: unknown;
  try {
    root = parse(text, { schema: "core" });
    if (isBraced(text)) JSON.parse(text);
  } catch (error) {
    throw new ConfigError(name, [toProblem(error)]);
  }
  // Comments only are as empty: a file cut short must not mean "all defaults".
  if (root === null) {
    throw whole(
      name,
      "must not be empty: write {} when all defaults are meant",
    );
  }
  if (!isTree(root)) throw whole(name, "must be an object of keys and values");
  const rule = findTangle(root, new Set(), DEPTH_LIMIT);
  if (rule !== undefined) throw whole(name, rule);
  return root;
}

/**
 * Tells whether a value is an object of keys.
 *
 * @param value Anything that was read.
 * @returns True for an object that is no list.
 */
export function isTree(value: unknown): value is ConfTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * YAML allows no tab in an indent, but the parser takes it for a level of its
 * own. Between braces, as in JSON, tabs are blanks.
 */
function findTabs(text: string): ConfigProblem[] {
  if (isBraced(text)) return [];
  return text.split("\n").flatMap((line, index) => {
    const indent = /^ *\t\s*(?=[^\s#])/.exec(line)?.[0];
    if (indent === undefined) return [];
    return [{
      path: `line ${index + 1}, column ${indent.indexOf("\t") + 1}`,
      rule: "must be indented by blanks, not by tabs",
      value: "",
    }];
  });
}

/**
 * An alias (`*name`) makes one object stand in several places, even inside
 * itself: nothing here needs that, and a few lines of it grow without bound.
 */
function findTangle(
  value: object,
  seen: Set<object>,
  depth: number,
): string | undefined {
  if (depth === 0) return `must not be nested deeper than ${DEPTH_LIMIT}`;
  if (seen.has(value)) return "must not use aliases (*): write values out";
  seen.add(value);
  for (const inner of Object.values(value)) {
    if (typeof inner !== "object" || inner === null) continue;
    const rule = findTangle(inner, seen, depth - 1);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

function isBraced(text: string): boolean {
  return text.trimStart().startsWith("{");
}

/** The parsers quote the text, which may be a secret: only words pass. */
function toProblem(error: unknown): ConfigProblem {
  const message = error instanceof SyntaxError ? error.message : "";
  const place = /( at|\() ?line (\d+),? column (\d+)/.exec(message);
  const reason = /^[a-z ,;()'-]*/i.exec(
    place === null ? "" : message.slice(0, place.index),
  )?.[0].trim() ?? "";
  return {
    path: place === null ? "" : `line ${place[2]}, column ${place[3]}`,
    rule: `must be JSON or YAML${reason === "" ? "" : `: ${reason}`}`,
    value: "",
  };
}

function whole(name: string, rule: string): ConfigError {
  return new ConfigError(name, [{ path: "", rule, value: "" }]);
}
