/**
 * The command line of `terway daemon`.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { addressAt, type Cidr, parseCidr } from "../../netns/ip.ts";
import { LOG_LEVELS, type LogLevel } from "../log.ts";
import { DEFAULT_SOCKET } from "../wire.ts";
import { DAEMON_MODES, type DaemonMode } from "./mode.ts";

/** What `terway daemon --help` prints. */
export const USAGE: string =
  `terway daemon: a node's pool of ENIs and its pods' network

  --config FILE       eni_conf, JSON or YAML    [/etc/eni/eni.conf]
  --node-config FILE  laid over it by RFC 7396; there needn't be one
  --socket PATH       where relays ask          [${DEFAULT_SOCKET}]
  --state-dir DIR     journal and tombstones    [/var/lib/terway]
  --daemon-mode MODE  ${DAEMON_MODES.join(", ")} [ENIMultiIP]
  --pod-cidr CIDR     the node's pod CIDR, with --daemon-mode VPC; with --node
                      the node's object tells it
  --node NAME         the node's name in a Kubernetes cluster: configuration,
                      pods, events and the node's condition go by its API
  --namespace NS      of ConfigMap eni-config, with --node  [kube-system]
  --kubeconfig FILE   with --node, instead of the pod's service account
  --http ADDRESS      serve /healthz, /readyz and /metrics, as 127.0.0.1:9479
  --log-level LEVEL   ${LOG_LEVELS.join(", ")} [info]
  --add-deadline S    how long an ADD waits for an address, in seconds [60]
  --install           put plugin and network list in place once pods can be
                      served: \`terway install\` beside this daemon, with its
                      --cni-bin-dir, --cni-conf-dir, --cni-version, --launcher
  --drain             give every ENI back that terway made, and end
  --help              this text

Environment: AK_ID and AK_SECRET (else the instance's RAM role), ECS_ENDPOINT,
VPC_ENDPOINT, ALICLOUD_CLIENT_SCHEME, ALIBABA_CLOUD_IMDS_ENDPOINT.
`;

const DEFAULTS = {
  config: "/etc/eni/eni.conf",
  "node-config": "",
  socket: DEFAULT_SOCKET,
  "state-dir": "/var/lib/terway",
  "log-level": "info",
  "daemon-mode": "ENIMultiIP",
  "pod-cidr": "",
  node: "",
  namespace: "kube-system",
  kubeconfig: "",
  http: "",
  "add-deadline": "60",
};

/** Flags that are `terway install`'s, and are left to it. */
const INSTALL_FLAGS = [
  "cni-bin-dir",
  "cni-conf-dir",
  "cni-version",
  "launcher",
] as const;

/** What the daemon is started with. */
export interface DaemonArguments {
  /** The configuration's file. */
  readonly config: string;
  /** The file of this node's own settings, which win. */
  readonly nodeConfig?: string;
  /** The socket's path. */
  readonly socket: string;
  /** The folder of the journal and the tombstones. */
  readonly stateDir: string;
  /** How pods get their network. */
  readonly mode: DaemonMode;
  /** The node's pod CIDR, in mode `VPC`. */
  readonly podCidr?: Cidr;
  /** The cluster that the node is of. */
  readonly cluster?: {
    readonly nodeName: string;
    readonly namespace: string;
    readonly kubeconfig?: string;
  };
  /** Where health and metrics are served. */
  readonly http?: { readonly hostname: string; readonly port: number };
  /** How much is logged. */
  readonly logLevel: LogLevel;
  /** How long an ADD waits for an address before the runtime comes again. */
  readonly addDeadlineMs: number;
  /** The flags of `terway install`, when that is wanted beside the daemon. */
  readonly install?: readonly string[];
  /** Whether to empty the pool and end. */
  readonly drain: boolean;
  /** Whether only the usage is wanted. */
  readonly help: boolean;
}

/**
 * Reads the command line.
 *
 * @param args What follows `terway daemon`.
 * @returns The arguments.
 * @throws {SyntaxError} With every problem.
 */
