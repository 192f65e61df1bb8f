/**
 * What `deno task stage` was asked to do: its words, read once.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { resolve } from "node:path";
import { DEFAULT_STAGE_DIR, StageError } from "./description.ts";
import { expectNoMore, readCount } from "./words.ts";

/** A size of a stage. */
export interface StageSize {
  /** How many nodes. */
  readonly nodeCount: number;
  /** How many zones, each with a vSwitch. */
  readonly zoneCount: number;
}

/** What shall be done; every one to the stage in `dir`. */
export type Command =
  & (
    | { readonly name: "help" }
    | (StageSize & {
      /** `serve` is what `up` starts in the background. */
      readonly name: "up" | "serve";
      /** A file with keys of eni_conf that win over the stage's own. */
      readonly config?: string;
    })
    | { readonly name: "down" | "status" }
    | { readonly name: "pod ls" }
    | {
      readonly name: "pod add";
      readonly pod: string;
      /** Without one, the node with the fewest pods. */
      readonly node?: string;
    }
    | { readonly name: "pod del" | "pod check"; readonly pod: string }
    | {
      readonly name: "pod exec";
      readonly pod: string;
      readonly command: readonly [string, ...string[]];
    }
    | {
      readonly name: "node exec";
      readonly node: string;
      readonly command: readonly [string, ...string[]];
    }
  )
  & {
    /** The stage's folder, absolute. */
    readonly dir: string;
  };

/** What is done to pods. */
export type PodCommand = Extract<Command, { name: `pod ${string}` }>;

/** What begins a stage. */
export type UpCommand = Extract<Command, { name: "up" | "serve" }>;

/** What `deno task stage` says about itself. */
export const USAGE: string =
  `deno task stage: an emulated cloud, a VPC of network \
namespaces and a daemon per node, without Kubernetes

  up [--nodes N] [--zones Z] [--config FILE]   begin one (2 nodes, 2 zones)
  status                                       what runs where
  pod add POD [--node NODE]                    a namespace, wired by the plugin
  pod check|del POD                            CHECK it, or DEL and remove it
  pod ls                                       every pod
  pod exec POD [-- CMD …]                      run a command (a shell) in it
  node exec NODE [-- CMD …]                    the same on a node
  down                                         end it and leave nothing

  --dir DIR   where it lives (${DEFAULT_STAGE_DIR}); several can run at once
`;

/** Enough to see a cluster; each is a process of some 90 MB. */
const NODE_LIMIT = 32;

/** As many as the largest region has, rounded up. */
const ZONE_LIMIT = 16;

/**
 * Reads a command line.
 *
 * @param words What followed `deno task stage`.
 * @returns What to do.
 * @throws {StageError} When it can't be understood.
 */
export function readCommand(words: readonly string[]): Command {
  const args = parseArgs([...words], {
    string: ["nodes", "zones", "dir", "config", "node", "_"],
    boolean: ["help"],
    alias: { h: "help" },
    "--": true,
    unknown: (word, key) => {
      if (key !== undefined) {
        throw new StageError(`Cannot understand ${word}: see --help`);
      }
    },
  });
  const dir = resolve(args.dir || DEFAULT_STAGE_DIR);
  const [verb = "help", ...rest] = args._.map(String);
  if (args.help) return { name: "help", dir };
  switch (verb) {
    case "help":
    case "down":
    case "status":
      expectNoMore(verb, rest);
      return { name: verb, dir };
    case "up":
    case "serve":
      expectNoMore(verb, rest);
      return {
        name: verb,
        dir,
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
        ...(args.config === undefined ? {} : { config: args.config }),
      };
    case "pod":
      return readPodCommand(rest, { dir, node: args.node, run: args["--"] });
    case "node":
      return readNodeCommand(rest, { dir, run: args["--"] });
  }
  throw new StageError(`Cannot understand "${verb}": see --help`);
}

function readPodCommand(
  [verb, pod, ...rest]: readonly string[],
  flags: { dir: string; node: string | undefined; run: readonly string[] },
): Command {
  const { dir, node } = flags;
  const name = `pod ${verb ?? ""}`;
  if (name === "pod ls") {
    expectNoMore(name, pod === undefined ? [] : [pod]);
    return { name, dir };
  }
  if (!/^pod (add|del|check|exec)$/.test(name)) {
    throw new StageError(
      `Cannot understand "${name.trim()}": it is pod add, check, del, ls or exec`,
    );
  }
  if (pod === undefined) {
    throw new StageError(`Cannot do "${name}" without a pod's name`);
  }
  if (name === "pod exec") {
    return { name, dir, pod, command: readRun(flags.run, rest) };
  }
  expectNoMore(name, rest);
  if (name === "pod add") {
    return { name, dir, pod, ...(node === undefined ? {} : { node }) };
  }
  return { name: name === "pod del" ? name : "pod check", dir, pod };
}

function readNodeCommand(
  [verb, node, ...rest]: readonly string[],
  flags: { dir: string; run: readonly string[] },
): Command {
  if (verb !== "exec") {
    throw new StageError(
      `Cannot understand "node ${verb ?? ""}": it is node exec`,
    );
  }
  if (node === undefined) {
    throw new StageError('Cannot do "node exec" without a node\'s name');
  }
  const command = readRun(flags.run, rest);
  return { name: "node exec", dir: flags.dir, node, command };
}

/** Takes what follows `--`, or what follows the name: a shell if nothing. */
function readRun(
  afterDashes: readonly string[],
  afterName: readonly string[],
): [string, ...string[]] {
  const [program = "/bin/sh", ...rest] = [...afterName, ...afterDashes];
  return [program, ...rest];
}
