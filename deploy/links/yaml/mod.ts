/**
 * `@std/yaml` 1.0.9 over js-yaml 3, of which it is a port: the same YAML 1.1
 * (`0755` is octal, `yes` is quoted), for networks from which std's registry
 * can't be reached. Deleting `links` in the project's deno.json gives the real
 * package.
 *
 * @module
 */
import jsYaml from "js-yaml";

/** A schema by its name. */
export type SchemaType = "failsafe" | "json" | "core" | "default" | "extended";

/** How a scalar of a tag is written, such as `hexadecimal`. */
export type StyleVariant =
  | "lowercase"
  | "uppercase"
  | "camelcase"
  | "decimal"
  | "binary"
  | "octal"
  | "hexadecimal";

/** Options for {@linkcode parse}. */
export interface ParseOptions {
  /** The schema; `default` when absent. */
  schema?: SchemaType;
  /** Whether the last of several equal keys holds, instead of an error. */
  allowDuplicateKeys?: boolean;
  /** Is told what is odd but no error. */
  onWarning?(error: Error): void;
}

/** Options for {@linkcode stringify}. */
export interface StringifyOptions {
  /** Blanks a level; 2 when absent. */
  indent?: number;
  /** Whether the items of a list are indented; true when absent. */
  arrayIndent?: boolean;
  /** Whether to leave out what YAML can't say, instead of an error. */
  skipInvalid?: boolean;
  /** The level from which on to write `{}` and `[]`; -1, for never, when absent. */
  flowLevel?: number;
  /** How scalars are written, by tag. */
  styles?: Record<string, StyleVariant>;
  /** The schema; `default` when absent. */
  schema?: SchemaType;
  /** Whether, or how, to sort keys; false when absent. */
  sortKeys?: boolean | ((a: string, b: string) => number);
  /** The width from which on text is folded; 80 when absent, -1 for never. */
  lineWidth?: number;
  /** Whether an object met twice becomes a reference; true when absent. */
  useAnchors?: boolean;
  /** Whether to quote what YAML 1.1 takes for a boolean; true when absent. */
  compatMode?: boolean;
  /** Whether to leave the blanks out of `{}` and `[]`; false when absent. */
  condenseFlow?: boolean;
}

/**
 * The part of js-yaml 3 that is used. It brings no types; those that are found
 * for it, should another package bring any, are of version 4.
 */
interface JsYaml {
  readonly load: (text: string, options: object) => unknown;
  readonly loadAll: (
    text: string,
    each: null,
    options: object,
  ) => unknown[];
  readonly dump: (data: unknown, options: object) => string;
  readonly FAILSAFE_SCHEMA: unknown;
  readonly JSON_SCHEMA: unknown;
  readonly CORE_SCHEMA: unknown;
  readonly DEFAULT_SAFE_SCHEMA: unknown;
  readonly DEFAULT_FULL_SCHEMA: unknown;
  readonly YAMLException: abstract new (...args: never[]) => Error;
}

const yaml = jsYaml as unknown as JsYaml;

const SCHEMAS: Readonly<Record<SchemaType, unknown>> = {
  failsafe: yaml.FAILSAFE_SCHEMA,
  json: yaml.JSON_SCHEMA,
  core: yaml.CORE_SCHEMA,
  default: yaml.DEFAULT_SAFE_SCHEMA,
  extended: yaml.DEFAULT_FULL_SCHEMA,
};

/**
 * Reads a YAML document.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parse } from "@std/yaml";
 *
 * assertEquals(parse("{ mode: 0755, names: [a, b] }"), {
 *   mode: 493,
 *   names: ["a", "b"],
 * });
 * ```
 * @param content The text; a document at most.
 * @param options See {@linkcode ParseOptions}.
 * @returns The data; null for an empty text.
 * @throws {SyntaxError} When the text is no YAML.
 */
export function parse(content: string, options: ParseOptions = {}): unknown {
  return asSyntaxError(() =>
    yaml.load(String(content), loadOptions(options)) ?? null
  );
}

/**
 * Reads all YAML documents of a text.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAll } from "@std/yaml";
 *
 * assertEquals(parseAll("a: 1\n---\n- 2\n"), [{ a: 1 }, [2]]);
 * ```
 * @param content The text.
 * @param options See {@linkcode ParseOptions}.
 * @returns The documents' data.
 * @throws {SyntaxError} When the text is no YAML.
 */
export function parseAll(content: string, options: ParseOptions = {}): unknown {
  return asSyntaxError(() =>
    yaml.loadAll(String(content), null, loadOptions(options))
  );
}

/**
 * Writes data as a YAML document.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { stringify } from "@std/yaml";
 *
 * assertEquals(stringify({ id: 1, on: ["a"] }), "id: 1\n'on':\n  - a\n");
 * ```
 * @param data What to write.
 * @param options See {@linkcode StringifyOptions}.
 * @returns The text, ended by a newline.
 * @throws {TypeError} When YAML can't say it, such as a function.
 */
export function stringify(
  data: unknown,
  options: StringifyOptions = {},
): string {
  const { arrayIndent, schema, useAnchors, compatMode, ...same } = options;
  try {
    return yaml.dump(data, {
      ...same,
      schema: SCHEMAS[schema ?? "default"],
      noArrayIndent: arrayIndent === false,
      noRefs: useAnchors === false,
      noCompatMode: compatMode === false,
    });
  } catch (error) {
    if (!(error instanceof yaml.YAMLException)) throw error;
    throw new TypeError(error.message, { cause: error });
  }
}

function loadOptions(options: ParseOptions): object {
  return {
    schema: SCHEMAS[options.schema ?? "default"],
    json: options.allowDuplicateKeys ?? false,
    onWarning: options.onWarning ?? null,
  };
}

function asSyntaxError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof yaml.YAMLException)) throw error;
    throw new SyntaxError(error.message, { cause: error });
  }
}
