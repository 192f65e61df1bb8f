/**
 * A call's parameters, as the RPC style writes them: `Name`, `Name.1`,
 * `Tag.1.Key`.
 *
 * @module
 */
import { Refusal } from "./refusal.ts";

/** Reads the parameters of one call. */
export class Params {
  /** All of them, as they came. */
  readonly raw: Readonly<Record<string, string>>;

  /**
   * Wraps them.
   *
   * @param raw The parameters, those of the signature left out.
   */
  constructor(raw: Readonly<Record<string, string>>) {
    this.raw = raw;
  }

  /**
   * Reads a text.
   *
   * @param name Its name.
   * @returns The text, or nothing when it is absent or empty.
   */
  text(name: string): string | undefined {
    const value = this.raw[name];
    return value === "" ? undefined : value;
  }

  /**
   * Reads a text that must be there.
   *
   * @param name Its name.
   * @returns The text.
   * @throws {Refusal} `MissingParameter`.
   */
  required(name: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw new Refusal(
      "MissingParameter",
      `The input parameter "${name}" that is mandatory for processing this request is not supplied.`,
    );
  }

  /**
   * Reads a whole number.
   *
   * @param name Its name.
   * @returns The number, or nothing when it is absent.
   * @throws {Refusal} `InvalidParameter` when it isn't one, or is negative.
   */
  count(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,9}$/.test(value)) throw invalid(name, value);
    return Number(value);
  }

  /**
   * Reads `Name.1`, `Name.2` and so on, in the order of their numbers.
   *
   * @param name What stands before the dot.
   * @returns The texts.
   */
  list(name: string): string[] {
    return this.#numbers(name)
      .map((number) => this.text(`${name}.${number}`))
      .filter((value) => value !== undefined);
  }

  /**
   * Reads `Tag.1.Key`, `Tag.1.Value` and so on.
   *
   * @returns The tags; a missing value is an empty one.
   */
  tags(): Record<string, string> {
    const pairs = this.#numbers("Tag").map((number): [string, string] => [
      this.raw[`Tag.${number}.Key`] ?? "",
      this.raw[`Tag.${number}.Value`] ?? "",
    ]);
    return Object.fromEntries(pairs);
  }

  #numbers(name: string): number[] {
    const start = `${name}.`;
    const numbers = Object.keys(this.raw)
      .filter((key) => key.startsWith(start))
      .map((key) => Number.parseInt(key.slice(start.length), 10))
      .filter((number) => number > 0);
    return [...new Set(numbers)].sort((a, b) => a - b);
  }
}

/**
 * Makes the refusal of a parameter that has no such value.
 *
 * @param name The parameter.
 * @param value What came.
 * @returns `InvalidParameter`.
 */
export function invalid(name: string, value: string | number): Refusal {
  return new Refusal(
    "InvalidParameter",
    `The specified parameter ${name} is not valid: ${value}.`,
  );
}