export function readArguments(args: readonly string[]): DaemonArguments {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    string: [...Object.keys(DEFAULTS), ...INSTALL_FLAGS],
    boolean: ["install", "drain", "help"],
    default: DEFAULTS,
    unknown: (arg) => {
      problems.push(`${arg} is not known`);
      return false;
    },
  });
  const oneOf = <T extends string>(
    name: "log-level" | "daemon-mode",
    all: readonly T[],
  ): T | undefined => {
    const found = all.find((one) => one === flags[name]);
    if (found === undefined) {
      problems.push(
        `--${name} must be ${all.join(", ")}: it is "${flags[name]}"`,
      );
    }
    return found;
  };
  const logLevel = oneOf("log-level", LOG_LEVELS);
  const mode = oneOf("daemon-mode", DAEMON_MODES);
  const addDeadlineMs = Number(flags["add-deadline"]) * 1000;
  // Above, the relay's own patience would end first.
  if (!(addDeadlineMs >= 100 && addDeadlineMs <= 60_000)) {
    problems.push(
      `--add-deadline must be 0.1 to 60 seconds: it is "${
        flags["add-deadline"]
      }"`,
    );
  }
  for (const name of ["config", "socket", "state-dir"] as const) {
    if (flags[name] === "") problems.push(`--${name} must not be empty`);
  }
  problems.push(...podCidrProblems(flags["pod-cidr"], mode, flags.node !== ""));
  const install = installFlags(flags);
  if (install.length > 0 && !flags["install"]) {
    problems.push(`${install[0]} has no effect without --install`);
  }
  const cluster = clusterOf(flags, problems);
  const http = addressOf(flags.http, problems);
  if (problems.length > 0) throw new SyntaxError(problems.join("; "));
  return {
    config: flags.config,
    ...flags["node-config"] && { nodeConfig: flags["node-config"] },
    socket: flags.socket,
    stateDir: flags["state-dir"],
    mode: mode ?? "ENIMultiIP",
    ...flags["pod-cidr"] && { podCidr: flags["pod-cidr"] },
    ...{ ...cluster && { cluster }, ...http && { http } },
    logLevel: logLevel ?? "info",
    addDeadlineMs,
    ...(flags["install"] ? { install } : {}),
    drain: flags.drain,
    help: flags.help,
  };
}

function clusterOf(
  { node, namespace, kubeconfig }: {
    readonly node: string;
    readonly namespace: string;
    readonly kubeconfig: string;
  },
  problems: string[],
): DaemonArguments["cluster"] {
  if (node === "") {
    if (kubeconfig !== "") problems.push("--kubeconfig needs --node");
    return undefined;
  }
  if (namespace === "") problems.push("--namespace must not be empty");
  const file = kubeconfig === "" ? {} : { kubeconfig };
  return { nodeName: node, namespace, ...file };
}

function addressOf(
  text: string,
  problems: string[],
): DaemonArguments["http"] {
  if (text === "") return undefined;
  const [, hostname = "", digits = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (hostname !== "" && port >= 1 && port <= 65_535) {
    return { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port };
  }
  problems.push(`--http must be ADDRESS:PORT: it is "${text}"`);
  return undefined;
}

function installFlags(
  flags: Readonly<Record<string, unknown>>,
): readonly string[] {
  return INSTALL_FLAGS.flatMap((name) => {
    const value = flags[name];
    return typeof value === "string" ? [`--${name}`, value] : [];
  });
}

/** Source: Kubernetes' own limits of a node's pod CIDR, as far as IPv4 goes. */
function podCidrProblems(
  text: string,
  mode: DaemonMode | undefined,
  isInCluster: boolean,
): readonly string[] {
  if (mode === "VPC" && text === "" && !isInCluster) {
    return ["--pod-cidr must be given with --daemon-mode VPC, or --node"];
  }
  if (text === "") return [];
  if (mode !== "VPC") {
    return ["--pod-cidr has no effect without --daemon-mode VPC"];
  }
  const rule = "--pod-cidr must be an IPv4 prefix of 8 to 29 bits without " +
    `host bits, such as 172.30.0.0/24: it is "${text}"`;
  try {
    const { ip, length, family } = parseCidr(text);
    const isFit = family === 4 && length >= 8 && length <= 29 &&
      addressAt(text, 0) === ip;
    return isFit ? [] : [rule];
  } catch {
    return [rule];
  }
}
