/**
 * A place to run a relay in, and a daemon of a few lines for it: a real socket
 * with the real wire.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { readRequest, type WireRequest } from "../../modes/wire.ts";
import type { Implementation, Place } from "./implementations.ts";

/** What a runtime gives its plugin. */
export interface Input {
  /** `CNI_COMMAND`. */
  readonly verb: string;
  /** Other variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; the place's configuration when absent. */
  readonly stdin?: Uint8Array;
}

/** What a relay ends with. */
export interface Outcome {
  /** The exit status. */
  readonly status: number;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
  /** How long it ran. */
  readonly tookMs: number;
}

/** A request and the connection it came by. */
export interface Visit {
  /** The request. */
  readonly request: WireRequest;
  /** The connection; closed after the handler. */
  readonly conn: Deno.Conn;
}

/**
 * Runs a test in a folder of its own.
 *
 * @param test The test.
 */
export async function inPlace(
  test: (place: Place) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "terway-relay-" });
  try {
    await test({
      folder,
      socket: `${folder}/terway.sock`,
      tombstones: `${folder}/lib/tombstones`,
      replyTimeoutMs: 5_000,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Writes the network configuration of a place.
 *
 * @param place The place.
 * @param more Other keys.
 * @returns Standard input for a relay.
 */
export function configOf(
  place: Place,
  more: Readonly<Record<string, unknown>> = {},
): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({
    cniVersion: "0.4.0",
    name: "terway",
    type: "terway",
    daemon_socket: place.socket,
    tombstone_dir: place.tombstones,
    reply_timeout_ms: place.replyTimeoutMs,
    ...more,
  }));
}

/**
 * Starts a relay.
 *
 * @param relay Which.
 * @param place Where.
 * @param input What it is given.
 * @returns The process, its input written and closed.
 */
export async function start(
  relay: Implementation,
  place: Place,
  input: Input,
): Promise<Deno.ChildProcess> {
  const [program, ...args] = await relay.command(place);
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { ...inherited(), CNI_COMMAND: input.verb, ...input.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // A relay that doesn't read its input closes it: that is no failure.
  const writer = child.stdin.getWriter();
  writer.write(input.stdin ?? configOf(place)).catch(() => {});
  writer.close().catch(() => {});
  return child;
}

/**
 * Runs a relay to its end.
 *
 * @param relay Which.
 * @param place Where.
 * @param input What it is given.
 * @returns What it ended with.
 */
export async function run(
  relay: Implementation,
  place: Place,
  input: Input,
): Promise<Outcome> {
  const begunMs = performance.now();
  const child = await start(relay, place, input);
  const { code, stdout, stderr } = await child.output();
  return {
    status: code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
    tookMs: performance.now() - begunMs,
  };
}

/**
 * Listens as a daemon while something runs.
 *
 * @param place Where.
 * @param handle Serves a request; what it throws fails the test.
 * @param during What runs.
 */
export async function withDaemon(
  place: Place,
  handle: (visit: Visit) => Promise<void>,
  during: () => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: place.socket });
  const visits: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const conn of listener) visits.push(serve(conn, handle));
  })();
  try {
    await during();
  } finally {
    listener.close();
    await accepting.catch(() => {});
    await Promise.all(visits);
  }
}

async function serve(
  conn: Deno.Conn,
  handle: (visit: Visit) => Promise<void>,
): Promise<void> {
  try {
    const request = await readRequest(conn, AbortSignal.timeout(10_000));
    await handle({ request, conn });
  } finally {
    try {
      conn.close();
    } catch {
      // The handler closed it.
    }
  }
}

/**
 * Checks an error: one document on one line, and nothing on standard error.
 *
 * @param outcome What a relay ended with.
 * @param code The CNI code.
 * @returns The document.
 */
export function assertFailure(
  outcome: Outcome,
  code: number,
): Readonly<Record<string, unknown>> {
  assertEquals(outcome.stderr, "");
  assertEquals(outcome.status, 1, outcome.stdout);
  assertEquals(outcome.stdout.indexOf("\n"), outcome.stdout.length - 1);
  const document = JSON.parse(outcome.stdout);
  assertEquals(Object.keys(document), ["cniVersion", "code", "msg", "details"]);
  assertEquals(document.code, code, outcome.stdout);
  return document;
}

/**
 * Checks that a request was written down, and that it can be read back.
 *
 * @param place Where.
 * @param count How many.
 * @returns The bodies, oldest first.
 */
export async function readTombstones(
  place: Place,
  count: number,
): Promise<readonly Uint8Array[]> {
  const folder = await Deno.stat(place.tombstones);
  assertEquals((folder.mode ?? 0) & 0o777, 0o700);
  const names = (await Array.fromAsync(Deno.readDir(place.tombstones)))
    .map((entry) => entry.name).sort();
  assertEquals(names.length, count, names.join());
  return await Promise.all(names.map(async (name) => {
    const path = `${place.tombstones}/${name}`;
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    return await Deno.readFile(path);
  }));
}

/** What Deno needs to find its cache. A launcher needs nothing. */
function inherited(): Record<string, string> {
  const names = ["HOME", "PATH", "DENO_DIR", "XDG_CACHE_HOME"];
  return Object.fromEntries(
    names.map((name) => [name, Deno.env.get(name)] as const)
      .filter((pair): pair is readonly [string, string] =>
        pair[1] !== undefined
      ),
  );
}
