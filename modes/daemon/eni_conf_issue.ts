/**
 * The schema's issues in our words: which rule a value breaks.
 *
 * @module
 */
import type { z } from "zod";
import { showValue } from "./eni_conf_problem.ts";
import type { ConfTree } from "./eni_conf_text.ts";
import { valueAt } from "./overlay.ts";

/** What the schema has against a value. */
export type Issue = z.core.$ZodIssue;

/** The same in our words. */
export interface Fault {
  /** Keys and places in the decoded tree. */
  readonly path: readonly PropertyKey[];
  /** The rule that is broken. */
  readonly rule: string;
  /** The value as it was written, fit to be shown; empty for none. */
  readonly value: string;
}

/**
 * Says what is wrong.
 *
 * @param issue The schema's issue.
 * @param tree What was decoded.
 * @returns A fault for each key or value that it is about.
 */
export function findFaults(issue: Issue, tree: ConfTree): readonly Fault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      rule: "is no key that is known here",
      value: "",
    }));
  }
  // The value as it was written: an issue's own input may hold defaults.
  const value = valueAt(tree, issue.path);
  return [{
    path: issue.path,
    rule: ruleOf(issue, value),
    value: showValue(value, issue.path),
  }];
}

function ruleOf(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return typeRule(issue.expected, value);
    case "invalid_value":
      return `must be ${
        issue.values.map((one) => JSON.stringify(one)).join(" or ")
      }`;
    case "invalid_key":
      return issue.issues.some(({ code }) => code === "invalid_value")
        ? "is no key that is known here"
        : "must not be an empty key";
    case "too_small": {
      const least = `${issue.inclusive === false ? "more than" : "at least"}`;
      return boundRule(issue.origin, `${least} ${issue.minimum}`);
    }
    case "too_big":
      return boundRule(issue.origin, `at most ${issue.maximum}`);
  }
  return issue.message;
}

function typeRule(expected: string, value: unknown): string {
  if (value === undefined) return "must be given";
  const bare = typeof value === "string" ? " without quotes" : "";
  switch (expected) {
    case "number":
      return `must be a number${bare}`;
    case "int":
      return "must be a whole number";
    case "boolean":
      return `must be true or false${bare}`;
    case "string":
      return "must be a text" +
        (typeof value === "object" ? "" : ": put it into quotes");
    case "array":
      return "must be a list";
    case "record":
    case "object":
      return "must be an object of keys and values";
  }
  return `must be of type ${expected}`;
}

function boundRule(origin: string, bound: string): string {
  return origin === "string" || origin === "array"
    ? `must have a length of ${bound}`
    : `must be ${bound}`;
}
