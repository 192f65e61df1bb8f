/**
 * `docs/status.md`: what `terway status --json` tells, key by key, written from
 * the form that `modes/status_schema.ts` has.
 *
 * `deno run -A tests/status_doc.ts --write` writes it anew.
 *
 * @module
 */
import { statusJsonSchema } from "../modes/status_schema.ts";

/** Where it is. */
export const STATUS_DOC: URL = new URL("../docs/status.md", import.meta.url);

/** As much of JSON Schema as the form uses. */
interface Form {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Form>>;
  readonly required?: readonly string[];
  readonly items?: Form;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly additionalProperties?: unknown;
}

/** A key of the form. */
export interface StatusKey {
  /** Such as `pool.enis[].slots.idle`. */
  readonly path: string;
  /** What its value is, with the unit. */
  readonly type: string;
  /** Whether it is always there when what holds it is. */
  readonly isAlways: boolean;
  /** Whether it may hold keys that the form doesn't name. */
  readonly isOpen: boolean;
  /** What it tells. */
  readonly meaning: string;
}

/**
 * Lists the form's keys.
 *
 * @returns Them, each after what holds it.
 */
export function statusKeys(): readonly StatusKey[] {
  return keysIn(statusJsonSchema() as Form, "");
}

function keysIn(form: Form, before: string): StatusKey[] {
  const required = new Set(form.required);
  return Object.entries(form.properties ?? {}).flatMap(([name, one]) => {
    const path = `${before}${name}`;
    const inner = one.items ?? one;
    const key: StatusKey = {
      path,
      type: typeOf(name, one),
      isAlways: required.has(name),
      isOpen: inner.additionalProperties !== undefined ||
        inner.type === undefined && inner.const === undefined,
      meaning: one.description ?? inner.description ?? "",
    };
    const within = one.items === undefined ? `${path}.` : `${path}[].`;
    return [key, ...keysIn(inner, within)];
  });
}

function typeOf(name: string, form: Form): string {
  if (form.items !== undefined) return `list of ${typeOf(name, form.items)}`;
  if (form.const !== undefined) return JSON.stringify(form.const);
  if (form.enum !== undefined) {
    return form.enum.map((one) => `"${one}"`).join(", ");
  }
  if (form.type === undefined) return "any";
  if (form.type !== "integer") return form.type;
  if (name.endsWith("Ms")) return "ms since 1970";
  if (name.endsWith("Bytes")) return "bytes";
  return form.minimum === 0 ? "count" : "number";
}

/**
 * Finds the paths of a document that the form doesn't name.
 *
 * @param told What a daemon told.
 * @returns The paths; empty when all of it is documented.
 */
export function undocumented(told: unknown): readonly string[] {
  const keys = new Map(statusKeys().map((key) => [key.path, key]));
  const found = new Set<string>();
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) {
      for (const one of value) walk(one, `${path}[]`);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    for (const [name, one] of Object.entries(value)) {
      const inner = path === "" ? name : `${path}.${name}`;
      const holder = keys.get(path.replace(/\[\]$/, ""));
      if (keys.has(inner)) walk(one, inner);
      else if (holder?.isOpen !== true) found.add(inner);
    }
  };
  walk(told, "");
  return [...found].sort();
}

/**
 * Writes the page.
 *
 * @returns Markdown.
 */
export function statusDoc(): string {
  const rows = statusKeys().map(({ path, type, isAlways, meaning }) =>
    `| \`${path}\`${isAlways ? "" : " ?"} | ${type} | ${meaning} |`
  );
  return `# \`terway status --json\`

What a node's daemon holds, for scripts. The command ends with 0, with 1 when no
daemon answers, with 2 for a wrong command line. \`terway status --schema\` prints
the same form as a JSON Schema.

## What is promised

- Keys are only ever added: none is renamed or taken away, and none changes its
  type, its unit or its meaning. So ignore keys that you don't know.
- Words such as \`phase\` or \`kind\` may be joined by others; lists may be empty.
- A key with \`?\` is absent when there is nothing to tell.
- Units are the ends of names: \`Ms\` is milliseconds since 1970 by the node's
  clock, \`Bytes\` is bytes. All else that is a number is a count.
- No secret is part of it.
- What is inside \`leases[].attachment\`, and keys of \`pool.limits\` that aren't
  listed, are as the daemon has them, and may change.
- \`schema\` is counted up if any of this is ever broken.

The text that \`terway status\` prints without \`--json\` is for people, and may
change at any time.

## Keys

| key | value | what it tells |
| --- | --- | --- |
${rows.join("\n")}
`;
}

if (import.meta.main) {
  if (Deno.args.includes("--write")) {
    await Deno.writeTextFile(STATUS_DOC, statusDoc());
  } else Deno.stdout.writeSync(new TextEncoder().encode(statusDoc()));
}
