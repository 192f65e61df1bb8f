/**
 * `terway install` beside the daemon, for a pod whose image has no shell: as a
 * process of its own, which ends when all is in place, so that a mode stays
 * one mode and the daemon's memory its own.
 *
 * @module
 */
import { errorFields, type Log } from "../log.ts";

/** How long one run waits for this daemon to serve. */
const WAIT_S = 600;

/** After a run that failed: a full disk, a file that a person corrects. */
const PAUSE_MS = 60_000;

/** A wrong command line: no other run would fare better. */
const EXIT_USAGE = 2;

/** What is installed, and for whom. */
export interface InstallOptions {
  /** Where this daemon listens. */
  readonly socket: string;
  /** Where it keeps its state. */
  readonly stateDir: string;
  /** Further flags of `terway install`. */
  readonly flags: readonly string[];
  /** Hears why a run failed. */
  readonly onFailure?: (why: string) => void;
  /** Where its lines go. */
  readonly log: Log;
}

/**
 * Begins to install, and tries until it is done.
 *
 * @param options See {@linkcode InstallOptions}.
 * @returns Ends it, should it still run.
 */
export function installBeside(options: InstallOptions): AsyncDisposable {
  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) {
      const status = await runOnce(options, stop.signal);
      if (status === 0 || status === EXIT_USAGE) return;
      await pause(stop.signal);
    }
  })();
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await done;
    },
  };
}

async function runOnce(
  { socket, stateDir, flags, onFailure, log }: InstallOptions,
  signal: AbortSignal,
): Promise<number> {
  const [program, ...args] = command();
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [
        ...[...args, "--socket", socket, "--state-dir", stateDir],
        ...["--wait", String(WAIT_S), ...flags],
      ],
      stdin: "null",
      signal,
    }).output();
    const lines = linesOf([stdout, stderr]);
    tell(log, code, lines);
    if (code !== 0) onFailure?.(lines.join(" "));
    return code;
  } catch (error) {
    if (!signal.aborted) log.error("nothing is installed", errorFields(error));
    return 1;
  }
}

function tell(
  log: Log,
  status: number,
  lines: readonly string[],
): void {
  if (status === 0) return log.info("installed", { did: lines });
  const again = status === EXIT_USAGE ? {} : { again_ms: PAUSE_MS };
  log.error("not installed: the runtime can't use terway yet", {
    why: lines,
    ...again,
  });
}

function linesOf(said: readonly Uint8Array[]): readonly string[] {
  return said.map((bytes) => new TextDecoder().decode(bytes).trim())
    .filter((text) => text !== "").join("\n").split("\n");
}

/** The executable, or this source or its bundles by the Deno that runs them. */
function command(): readonly [string, ...string[]] {
  if (Deno.build.standalone) return [Deno.execPath(), "install"];
  const isSource = import.meta.url.endsWith("/modes/daemon/install.ts");
  const place = isSource ? "../../main.ts" : "./main.js";
  const main = new URL(place, import.meta.url).pathname;
  return [Deno.execPath(), "run", "-A", "--quiet", main, "install"];
}

async function pause(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PAUSE_MS);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
