/**
 * The launcher's fixed slot: where the daemon listens, written into the
 * finished program, so that it needs no configuration and no JSON.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DEFAULT_SOCKET, DEFAULT_TOMBSTONES } from "../wire.ts";

/** What a launcher is told. */
export interface Stamp {
  /** Where the daemon listens; {@linkcode DEFAULT_SOCKET} when absent. */
  readonly socket?: string;
  /** Where requests wait; {@linkcode DEFAULT_TOMBSTONES} when absent. */
  readonly tombstoneDir?: string;
  /** How long to wait for a reply, 1 to 3,600,000; by verb when absent. */
  readonly replyTimeoutMs?: number;
}

/** `struct slot` of launcher.c: its magic, then NUL-ended texts. */
const MAGIC: Buffer = Buffer.from("TERWAY-SLOT-0001");
const SIZE = { socket: 108, tombstoneDir: 256, replyTimeoutMs: 16 } as const;

/**
 * Stamps a launcher.
 *
 * @param launcher The program, stamped before or not.
 * @param stamp What to write; what is absent becomes the default.
 * @returns The stamped program; `launcher` stays as it was.
 * @throws {RangeError} With every part that a launcher can't hold.
 * @throws {TypeError} When this is no launcher.
 */
export function stampLauncher(
  launcher: Uint8Array,
  stamp: Stamp,
): Uint8Array<ArrayBuffer> {
  const problems = stampProblems(stamp);
  if (problems.length > 0) {
    throw new RangeError(`Cannot stamp as ${problems.join("; ")}`);
  }
  const { socket = DEFAULT_SOCKET, tombstoneDir = DEFAULT_TOMBSTONES } = stamp;
  const stamped = new Uint8Array(launcher);
  let at = findSlot(stamped) + MAGIC.length;
  at = put(stamped, at, { text: socket, size: SIZE.socket });
  at = put(stamped, at, { text: tombstoneDir, size: SIZE.tombstoneDir });
  put(stamped, at, {
    text: stamp.replyTimeoutMs === undefined ? "" : `${stamp.replyTimeoutMs}`,
    size: SIZE.replyTimeoutMs,
  });
  return stamped;
}

/**
 * Tells what a launcher can't hold.
 *
 * @param stamp What shall be written.
 * @returns A problem a text; empty when all can be written.
 */
export function stampProblems(stamp: Stamp): readonly string[] {
  const { socket, tombstoneDir, replyTimeoutMs } = stamp;
  const problems = [
    ...pathProblems("socket", socket),
    ...pathProblems("tombstoneDir", tombstoneDir),
  ];
  const isTime = replyTimeoutMs === undefined ||
    (Number.isInteger(replyTimeoutMs) && replyTimeoutMs > 0 &&
      replyTimeoutMs <= 3_600_000);
  if (isTime) return problems;
  return [
    ...problems,
    "replyTimeoutMs must be a whole number from 1 to 3,600,000: it is " +
    replyTimeoutMs,
  ];
}

/**
 * Tells whether a program bears the launcher's mark: the launcher does, and
 * our executable, as this very module is in it.
 *
 * @param program The program.
 * @returns True when it is one of ours, of any version.
 */
export function isOurs(program: Uint8Array): boolean {
  return Buffer.from(program.buffer, program.byteOffset, program.byteLength)
    .includes(MAGIC);
}

/** Quotes, backslashes and what isn't ASCII would need escaping in JSON. */
function pathProblems(
  name: "socket" | "tombstoneDir",
  path = "/",
): readonly string[] {
  const limit = SIZE[name] - 1;
  const isPlain = /^\/[\x20-\x7e]*$/.test(path) && !/["\\]/.test(path);
  if (isPlain && path.length <= limit) return [];
  return [
    `${name} must be an absolute path of at most ${limit} plain characters: ` +
    `it is ${JSON.stringify(path)}`,
  ];
}

function findSlot(launcher: Uint8Array): number {
  const found: number[] = [];
  for (
    let at = launcher.indexOf(MAGIC[0] ?? 0);
    at >= 0;
    at = launcher.indexOf(MAGIC[0] ?? 0, at + 1)
  ) {
    if (MAGIC.every((byte, index) => launcher[at + index] === byte)) {
      found.push(at);
    }
  }
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new TypeError(
    `Cannot stamp as a launcher has one slot: this has ${found.length}`,
  );
}

function put(
  into: Uint8Array,
  at: number,
  { text, size }: { readonly text: string; readonly size: number },
): number {
  into.fill(0, at, at + size);
  into.set(new TextEncoder().encode(text), at);
  return at + size;
}
