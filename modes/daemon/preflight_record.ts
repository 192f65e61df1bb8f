/**
 * What was changed on the host, so that it can be undone: a small file in the
 * state folder, written before the change is made. It appears whole or not at
 * all, and is on the disk before the change is.
 *
 * @module
 */
import { z } from "zod";
import {
  folderOf,
  removeIfThere,
  syncFolder,
  writeDurably,
} from "../durable_file.ts";
import type { Mend } from "./preflight_mend.ts";

/** Where the record is, and which run of the machine it is of. */
export interface RecordPlace {
  /** The file. */
  readonly path: string;
  /** A name that each boot has of its own: what was changed is gone with it. */
  readonly boot: string;
}

/** A change of the host. */
export interface HostChange {
  /** What was done; it says what was before. */
  readonly mend: Mend;
  /** Settings that it changed besides, as they were before. */
  readonly sides: Readonly<Record<string, string>>;
  /** When, in milliseconds since 1970. */
  readonly atMs: number;
}

const mend: z.ZodType<Mend> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("setting"),
    key: z.string(),
    was: z.string(),
    value: z.string(),
  }),
  z.strictObject({
    kind: z.literal("chain"),
    chain: z.strictObject({
      family: z.string(),
      table: z.string(),
      name: z.string(),
      type: z.string(),
      prio: z.int(),
      policy: z.string(),
    }),
    tool: z.enum(["iptables", "ip6tables"]).exactOptional(),
  }),
  z.strictObject({ kind: z.literal("legacy"), program: z.string() }),
  z.strictObject({
    kind: z.literal("file"),
    path: z.string(),
    text: z.string(),
  }),
]);

const record = z.strictObject({
  schema: z.literal(1),
  boot: z.string(),
  changes: z.array(z.strictObject({
    mend,
    sides: z.record(z.string(), z.string()),
    atMs: z.int(),
  })),
});

/**
 * Reads the record.
 *
 * @param place The file, and the run of the machine.
 * @returns The changes, the oldest first; none without a file, or of an
 * earlier run.
 * @throws {Error} When it isn't what {@linkcode writeRecord} writes.
 */
export async function readRecord(
  { path, boot }: RecordPlace,
): Promise<readonly HostChange[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  try {
    const read = record.parse(JSON.parse(text));
    return read.boot === boot ? read.changes : [];
  } catch (cause) {
    throw new Error(
      `Cannot tell what was changed on this host as ${path} isn't a record ` +
        "of it: put the host's settings in order by hand, then remove the file",
      { cause },
    );
  }
}

/**
 * Writes the record; without a change the file goes.
 *
 * @param place The file, and the run of the machine.
 * @param changes The changes, the oldest first.
 */
export async function writeRecord(
  { path, boot }: RecordPlace,
  changes: readonly HostChange[],
): Promise<void> {
  const draft = `${path}.new`;
  if (changes.length === 0) {
    await removeIfThere(path);
  } else {
    const text = JSON.stringify({ schema: 1, boot, changes }, null, 2) + "\n";
    await removeIfThere(draft); // of a process that was killed
    await writeDurably(draft, new TextEncoder().encode(text), 0o600);
    await Deno.rename(draft, path);
  }
  await syncFolder(folderOf(path));
}
