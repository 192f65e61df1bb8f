/**
 * `parseArgs` of `@std/cli` over minimist, from which it came. What std does
 * otherwise is done here: only `collect` gives lists (else the last value
 * holds), and `--no-x` negates only what is `negatable`.
 *
 * @module
 */
import minimist from "minimist";

/** What has no default; told from every default that could be given. */
export type None = Record<never, never>;

/** The flags, typed: see {@linkcode parseArgs}. */
export type Values<
  B extends string,
  S extends string,
  C extends string,
  N extends string,
  D extends object,
> =
  & { [K in Exclude<B, C | keyof D>]: boolean }
  & { [K in B & Exclude<keyof D, C>]: boolean | D[K] }
  & { [K in Exclude<S, C | keyof D>]?: string | (K extends N ? false : never) }
  & {
    [K in S & Exclude<keyof D, C>]:
      | string
      | D[K]
      | (K extends N ? false : never);
  }
  & { [K in C]: (K extends S ? string : K extends B ? boolean : unknown)[] }
  & { [K in Exclude<keyof D, B | S | C>]: unknown };

/** What {@linkcode parseArgs} gives. */
export type Args<
  // deno-lint-ignore no-explicit-any -- the signature of @std/cli
  T extends object = Record<string, any>,
  DoubleDash extends boolean | undefined = undefined,
> =
  & { [K in keyof T]: T[K] }
  & {
    /** What is no flag, in order; numbers where it looks like one. */
    _: (string | number)[];
  }
  & (true extends DoubleDash ? {
      /** What comes after `--`. */
      "--": string[];
    }
    : None);

/**
 * Options for {@linkcode parseArgs}. Of std's, flags that are `boolean` and
 * `collect` at once aren't supported, and `unknown` is told a flag's value
 * only when it stands behind `=`.
 */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends object = Record<string, unknown>,
  DoubleDash extends boolean | undefined = boolean | undefined,
> {
  /** Whether what comes after `--` is kept apart. */
  "--"?: DoubleDash;
  /** Other names of a flag. */
  alias?: { readonly [name: string]: string | readonly string[] };
  /** Flags without a value, false when absent; true for all `--x`. */
  boolean?: boolean | B | readonly B[];
  /** Values of flags that are absent. */
  default?: D;
  /** Whether everything from the first non-flag on is no flag. */
  stopEarly?: boolean;
  /** Flags whose value stays a text. */
  string?: S | readonly S[];
  /** Flags that may come often and give a list, empty when absent. */
  collect?: C | readonly C[];
  /** Flags that `--no-x` makes false. */
  negatable?: N | readonly N[];
  /** Is told of every flag that isn't declared; false drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The part of minimist that is used; it brings no types. */
type Minimist = (args: string[], options: object) => Record<string, unknown>;

/** A default on its way through minimist, told from what was given. */
class Default {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

/**
 * Reads command line arguments.
 *
 * @example Usage
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseArgs } from "@std/cli/parse-args";
 *
 * const args = parseArgs(["--foo", "--bar=baz", "-n", "3", "./quux.txt"], {
 *   boolean: ["foo"],
 *   string: ["bar"],
 *   alias: { n: "number" },
 * });
 * assertEquals(args, {
 *   foo: true,
 *   bar: "baz",
 *   n: 3,
 *   number: 3,
 *   _: ["./quux.txt"],
 * });
 * ```
 * @param args The arguments, such as `Deno.args`.
 * @param options See {@linkcode ParseOptions}.
 * @returns The flags, and in `_` what is none.
 */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends string = never,
  const N extends string = never,
  D extends object = None,
  DoubleDash extends boolean | undefined = undefined,
>(
  args: string[],
  options: ParseOptions<B, S, C, N, D, DoubleDash> = {},
): Args<
  // deno-lint-ignore no-explicit-any -- the signature of @std/cli
  [B | S | C] extends [never] ? Record<string, any>
    : Values<B, S, C, N, D> & Record<string, unknown>,
  DoubleDash
> {
  const aliases = Object.entries(options.alias ?? {});
  const withAliases = (names: readonly string[]) =>
    new Set(names.flatMap((name) => namesOf(name, aliases)));
  const negatable = withAliases(list(options.negatable));
  const collected = withAliases(list(options.collect));
  const parsed = (minimist as Minimist)(hideAll(args, negatable), {
    "--": options["--"] ?? false,
    stopEarly: options.stopEarly ?? false,
    boolean: options.boolean === true || list(options.boolean).map(hide),
    string: list(options.string).map(hide),
    alias: Object.fromEntries(
      aliases.map(([name, others]) => [hide(name), list(others).map(hide)]),
    ),
    default: Object.fromEntries(
      Object.entries(options.default ?? {})
        .map(([name, value]) => [hide(name), new Default(value)]),
    ),
    ...options.unknown === undefined ? {} : { unknown: tell(options.unknown) },
  });
  const flags = Object.entries(parsed).map(([hidden, value]) => {
    const name = show(hidden);
    if (name === "_" || name === "--") return [name, value];
    return [name, collected.has(name) ? asList(value) : asOne(value)];
  });
  const declared = withAliases([
    ...list(options.string),
    ...list(options.boolean),
  ]);
  const empty = [...collected].filter((name) => declared.has(name))
    .map((name) => [name, []]);
  return Object.fromEntries([...empty, ...flags]);
}

/** `true` for all flags isn't a name. */
function list(names: boolean | string | readonly string[] | undefined) {
  if (typeof names === "string") return [names];
  return typeof names === "object" ? [...names] : [];
}

/** A flag's name and those that mean the same. */
function namesOf(
  name: string,
  aliases: readonly (readonly [string, string | readonly string[]])[],
): string[] {
  const same = aliases.map(([first, others]) => [first, ...list(others)])
    .find((names) => names.includes(name));
  return same ?? [name];
}

/** minimist negates every `--no-x`; a hidden name is an ordinary one to it. */
function hide(name: string): string {
  return name.startsWith("no-") ? `\u0000${name}` : name;
}

function show(name: string): string {
  return name.replace("\u0000", "");
}

function hideAll(
  args: readonly string[],
  negatable: ReadonlySet<string>,
): string[] {
  const end = args.indexOf("--");
  return args.map((arg, at) => {
    const isFlag = arg.startsWith("--no-") && (end < 0 || at < end);
    if (!isFlag || negatable.has(arg.slice("--no-".length))) return arg;
    return `--${hide(arg.slice(2))}`;
  });
}

function tell(
  unknown: (arg: string, key?: string, value?: unknown) => unknown,
): (arg: string) => unknown {
  return (hidden) => {
    const arg = show(hidden);
    const [, key, value] = /^--?([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    return key === undefined ? unknown(arg) : unknown(arg, key, value);
  };
}

/** What was given often is a list to minimist; a default stays as it is. */
function asOne(value: unknown): unknown {
  if (value instanceof Default) return value.value;
  if (Array.isArray(value)) return asOne(value.at(-1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, asOne(item)]),
  );
}

function asList(value: unknown): unknown {
  if (value instanceof Default) return value.value;
  if (value === false) return value;
  const given = (Array.isArray(value) ? value : [value])
    .filter((item) => !(item instanceof Default));
  return given.at(-1) === false ? false : given;
}
