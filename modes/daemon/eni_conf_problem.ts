/**
 * What is wrong with a configuration, and how it is told: everything at once,
 * each with its path, the rule and the value. A secret is never told, nor is
 * any text whose place in the configuration isn't known.
 *
 * @module
 */

/** What is wrong with one value. */
export interface ConfigProblem {
  /**
   * Where, such as `vswitches.cn-hangzhou-a[1]` or `line 3, column 9`, as it is
   * spelled in the source; empty for the whole.
   */
  readonly path: string;
  /** The rule that it breaks. */
  readonly rule: string;
  /** The value, as JSON of at most 200 characters; secrets are `***`. */
  readonly value: string;
  /** Which source it stands in, when there are several and one can be told. */
  readonly source?: string;
}

/** A configuration that can't be used, with every reason. */
export class ConfigError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "ConfigError";
  /** At least one. */
  readonly problems: readonly ConfigProblem[];

  /**
   * Makes one.
   *
   * @param source The file's name, or what else it was read from.
   * @param problems At least one.
   */
  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(`Cannot use ${source}: ${problems.map(toText).join("; ")}`);
    this.problems = problems;
  }
}

/** Keys whose value must not be told, in any spelling. */
const SECRET_KEY = /access[_-]?(key|secret)/i;

/** What may be a key of the cloud, or a part of one; no other id is so long. */
const TOKEN = /[A-Za-z0-9]{16,}/g;

/** Longer values say no more about what is wrong with them. */
const SHOWN_LENGTH = 200;

/**
 * Writes a value for a message, with every secret in it hidden.
 *
 * A slip in the file can move a secret to where none is looked for: a lost
 * quote makes one text of several lines. So a text that holds a secret's key is
 * hidden as a whole, and so is what has the look of a secret.
 *
 * @param value What was read.
 * @param path Where it stands.
 * @returns JSON of at most 200 characters; empty for what isn't there.
 */
export function showValue(
  value: unknown,
  path: readonly PropertyKey[],
): string {
  if (value === undefined) return "";
  const json = JSON.stringify(value);
  if (SECRET_KEY.test(json) || path.some((part) => isSecret(part))) {
    return "***";
  }
  return redact(json);
}

/**
 * Writes a path as people do: `vswitches.cn-hangzhou-a[1]`.
 *
 * @param path Keys and places.
 * @returns The text; a key that may hold a secret is `***`.
 */
export function showPath(path: readonly PropertyKey[]): string {
  return path.map((part, index) =>
    typeof part === "number"
      ? `[${part}]`
      : `${index === 0 ? "" : "."}${showKey(String(part))}`
  ).join("");
}

function isSecret(part: PropertyKey): boolean {
  return SECRET_KEY.test(String(part));
}

/** `access_secret:x` is one key when the blank is missing. */
function showKey(key: string): string {
  const rest = key.replace(SECRET_KEY, "");
  if (rest !== key && rest !== "") return "***";
  return redact(key);
}

/** The cloud's keys and secrets mix digits and both cases; its ids don't. */
function redact(text: string): string {
  const hushed = text.replace(
    TOKEN,
    (token) =>
      [/[a-z]/, /[A-Z]/, /\d/].every((kind) => kind.test(token))
        ? "***"
        : token,
  );
  return hushed.length > SHOWN_LENGTH
    ? `${hushed.slice(0, SHOWN_LENGTH)}…`
    : hushed;
}

function toText({ path, rule, value, source }: ConfigProblem): string {
  const where = path === "" ? "" : `${path} `;
  const inside = source === undefined ? "" : ` (in ${source})`;
  return `${where}${rule}${value === "" ? "" : `, it is ${value}`}${inside}`;
}
