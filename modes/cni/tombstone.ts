/**
 * A request that waits for a daemon, as a file: durable before the runtime
 * hears that its DEL is done.
 *
 * @module
 */

/**
 * Writes a request's body down.
 *
 * Effects: makes the folder when it is missing (0700); a file (0600) appears
 * in it whole or not at all. Its name sorts by time, so that a daemon carries
 * requests out in their order. Safe to repeat: yes, as DEL and GC are.
 *
 * @param folder Where.
 * @param body The request's body.
 * @throws {Error} Of the file system: full, read-only, not permitted.
 */
export function writeTombstone(folder: string, body: Uint8Array): void {
  const chance = Math.floor(Math.random() * 1e9);
  const time = String(Date.now()).padStart(15, "0");
  const name = `${time}-${Deno.pid}-${chance}`;
  const draft = `${folder}/.${name}`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    writeDurably(draft, body);
    Deno.renameSync(draft, `${folder}/${name}`);
  } catch (error) {
    removeDraft(draft);
    throw error;
  }
  // The new name, and the folder's own if it was just made.
  syncFolder(folder);
  syncFolder(`${folder}/..`);
}

function writeDurably(path: string, body: Uint8Array): void {
  using file = Deno.openSync(path, {
    write: true,
    createNew: true,
    mode: 0o600,
  });
  for (let at = 0; at < body.length;) {
    at += file.writeSync(body.subarray(at));
  }
  file.syncSync();
}

function syncFolder(path: string): void {
  using folder = Deno.openSync(path);
  folder.syncSync();
}

function removeDraft(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was never made; daemons pass over drafts anyway.
  }
}
