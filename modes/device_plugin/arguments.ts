/**
 * The command line of `terway device-plugin`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { LOG_LEVELS, type LogLevel } from "../log.ts";
import { DEFAULT_SOCKET } from "../wire.ts";
import { PLUGIN_FOLDER } from "./api.ts";

/** What may be advertised. Source: seeds 003 and 000. */
export const RESOURCES = ["aliyun/eni", "alicloud/eni"] as const;

/** One of {@linkcode RESOURCES}. */
export type ResourceName = typeof RESOURCES[number];

/** What `terway device-plugin --help` prints. */
export const USAGE: string =
  `terway device-plugin: tells the kubelet how many ENIs pods can have

  --resource NAME    what is advertised: ${RESOURCES.join(", ")} [${
    RESOURCES[0]
  }]
  --node-name NAME   devices are NAME-0, NAME-1, … [$NODE_NAME, or the host's]
  --kubelet-dir DIR  where the kubelet's socket is and ours will be
                     [${PLUGIN_FOLDER}]
  --socket PATH      where the daemon is asked [${DEFAULT_SOCKET}]
  --log-level LEVEL  ${LOG_LEVELS.join(", ")} [info]
  --help             this text
`;

/** What the device plugin is started with. */
export interface PluginArguments {
  /** What is advertised. */
  readonly resource: ResourceName;
  /** The node's name. */
  readonly nodeName: string;
  /** The folder of device plugins. */
  readonly folder: string;
  /** The daemon's socket. */
  readonly socket: string;
  /** How much is logged. */
  readonly logLevel: LogLevel;
  /** Whether only the usage is wanted. */
  readonly help: boolean;
}

/**
 * Reads the command line.
 *
 * @param args What follows `terway device-plugin`.
 * @param defaultName The node's name unless the command line says it.
 * @returns The arguments.
 * @throws {SyntaxError} With every problem.
 */
export function readArguments(
  args: readonly string[],
  defaultName: string,
): PluginArguments {
  const problems: string[] = [];
  const names = {
    resource: RESOURCES[0],
    "node-name": defaultName,
    "kubelet-dir": PLUGIN_FOLDER,
    socket: DEFAULT_SOCKET,
    "log-level": "info",
  };
  const flags = parseArgs([...args], {
    string: Object.keys(names),
    boolean: ["help"],
    default: names,
    unknown: (arg) => {
      problems.push(`${arg} is not known`);
      return false;
    },
  });
  const oneOf = <T extends string>(
    name: "resource" | "log-level",
    all: readonly T[],
  ): T | undefined => {
    const found = all.find((one) => one === flags[name]);
    if (found === undefined) {
      problems.push(
        `--${name} must be ${all.join(" or ")}: it is "${flags[name]}"`,
      );
    }
    return found;
  };
  const resource = oneOf("resource", RESOURCES);
  const logLevel = oneOf("log-level", LOG_LEVELS);
  for (const name of ["node-name", "kubelet-dir", "socket"] as const) {
    if (flags[name] === "") problems.push(`--${name} must not be empty`);
  }
  if (problems.length > 0) throw new SyntaxError(problems.join("; "));
  return {
    resource: resource ?? RESOURCES[0],
    nodeName: flags["node-name"],
    folder: flags["kubelet-dir"].replace(/(?<=.)\/+$/, ""),
    socket: flags.socket,
    logLevel: logLevel ?? "info",
    help: flags.help,
  };
}
