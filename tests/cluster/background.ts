/**
 * A cluster in the background: started by one command, ended by another.
 *
 * @module
 */
import { join } from "node:path";
import { demandFree, SERVER_LOG } from "../stage/ledger.ts";
import { endProcess, launch, type Launched } from "../stage/process.ts";
import type { ClusterWish } from "./arguments.ts";
import { openCluster } from "./cluster.ts";
import {
  type ClusterDescription,
  ClusterError,
  readCluster,
} from "./description.ts";
import { tearDownCluster } from "./ledger.ts";

/** A cluster to be started. */
export interface BackgroundWish extends ClusterWish {
  /** Its folder, absolute. */
  readonly dir: string;
}

const SERVER = new URL("./main.ts", import.meta.url).pathname;

/** A socket on which the server is asked to restart a machine's daemon. */
const CONTROL_SOCKET = "control.sock";

/** A cold start on a busy machine. */
const READY_DEADLINE_MS = 300_000;
const LOOK_MS = 50;
const GRACE_MS = 30_000;

/**
 * Starts a cluster in the background.
 *
 * @param wish What to start.
 * @param options Hears each line of the server; gives it up.
 * @returns The cluster, which is up.
 * @throws {ClusterError} When it can't start; nothing of it is left then.
 */
export async function startCluster(
  wish: BackgroundWish,
  options: {
    readonly onLine: (line: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<ClusterDescription> {
  const { dir } = wish;
  await demandFree(dir);
  const path = join(dir, SERVER_LOG);
  // Opened here, so that it can be read when its folder is gone.
  using log = await Deno.open(path, { create: true, read: true, write: true });
  const server = launch({
    command: [
      ...[Deno.execPath(), "run", "-A", "--quiet", SERVER] as const,
      ...["--dir", dir, "serve"],
      ...["--nodes", `${wish.nodeCount}`, "--zones", `${wish.zoneCount}`],
      ...["--network", wish.network, "--proxy", wish.proxy],
      ...["--families", wish.families],
    ],
    log: path,
  });
  try {
    const description = await untilUp(dir, { server, log, ...options });
    server.release();
    return description;
  } catch (error) {
    await endProcess(server.id, GRACE_MS);
    await tearDownCluster(dir).catch(() => {});
    throw error;
  }
}

async function untilUp(
  dir: string,
  parts: {
    readonly server: Launched;
    readonly log: Deno.FsFile;
    readonly onLine: (line: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<ClusterDescription> {
  const { server, log, onLine, signal } = parts;
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  let hasEnded = false;
  server.ended.then(() => hasEnded = true);
  while (true) {
    if (signal.aborted) throw new ClusterError("Interrupted");
    if (deadline.aborted) {
      throw new ClusterError("The cluster isn't up in time");
    }
    const isOver = hasEnded;
    for (const line of await newLines(log)) onLine(line);
    if (isOver) throw new ClusterError("The cluster can't be started");
    try {
      return await readCluster(dir);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Reads on from where it was left, line by line. */
async function newLines(log: Deno.FsFile): Promise<readonly string[]> {
  const bytes = new Uint8Array(64 * 1024);
  const count = await log.read(bytes);
  if (count === null) return [];
  const text = new TextDecoder().decode(bytes.subarray(0, count));
  return text.split("\n").filter((line) => line !== "");
}

/**
 * Serves a cluster until SIGTERM or SIGINT: what runs in the background.
 *
 * @param wish What to serve.
 * @param onStep Hears of each step.
 */
export async function serveCluster(
  wish: BackgroundWish,
  onStep: (line: string) => void,
): Promise<void> {
  const told = Promise.withResolvers<void>();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => told.resolve());
  }
  await using stack = new AsyncDisposableStack();
  const { trees } = stack.use(await openCluster({ ...wish, onStep }));
  const server = Deno.serve(
    { path: join(wish.dir, CONTROL_SOCKET), onListen: () => {} },
    async (request) => {
      const [, machine = "", daemon = ""] = new URL(request.url).pathname
        .split("/");
      try {
        const tree = trees.get(machine);
        if (tree === undefined) throw new Error(`There is no ${machine}`);
        await tree.restart(daemon);
        return new Response("done");
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return new Response(why, { status: 404 });
      }
    },
  );
  stack.defer(() => server.shutdown());
  await told.promise;
}

/**
 * Has the server of a cluster end a daemon and start it again.
 *
 * @param dir The cluster's folder.
 * @param machine The machine's name.
 * @param daemon The daemon's name.
 * @throws {ClusterError} When there is none of that name.
 */
export async function restartDaemon(
  dir: string,
  machine: string,
  daemon: string,
): Promise<void> {
  using client = Deno.createHttpClient({
    proxy: { transport: "unix", path: join(dir, CONTROL_SOCKET) },
  });
  const response = await fetch(`http://cluster/${machine}/${daemon}`, {
    client,
  });
  const text = await response.text();
  if (!response.ok) throw new ClusterError(text);
}
