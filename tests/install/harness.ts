/**
 * What tests of `terway install` share: a node's two folders, runs of the real
 * program, and a kill at any of its system calls.
 *
 * @module
 */
import { buildLauncher } from "../../deploy/launcher/build.ts";
import { writeReply } from "../../modes/wire.ts";
import { inPlace, withDaemon } from "../relay/harness.ts";
import type { Place } from "../relay/implementations.ts";

/** What a run ended with. */
export interface Outcome {
  /** The exit status; 137 after a kill. */
  readonly status: number;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
}

/** A system call at which a run is killed. */
export interface Kill {
  /** Its name. */
  readonly syscall: string;
  /** The how many-th of a thread, from 1. */
  readonly nth: number;
}

/** Two folders as a node has them, and where a daemon would listen. */
export interface Node extends Place {
  /** The folder of plugins. */
  readonly binDir: string;
  /** The folder of network configurations. */
  readonly confDir: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;

/**
 * Runs a test with folders of its own, both empty.
 *
 * @param test The test.
 */
export async function onNode(
  test: (node: Node) => Promise<void>,
): Promise<void> {
  await inPlace(async (place) => {
    const node = {
      ...place,
      binDir: `${place.folder}/bin`,
      confDir: `${place.folder}/net.d`,
    };
    await Deno.mkdir(node.binDir);
    await Deno.mkdir(node.confDir);
    await test(node);
  });
}

/**
 * Runs something while a daemon says that it serves.
 *
 * @param node Where.
 * @param during What runs.
 */
export async function whileServing(
  node: Node,
  during: () => Promise<void>,
): Promise<void> {
  const ok = { status: 0, document: "" };
  await withDaemon(node, ({ conn }) => writeReply(conn, ok), during);
}

/**
 * Tells why there is no launcher here.
 *
 * @returns The reason; absent when there is one.
 */
export async function withoutLauncher(): Promise<string | undefined> {
  const build = await buildLauncher();
  return build.ok ? undefined : build.reason;
}

/**
 * Builds the launcher.
 *
 * @returns Its path.
 */
export async function launcherPath(): Promise<string> {
  const build = await buildLauncher();
  if (build.ok) return build.path;
  throw new Error(build.reason);
}

/**
 * Tells why a program can't be killed at a system call here.
 *
 * @returns The reason; absent when it can.
 */
export async function withoutStrace(): Promise<string | undefined> {
  try {
    const args = ["-o", "/dev/null", "true"];
    const { success } = await new Deno.Command("strace", { args }).output();
    return success ? undefined : "strace may not trace here";
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "there is no strace (Debian: strace)";
  }
}

/**
 * Runs `terway install` on a node.
 *
 * @param node Where.
 * @param args What its command line has besides the folders and the socket.
 * @param kill Where it is killed.
 * @returns What it ended with.
 */
export async function install(
  node: Node,
  args?: readonly string[],
  kill?: Kill,
): Promise<Outcome> {
  const [name = "", ...rest] = [
    ...[...traced(kill), ...await program()],
    ...[...flags(node), ...args ?? []],
  ];
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: rest,
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const [out = "", err = ""] = [stdout, stderr]
    .map((bytes) => new TextDecoder().decode(bytes));
  return { status: code, stdout: out, stderr: err };
}

/**
 * Reads a folder: modes and contents by path.
 *
 * @param node Whose folders.
 * @returns All files of both.
 */
export async function tree(node: Node): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const folder of [node.binDir, node.confDir]) {
    for await (const { name } of Deno.readDir(folder)) {
      const path = `${folder}/${name}`;
      const { mode } = await Deno.stat(path);
      const bytes = await Deno.readFile(path);
      const digest = await crypto.subtle.digest("SHA-256", bytes);
      const short = new Uint8Array(digest).toHex().slice(0, 16);
      files[path.slice(node.folder.length + 1)] = `${
        ((mode ?? 0) & 0o777).toString(8)
      } ${short}`;
    }
  }
  return Object.fromEntries(Object.entries(files).sort());
}

/**
 * Lists what a runtime reads.
 *
 * @param node Whose.
 * @returns The names of the network configurations, sorted.
 */
export async function configNames(node: Node): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(node.confDir));
  return entries.map(({ name }) => name)
    .filter((name) => /\.(conf|conflist|json)$/.test(name)).sort();
}

/** The executable, where the test runner has made it. */
async function program(): Promise<readonly string[]> {
  if (Deno.env.has("TERWAY_COMPILED")) return [`${ROOT}dist/terway`, "install"];
  return [
    ...[Deno.execPath(), "run", "-A", "--quiet", `${ROOT}main.ts`, "install"],
    ...["--launcher", await launcherPath()],
  ];
}

function flags(node: Node): readonly string[] {
  return [
    ...["--cni-bin-dir", node.binDir, "--cni-conf-dir", node.confDir],
    ...["--socket", node.socket, "--wait", "10"],
  ];
}

/** Without --seccomp-bpf, as strace injects nothing with it. */
function traced(kill: Kill | undefined): readonly string[] {
  if (kill === undefined) return [];
  const { syscall, nth } = kill;
  return [
    ...["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${syscall}`],
    ...["-e", `inject=${syscall}:signal=KILL:when=${nth}`],
  ];
}
