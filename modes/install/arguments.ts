/**
 * The command line of `terway install`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { DEFAULT_SOCKET } from "../wire.ts";
import { stampProblems } from "./stamp.ts";

/**
 * The newest version that every supported runtime and chained plugin takes.
 * containerd 1.6 and 1.7 link libcni 1.1, which can't read a result of 1.1.0,
 * and the `portmap` of Debian 12 (1.1.1) refuses such a list. 1.1.0 brings GC
 * and STATUS on nodes where containerd is 2.0 or later, with newer plugins.
 */
const DEFAULT_VERSION = "1.0.0";

/** What a list's `cniVersion` may be. Source: CNI spec, its released versions. */
const VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** An hour: a node without a daemon for longer needs a person. */
const WAIT_LIMIT_S = 3600;

/** What `terway install --help` prints. */
export const USAGE: string =
  `terway install: the CNI plugin and its configuration on this node

  --cni-bin-dir DIR   where the runtime looks for plugins  [/opt/cni/bin]
  --cni-conf-dir DIR  where it looks for networks          [/etc/cni/net.d]
  --socket PATH       where the daemon listens  [${DEFAULT_SOCKET}]
  --state-dir DIR     the daemon's --state-dir  [/var/lib/terway]
  --cni-version V     ${VERSIONS.join(", ")} [${DEFAULT_VERSION}]
  --wait S            how long to wait for the daemon, in seconds [300]
  --launcher FILE     place this launcher and not the one in the executable
  --launcher-only     place the plugin and end: for an init container, which
                      runs before the daemon can serve
  --uninstall         take both away, and put back what was set aside
  --dry-run           say what would be done, and do nothing
  --help              this text

Safe to repeat, at any time and after any accident. Beside a daemon,
\`terway daemon --install\` does the same once it serves.
`;

/** What `terway install` is started with. */
export interface InstallArguments {
  /** The folder of plugins, without a slash at its end. */
  readonly binDir: string;
  /** The folder of network configurations, without a slash at its end. */
  readonly confDir: string;
  /** The daemon's socket. */
  readonly socket: string;
  /** Where the plugin leaves requests that no daemon answers. */
  readonly tombstoneDir: string;
  /** The version of the list that is written. */
  readonly cniVersion: string;
  /** How long to wait for the daemon. */
  readonly waitMs: number;
  /** A launcher's file; absent for the one that is embedded. */
  readonly launcher?: string;
  /** What shall be done. */
  readonly aim: "install" | "launcher" | "uninstall";
  /** Whether to say it only. */
  readonly dryRun: boolean;
  /** Whether only the usage is wanted. */
  readonly help: boolean;
}

/**
 * Reads the command line.
 *
 * @param args What follows `terway install`.
 * @returns The arguments.
 * @throws {SyntaxError} With every problem, a line each.
 */
export function readArguments(args: readonly string[]): InstallArguments {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    string: [
      ...["cni-bin-dir", "cni-conf-dir", "socket", "state-dir"] as const,
      ...["cni-version", "wait", "launcher"] as const,
    ],
    boolean: ["launcher-only", "uninstall", "dry-run", "help"],
    default: {
      "cni-bin-dir": "/opt/cni/bin",
      "cni-conf-dir": "/etc/cni/net.d",
      socket: DEFAULT_SOCKET,
      "state-dir": "/var/lib/terway",
      "cni-version": DEFAULT_VERSION,
      wait: "300",
    },
    unknown: (arg) => {
      problems.push(`${arg} is not known`);
      return false;
    },
  });
  problems.push(...flags._.map((arg) => `${arg} is not known`));
  const folder = (
    name: "cni-bin-dir" | "cni-conf-dir" | "state-dir",
  ): string => {
    const path = flags[name];
    if (path.startsWith("/")) return path.replace(/\/+$/, "") || "/";
    problems.push(`--${name} must be an absolute path: it is "${path}"`);
    return "";
  };
  const [binDir, confDir] = [folder("cni-bin-dir"), folder("cni-conf-dir")];
  const tombstoneDir = `${folder("state-dir")}/tombstones`;
  problems.push(
    ...stampProblems({ socket: flags.socket }).map((text) => `--${text}`),
    ...stampProblems({ tombstoneDir }).map((text) => `--state-dir: ${text}`),
  );
  const cniVersion = flags["cni-version"];
  if (!VERSIONS.some((version) => version === cniVersion)) {
    problems.push(
      `--cni-version must be ${VERSIONS.join(", ")}: it is "${cniVersion}"`,
    );
  }
  const waitMs = readWait(flags.wait, problems);
  if (flags.launcher === "") problems.push("--launcher must name a file");
  if (flags["launcher-only"] && flags.uninstall) {
    problems.push("--launcher-only and --uninstall exclude each other");
  }
  if (problems.length > 0) throw new SyntaxError(problems.join("\n"));
  return {
    ...{ binDir, confDir, socket: flags.socket, tombstoneDir, cniVersion },
    waitMs,
    ...(flags.launcher === undefined ? {} : { launcher: flags.launcher }),
    aim: aimOf(flags),
    dryRun: flags["dry-run"],
    help: flags.help,
  };
}

function aimOf(
  flags: { readonly uninstall: boolean; readonly "launcher-only": boolean },
): InstallArguments["aim"] {
  if (flags.uninstall) return "uninstall";
  return flags["launcher-only"] ? "launcher" : "install";
}

function readWait(text: string, problems: string[]): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(seconds <= WAIT_LIMIT_S)) {
    problems.push(
      `--wait must be 0 to ${WAIT_LIMIT_S} seconds: it is "${text}"`,
    );
  }
  return Math.round(seconds * 1000);
}
