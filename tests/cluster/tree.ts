/**
 * A machine as a process tree: namespaces of its own but for the network's,
 * which is the fabric's, and a first process with which all others end.
 *
 * @module
 */
import { join } from "node:path";
import { recordProcess } from "../stage/ledger.ts";
import {
  endProcess,
  identify,
  isRunning,
  launch,
  type Launched,
} from "../stage/process.ts";
import { makeGroups } from "./cgroups.ts";
import { run, type RunOptions, until } from "./command.ts";

/** A machine to be started. */
export interface TreeWish {
  /** Its name. */
  readonly name: string;
  /** The cluster's folder. */
  readonly dir: string;
  /** The first part of the names of its control groups. */
  readonly prefix: string;
  /** The path of its network namespace. */
  readonly netns: string;
  /** Whether it forwards packets. */
  readonly forwards: boolean;
}

/** A daemon of a machine. */
export interface DaemonWish {
  /** Its name, which is its log's. */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
}

const FIRST_PROCESS = new URL("./first_process.sh", import.meta.url).pathname;

/** The file that names every group, so that another process can remove them. */
export const GROUPS_FILE = "groups";

/** A few mounts. */
const READY_DEADLINE_MS = 20_000;

/** A crash is over at once, but for a busy machine. */
const END_DEADLINE_MS = 10_000;

/** A crash gives no time. */
const GRACE_MS = 0;

/** A machine that is up. */
export class Tree {
  /** Its name. */
  readonly name: string;
  /** Its first process. */
  readonly pid: number;
  readonly #dir: string;
  readonly #groups: readonly string[];
  readonly #daemons = new Map<string, { wish: DaemonWish; now: Launched }>();

  /**
   * Takes a tree over; see {@linkcode openTree}.
   *
   * @param wish As it was asked for.
   * @param open Its first process and its groups.
   */
  constructor(
    wish: TreeWish,
    open: { pid: number; groups: readonly string[] },
  ) {
    this.name = wish.name;
    this.pid = open.pid;
    this.#dir = wish.dir;
    this.#groups = open.groups;
  }

  /**
   * Starts a daemon, or one that has ended again.
   *
   * @param wish The daemon.
   */
  start(wish: DaemonWish): void {
    const log = this.logOf(wish.name);
    const now = launch({ command: this.#inside(wish.command), log });
    now.release();
    recordProcess(this.#dir, { ...now.id, role: `${this.name} ${wish.name}` });
    this.#daemons.set(wish.name, { wish, now });
  }

  /**
   * Kills a daemon as a crash does, and starts it again.
   *
   * @param name The daemon's name.
   * @throws {Error} When there is none of that name.
   */
  async restart(name: string): Promise<void> {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) {
      const names = [...this.#daemons.keys()].join(", ");
      throw new Error(`Cannot find ${name} on ${this.name}: it has ${names}`);
    }
    // What was started waits outside for what runs inside.
    const inside = childOf(daemon.now.id.pid);
    const killed = inside === undefined ? undefined : identify(inside);
    if (killed !== undefined) {
      await endProcess(killed, GRACE_MS);
      // It is dead when its first thread is; its port is free once all are,
      // and then who waits for it ends.
      await until(
        `the end of ${name}`,
        { deadlineMs: END_DEADLINE_MS, periodMs: 10 },
        () => !isRunning(daemon.now.id),
      );
    }
    await endProcess(daemon.now.id, GRACE_MS);
    this.start(daemon.wish);
  }

  /**
   * Names the daemons that have ended.
   *
   * @returns Their names.
   */
  ended(): readonly string[] {
    return [...this.#daemons].filter(([_, { now }]) => !isRunning(now.id))
      .map(([name]) => name);
  }

  /**
   * Runs a command on the machine.
   *
   * @param command The program and its arguments.
   * @param options Its standard input, its deadline.
   * @returns What it printed.
   */
  run(
    command: readonly [string, ...string[]],
    options: RunOptions = {},
  ): Promise<string> {
    return run(this.#inside(command), options);
  }

  /**
   * Gives the path of a daemon's log.
   *
   * @param daemon Its name.
   * @returns The path.
   */
  logOf(daemon: string): string {
    return join(this.#dir, "log", `${this.name}-${daemon}.log`);
  }

  /** A process is in its groups before it is in the tree: a group's namespace moves nobody. */
  #inside(
    command: readonly [string, ...string[]],
  ): [string, ...string[]] {
    return [
      ...["/bin/sh", "-c", ENTER_GROUPS, this.#groups.join(" ")] as const,
      ...enterCommand(this.pid, command),
    ];
  }
}

/** `$0` is a list of folders. */
const ENTER_GROUPS = 'for f in $0; do echo $$ >"$f/cgroup.procs"; done; ' +
  'exec "$@"';

/**
 * Gives the command that runs another in a machine's namespaces.
 *
 * @param pid The machine's first process.
 * @param command What to run there.
 * @returns The command.
 */
export function enterCommand(
  pid: number,
  command: readonly [string, ...string[]],
): [string, ...string[]] {
  return [
    ...["nsenter", "-t", `${pid}`, "-m", "-n", "-p", "-u", "-i", "-C"] as const,
    "--",
    ...command,
  ];
}

/**
 * Starts a machine.
 *
 * @param wish See {@linkcode TreeWish}.
 * @returns The machine, without daemons.
 */
export async function openTree(wish: TreeWish): Promise<Tree> {
  const { name, dir, netns, forwards } = wish;
  const { folders, controllers } = makeGroups(`${wish.prefix}-${name}`);
  const list = folders.map((folder) => `${folder}\n`).join("");
  await Deno.writeTextFile(join(dir, GROUPS_FILE), list, { append: true });
  const data = join(dir, "state", name);
  const ready = join(data, ".ready");
  await Deno.mkdir(data, { recursive: true });
  const launched = launch({
    command: [
      ...["/bin/sh", "-c", ENTER_GROUPS, folders.join(" ")] as const,
      ...["nsenter", `--net=${netns}`, "--", "unshare"],
      ...["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork"],
      ...["--kill-child", "--propagation", "private"],
      ...[FIRST_PROCESS, name, data, ready, forwards ? "1" : "0"],
      ...controllers,
    ],
    log: join(dir, "log", `${name}.log`),
  });
  launched.release();
  recordProcess(dir, { ...launched.id, role: name });
  await until(
    `machine ${name}`,
    { deadlineMs: READY_DEADLINE_MS },
    async () => {
      if (!isRunning(launched.id)) {
        throw new Error(
          await Deno.readTextFile(join(dir, "log", `${name}.log`)),
        );
      }
      return (await Deno.stat(ready)).isFile;
    },
  );
  const pid = childOf(launched.id.pid);
  const first = pid === undefined ? undefined : identify(pid);
  if (pid === undefined || first === undefined) {
    throw new Error(`Cannot find the first process of ${name}`);
  }
  recordProcess(dir, { ...first, role: `${name} first process` });
  return new Tree(wish, { pid, groups: folders });
}

/** The first process of a new process namespace is the child of who made it. */
function childOf(pid: number): number | undefined {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    const [first = ""] = text.trim().split(" ");
    return first === "" ? undefined : Number(first);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
