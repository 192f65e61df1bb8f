/**
 * The relays that the suite runs against, each as a command: the TypeScript
 * one, the launcher, and the compiled executable.
 *
 * @module
 */
import { buildLauncher } from "../../deploy/launcher/build.ts";
import { stampLauncher } from "../../modes/install/stamp.ts";

/** Where a relay finds its daemon; the test's own folder. */
export interface Place {
  /** A folder of the test. */
  readonly folder: string;
  /** The daemon's socket. */
  readonly socket: string;
  /** Where requests wait. */
  readonly tombstones: string;
  /** How long to wait for a reply. */
  readonly replyTimeoutMs?: number;
}

/** A relay. */
export interface Implementation {
  /** Its name in the tests'. */
  readonly name: string;
  /** Why it can't be had here; it is skipped aloud. */
  readonly missing?: string;
  /** Gives the command that runs it in a place. */
  command(place: Place): Promise<readonly [string, ...string[]]>;
}

const ROOT = new URL("../../", import.meta.url).pathname;

const COMPILED = `${ROOT}dist/terway`;

/**
 * Finds the relays.
 *
 * @returns All of them; what can't be had here says why.
 * @throws {Error} When one could be had, and isn't: a launcher that doesn't
 *   compile, or an executable that the test runner built and is gone.
 */
export async function implementations(): Promise<readonly Implementation[]> {
  return [
    {
      name: "typescript",
      command: () =>
        Promise.resolve([Deno.execPath(), "run", "-A", `${ROOT}main.ts`]),
    },
    await launcher(),
    await compiled(),
  ];
}

async function launcher(): Promise<Implementation> {
  const build = await buildLauncher();
  if (!build.ok) {
    return missing("launcher", build.reason);
  }
  const bytes = await Deno.readFile(build.path);
  return {
    name: "launcher",
    command: async (place) => {
      const path = `${place.folder}/terway-launcher`;
      const { socket, replyTimeoutMs } = place;
      const stamped = stampLauncher(bytes, {
        socket,
        tombstoneDir: place.tombstones,
        ...(replyTimeoutMs === undefined ? {} : { replyTimeoutMs }),
      });
      await Deno.writeFile(`${path}.draft`, stamped, { mode: 0o755 });
      // Written by another process: a child that was forked meanwhile, by any
      // test, would hold our file open, and it couldn't be run (ETXTBSY).
      await new Deno.Command("cp", { args: [`${path}.draft`, path] }).output();
      return [path];
    },
  };
}

/** The runner sets TERWAY_COMPILED once it has built the executable. */
async function compiled(): Promise<Implementation> {
  if (Deno.env.get("TERWAY_COMPILED") === undefined) {
    return missing("compiled", "only after `deno task compile`, by the runner");
  }
  await Deno.stat(COMPILED);
  return { name: "compiled", command: () => Promise.resolve([COMPILED]) };
}

function missing(name: string, reason: string): Implementation {
  return {
    name,
    missing: reason,
    command: () => Promise.reject(new Error(reason)),
  };
}
