/**
 * The launcher's fixed slot: where the daemon listens, written into the
 * finished program, so that it needs no configuration and no JSON.
 *
 * @module
 */
import { DEFAULT_SOCKET, DEFAULT_TOMBSTONES } from "../../modes/wire.ts";

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
const MAGIC = new TextEncoder().encode("TERWAY-SLOT-0001");
const SIZE = { socket: 108, tombstoneDir: 256, replyTimeoutMs: 16 } as const;

/**
 * Stamps a launcher.
 *
 * @param launcher The program, stamped before or not.
 * @param stamp What to write; what is absent becomes the default.
 * @returns The stamped program; `launcher` stays as it was.
 * @throws {RangeError} When a path isn't absolute, too long or can't stand in
 *   the launcher's error documents.
 * @throws {TypeError} When this is no launcher.
 */
export function stampLauncher(
  launcher: Uint8Array,
  stamp: Stamp,
): Uint8Array<ArrayBuffer> {
  const { socket = DEFAULT_SOCKET, tombstoneDir = DEFAULT_TOMBSTONES } = stamp;
  checkPath("socket", socket);
  checkPath("tombstoneDir", tombstoneDir);
  const stamped = new Uint8Array(launcher);
  let at = findSlot(stamped) + MAGIC.length;
  at = put(stamped, at, { text: socket, size: SIZE.socket });
  at = put(stamped, at, { text: tombstoneDir, size: SIZE.tombstoneDir });
  put(stamped, at, {
    text: timeoutText(stamp.replyTimeoutMs),
    size: SIZE.replyTimeoutMs,
  });
  return stamped;
}

/** Quotes, backslashes and what isn't ASCII would need escaping in JSON. */
function checkPath(name: keyof typeof SIZE, path: string): void {
  const limit = SIZE[name] - 1;
  const isPlain = /^\/[\x20-\x7e]*$/.test(path) && !/["\\]/.test(path);
  if (isPlain && path.length <= limit) return;
  throw new RangeError(
    `Cannot stamp '${name}' as it must be an absolute path of at most ` +
      `${limit} plain characters: it is ${path}`,
  );
}

function timeoutText(timeoutMs: number | undefined): string {
  if (timeoutMs === undefined) return "";
  if (Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= 3_600_000) {
    return String(timeoutMs);
  }
  throw new RangeError(
    `Cannot stamp 'replyTimeoutMs' as it must be a whole number from 1 to ` +
      `3,600,000: it is ${timeoutMs}`,
  );
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
