/**
 * What `deno task cluster` was asked to do: its words, read once.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "node:path";
import { expectNoMore, readCount } from "../stage/words.ts";
import { NETWORK_CONFORMANCE } from "./conformance.ts";
import {
  ClusterError,
  DEFAULT_CLUSTER_DIR,
  MACHINE_FOLDERS,
} from "./description.ts";

/** What a cluster begins with. */
export interface ClusterWish {
  /** How many nodes. */
  readonly nodeCount: number;
  /** How many zones, each with a vSwitch. */
  readonly zoneCount: number;
  /** The network that pods get; none: nodes aren't Ready. */
  readonly network: Network;
  /** How kube-proxy does it. */
  readonly proxy: Proxy;
  /** What nodes, pods and Services have addresses of. */
  readonly families: Families;
}

/** What shall be done; every one to the cluster in `dir`. */
export type Command =
  & (
    | { readonly name: "help" | "down" | "status" | "build" | "install" }
    | (ClusterWish & {
      /** `serve` is what `up` starts in the background. */
      readonly name: "up" | "serve";
    })
    | { readonly name: "kubectl"; readonly words: readonly string[] }
    | {
      readonly name: "exec";
      readonly machine: string;
      readonly command: readonly [string, ...string[]];
    }
    | {
      readonly name: "e2e";
      /** A regular expression that names match. */
      readonly focus: string;
    }
    | { readonly name: "load"; readonly files: readonly string[] }
    | {
      readonly name: "kill";
      readonly machine: string;
      readonly daemon: string;
    }
  )
  & {
    /** The cluster's folder, absolute. */
    readonly dir: string;
  };

/** What `deno task cluster` says about itself. */
export const USAGE: string =
  `deno task cluster: a real Kubernetes on this machine, whose nodes are \
instances of an emulated cloud

  build                      build it from the Go module proxy, once
  up [--nodes N] [--zones Z] [--network none|ptp|terway|terway-eni|terway-vpc]
     [--proxy nftables|iptables|none] [--families ipv4|ipv4,ipv6]
                             begin one (2 nodes, 2 zones)
  install                    terway of this source, as terway-multiip.yml
  status                     nodes, pods, and what each machine runs
  kubectl WORD …             kubectl as the administrator
  exec MACHINE [-- CMD …]    run a command (a shell) on n1, n2, … or cp
  load FILE …                import image archives on every node
  e2e [FOCUS]                Kubernetes' own tests whose names match
                             ([sig-network] and [Conformance])
  kill MACHINE DAEMON        end a daemon (kubelet, containerd, …) and start
                             it again
  down                       end it and leave nothing

  --dir DIR   where it lives (${DEFAULT_CLUSTER_DIR}); it comes first
`;

const NETWORKS = ["none", "ptp", "terway", "terway-eni", "terway-vpc"] as const;

/** What pods' network is: terway by one of its three manifests, or not. */
export type Network = typeof NETWORKS[number];
const PROXIES = ["nftables", "iptables", "none"] as const;

/** A mode of kube-proxy, or no kube-proxy. */
export type Proxy = typeof PROXIES[number];
const FAMILIES = ["ipv4", "ipv4,ipv6"] as const;

/** One stack or two; the cloud's own services have IPv4 addresses only. */
export type Families = typeof FAMILIES[number];

/** A node takes some 300 MB of memory. */
const NODE_LIMIT = 8;
const ZONE_LIMIT = 8;

/**
 * Reads a command line.
 *
 * @param words What followed `deno task cluster`.
 * @returns What to do.
 * @throws {ClusterError} When it can't be understood.
 */
export function readCommand(words: readonly string[]): Command {
  const { dir, rest } = takeDir(words);
  const [verb = "help", ...more] = rest;
  switch (verb) {
    case "help":
    case "--help":
    case "-h":
      return { name: "help", dir };
    case "kubectl":
      return { name: "kubectl", words: more, dir };
    case "down":
    case "status":
    case "build":
    case "install":
      expectNoMore(verb, more);
      return { name: verb, dir };
    case "up":
    case "serve":
      return { name: verb, dir, ...readWish(verb, more) };
    case "exec":
      return { ...readExec(more), dir };
    case "e2e": {
      const [focus = NETWORK_CONFORMANCE, ...left] = more;
      expectNoMore(verb, left);
      return { name: verb, focus, dir };
    }
    case "load":
      return { name: verb, files: more.map((path) => resolve(path)), dir };
    case "kill": {
      const [machine, daemon, ...left] = more;
      expectNoMore(verb, left);
      if (machine === undefined || daemon === undefined) {
        throw new ClusterError("Cannot kill: give a machine and a daemon");
      }
      return { name: verb, machine, daemon, dir };
    }
  }
  throw new ClusterError(`Cannot understand "${verb}": see --help`);
}

/** What follows `kubectl` and `exec` is theirs: `--dir` stands before. */
function takeDir(
  words: readonly string[],
): { dir: string; rest: readonly string[] } {
  const [flag, dir, ...rest] = words;
  if (flag !== "--dir") return { dir: DEFAULT_CLUSTER_DIR, rest: words };
  if (dir === undefined) throw new ClusterError("--dir needs a folder");
  const path = resolve(dir);
  const hiding = MACHINE_FOLDERS.find((one) =>
    `${path}/`.startsWith(`${one}/`)
  );
  if (hiding !== undefined) {
    throw new ClusterError(
      `Cannot use --dir ${dir} as each machine has a ${hiding} of its own`,
    );
  }
  return { dir: path, rest };
}

function readWish(verb: string, words: readonly string[]): ClusterWish {
  const args = parseArgs([...words], {
    string: ["nodes", "zones", "network", "proxy", "families", "_"],
    unknown: (word, key) => {
      if (key !== undefined) {
        throw new ClusterError(`Cannot understand ${word}: see --help`);
      }
    },
  });
  expectNoMore(verb, args._.map(String));
  const network = readChoice("network", args.network, NETWORKS);
  const families = readChoice("families", args.families, FAMILIES);
  if (network === "terway-vpc" && families !== "ipv4") {
    throw new ClusterError(
      `Cannot use --families ${families} with --network ${network}: a node's ` +
        "pod CIDR of the VPC is IPv4",
    );
  }
  return {
    nodeCount: readCount({
      name: "nodes",
      text: args.nodes,
      limit: NODE_LIMIT,
    }),
    zoneCount: readCount({
      name: "zones",
      text: args.zones,
      limit: ZONE_LIMIT,
    }),
    network,
    proxy: readChoice("proxy", args.proxy, PROXIES),
    families,
  };
}

function readExec(words: readonly string[]): {
  readonly name: "exec";
  readonly machine: string;
  readonly command: readonly [string, ...string[]];
} {
  const [machine, ...more] = words;
  if (machine === undefined) {
    throw new ClusterError("Cannot exec without a machine's name");
  }
  const [program = "/bin/sh", ...rest] = more[0] === "--"
    ? more.slice(1)
    : more;
  return { name: "exec", machine, command: [program, ...rest] };
}

function readChoice<T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  if (text === undefined) return choices[0];
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new ClusterError(
    `Cannot use --${name} ${text} as it must be ${choices.join(", ")}`,
  );
}
