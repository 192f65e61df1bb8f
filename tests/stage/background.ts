/**
 * A stage in the background: started by one command, ended by another.
 *
 * A server process of its own owns the cloud and the VPC, and the daemons. It
 * ends on SIGTERM and then leaves nothing.
 *
 * @module
 */
import { join } from "node:path";
import type { StageSize } from "./arguments.ts";
import {
  readDescription,
  socketPath,
  type StageDescription,
  StageError,
} from "./description.ts";
import { demandFree, SERVER_LOG, sweepUp, tearDown } from "./ledger.ts";
import { endProcess, launch, type Launched } from "./process.ts";
import { openStage } from "./stage.ts";

/** A stage to be started. */
export interface BackgroundWish extends StageSize {
  /** Its folder, absolute. */
  readonly dir: string;
  /** A file with keys of eni_conf that win over the stage's own. */
  readonly config?: string;
}

const SERVER = new URL("./main.ts", import.meta.url).pathname;

/** How often it is looked whether the server is ready. */
const LOOK_MS = 25;

/** A daemon may take a minute until it serves; they start together. */
const READY_DEADLINE_MS = 90_000;

/** How long a server that isn't wanted any more may take to tidy up. */
const GRACE_MS = 20_000;

/**
 * Starts a stage in the background.
 *
 * @param wish What to start.
 * @param signal Gives it up; what was begun is ended.
 * @returns The stage, with every daemon ready.
 * @throws {StageError} When it can't start; nothing of it is left then.
 */
export async function startStage(
  wish: BackgroundWish,
  signal: AbortSignal,
): Promise<StageDescription> {
  const { dir } = wish;
  await readConfig(wish.config); // a mistake is told here, not in a log
  socketPath(dir, `n${wish.nodeCount}`);
  await demandFree(dir);
  const path = join(dir, SERVER_LOG);
  // Opened here, so that it can be read when its folder is gone.
  using log = await Deno.open(path, { create: true, read: true, write: true });
  const server = launch({
    command: [
      ...[Deno.execPath(), "run", "-A", "--quiet", SERVER, "serve"] as const,
      ...["--dir", dir],
      ...["--nodes", `${wish.nodeCount}`, "--zones", `${wish.zoneCount}`],
      ...wish.config === undefined ? [] : ["--config", wish.config],
    ],
    log: path,
  });
  try {
    const description = await untilUp(dir, server, signal);
    server.release();
    return description;
  } catch (error) {
    await endProcess(server.id, GRACE_MS);
    const said = (await readAll(log)).trim();
    // A server that was killed has left its things.
    await tearDown(dir).catch(() => sweepUp(dir));
    if (error !== ENDED) throw error;
    throw new StageError(`Cannot start a stage:\n${said.slice(-4_000)}`);
  }
}

/**
 * Serves a stage until SIGTERM or SIGINT: what runs in the background.
 *
 * @param wish What to serve.
 */
export async function serveStage(wish: BackgroundWish): Promise<void> {
  const config = await readConfig(wish.config);
  const told = Promise.withResolvers<void>();
  await using parts = new AsyncDisposableStack();
  parts.use(await openStage({ ...wish, config }));
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => told.resolve());
  }
  await told.promise;
}

/** Says that a server ended before it was ready. */
const ENDED = new Error("The server has ended");

async function untilUp(
  dir: string,
  server: Launched,
  signal: AbortSignal,
): Promise<StageDescription> {
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  let ended = false;
  server.ended.then(() => ended = true);
  while (true) {
    if (signal.aborted) throw new StageError("Interrupted");
    if (deadline.aborted) throw new StageError("The stage isn't up in time");
    if (ended) throw ENDED;
    try {
      return await readDescription(dir);
    } catch (error) {
      if (!(error instanceof StageError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Reads keys of eni_conf; what they mean is the daemon's to say. */
async function readConfig(
  path: string | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  if (path === undefined) return {};
  try {
    const config = JSON.parse(await Deno.readTextFile(path));
    if (typeof config === "object" && config !== null) return config;
    throw new SyntaxError("it is no object");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StageError(`Cannot use --config ${path}: ${why}`);
  }
}

async function readAll(file: Deno.FsFile): Promise<string> {
  await file.seek(0, Deno.SeekMode.Start);
  return await new Response(file.readable).text();
}
