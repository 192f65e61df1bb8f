/**
 * Requests that came while no daemon listened: a relay writes DEL and GC down
 * as files, and whoever is the daemon next carries them out.
 *
 * A file is removed only after its request is done. One that can't be read is
 * set aside and told of, never dropped.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";
import { decodeBody } from "../wire.ts";
import type { Attacher } from "./attach.ts";
import { decodeRequest, RequestError } from "./request.ts";

/** More files than this are left for the next round. */
const ROUND_LIMIT = 1000;

/** What settling works with. */
export interface TombstoneParts {
  /** The folder that relays write to. */
  readonly folder: string;
  /** Carries the requests out. */
  readonly attacher: Attacher;
  /** Where failures are told. */
  readonly log: Log;
}

/**
 * Carries out what relays wrote down.
 *
 * @param parts Where, and by whom.
 * @returns How many requests were carried out.
 */
export async function settleTombstones(parts: TombstoneParts): Promise<number> {
  let settledCount = 0;
  for (const name of await namesIn(parts.folder)) {
    const path = `${parts.folder}/${name}`;
    try {
      const body = await Deno.readFile(path);
      await settle(parts.attacher, { body, writtenMs: writtenAt(name) });
      await Deno.remove(path);
      settledCount++;
      parts.log.info("settled a request of the time without a daemon", {
        tombstone: path,
      });
    } catch (error) {
      await setAside(parts.log, path, error);
    }
  }
  return settledCount;
}

async function settle(
  attacher: Attacher,
  { body, writtenMs }: { body: Uint8Array; writtenMs: number },
): Promise<void> {
  const { variables, stdin } = decodeBody(body);
  const request = decodeRequest(variables, stdin);
  if (request.verb === "DEL" && request.owner !== undefined) {
    await attacher.delete(request.owner);
  } else if (request.verb === "GC") {
    const { name, validAttachments } = request.config;
    if (validAttachments !== undefined) {
      const valid = validAttachments;
      await attacher.collect({ network: name, valid, writtenMs });
    }
  }
}

/**
 * A relay's name for a file begins with the time, in milliseconds since 1970.
 * Another name tells nothing: then nothing is older than its list.
 */
function writtenAt(name: string): number {
  return Number(/^(\d{13,15})-/.exec(name)?.[1] ?? 0);
}

/** What can't be decoded never will be; anything else may work next time. */
async function setAside(log: Log, path: string, error: unknown): Promise<void> {
  const undecodable = error instanceof RequestError ||
    (error instanceof Error && error.name === "WireError");
  if (undecodable) await Deno.rename(path, `${path}.rejected`);
  log.error(
    undecodable
      ? "a request of the time without a daemon can't be read: it was set aside"
      : "a request of the time without a daemon failed: it will be tried again",
    { tombstone: path, ...errorFields(error) },
  );
}

/** Half-written files begin with a dot; `.rejected` ones were seen before. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isFile || entry.name.startsWith(".")) continue;
      if (entry.name.endsWith(".rejected")) continue;
      names.push(entry.name);
      if (names.length === ROUND_LIMIT) break;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}
