/**
 * A machine with a kernel of its own: User-Mode Linux, whose root is this
 * machine's, read-only, and whose network cards are ends of the fabric.
 *
 * It shows what a namespace can't: cards that have no link kind, are plugged
 * into a running kernel and come home when a pod dies; kinds of links that the
 * kernel beneath hasn't got; a reboot after which only the disk is left.
 *
 * ```text
 *   this process            guest
 *   Guest ── serial line ── agent.ts ── programs, the daemon, namespaces
 *     └──── mconsole ────── kernel ──── eth0, eth1, …
 *                                        └─ taps eN in the VPC's namespace
 * ```
 *
 * @module
 */
import { join } from "node:path";
import { bundleOne } from "../deploy/bundle.ts";
import { cpuMsOfGroup } from "./guest/cpu.ts";
import { manage } from "./guest/mconsole.ts";
import {
  type Answer,
  linesOf,
  type Ran,
  type Requests,
  type Run,
  type Verb,
} from "./guest/protocol.ts";

const ROOT = new URL("../", import.meta.url).pathname;

/** What boots and requests may take on a busy machine; a boot takes 3 s. */
const BOOT_DEADLINE_MS = 60_000;

const REQUEST_DEADLINE_MS = 60_000;

/** Each is some hundred bytes on its serial line. */
const REQUESTS_AT_ONCE = 8;

/** After this it ends by itself, whoever has forgotten it. */
const LIFE_S = 1_200;

const MEMORY = "768M";
const DISK_BYTES = 32 * 2 ** 20;

/** Benchmarks of software RAID, 0.9 s of a boot, and what would run on it. */
const SKIPPED = "raid6_select_algo,calibrate_xor_blocks,init_btrfs_fs";

/** A card as the guest's kernel is told of it. */
export interface GuestCard {
  /** The tap in the VPC's namespace. */
  readonly tap: string;
  /** Its MAC. */
  readonly mac: string;
}

/** A guest to be booted. */
export interface GuestWish {
  /** A folder of its own: shared with it, at the same path. */
  readonly dir: string;
  /** Where its disk is mounted. */
  readonly diskAt: string;
  /** The path of the namespace that has its taps. */
  readonly vpcNetns: string;
  /** The card that it has from the beginning. */
  readonly primary: GuestCard & {
    /** Its address with the vSwitch's prefix length. */
    readonly cidr: string;
    /** The vSwitch's gateway. */
    readonly gateway: string;
  };
  /** Modules that are loaded at once. */
  readonly modules?: readonly string[];
}

/**
 * Tells why this machine can't have guests.
 *
 * @returns Nothing when it can.
 */
export function whyNoGuest(): string | undefined {
  if (Deno.uid() !== 0) return "it needs root";
  for (
    const path of ["/usr/bin/linux.uml", "/usr/lib/uml/modules", "/dev/net/tun"]
  ) {
    try {
      Deno.statSync(path);
    } catch {
      return `${path} isn't there (package user-mode-linux)`;
    }
  }
  return undefined;
}

/** A request that hasn't been answered. */
interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  /** When it has been answered. */
  readonly over: Promise<void>;
}

/** A running guest. */
export class Guest implements AsyncDisposable {
  /** How long the boot took, until the first request could be made. */
  bootMs = 0;
  readonly #wish: GuestWish;
  readonly #pending = new Map<number, Pending>();
  readonly #cards: (GuestCard | undefined)[] = [];
  #lastId = 0;
  #child: Deno.ChildProcess | undefined;
  #line: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;

  private constructor(wish: GuestWish) {
    this.#wish = wish;
    this.#cards.push(wish.primary);
  }

  /**
   * Boots one, with an empty disk.
   *
   * @param wish See {@linkcode GuestWish}.
   * @returns The guest, its primary card set up.
   */
  static async boot(wish: GuestWish): Promise<Guest> {
    await Deno.mkdir(wish.diskAt, { recursive: true });
    const agent = { name: "agent", entry: "tests/guest/agent.ts" };
    await bundleOne(wish.dir, agent);
    await makeDisk(diskOf(wish));
    const guest = new Guest(wish);
    try {
      await guest.start();
      return guest;
    } catch (error) {
      await guest[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Boots it, with the disk and the cards that it has.
   *
   * @throws {Error} With the end of its console when it doesn't come up.
   */
  async start(): Promise<void> {
    const startMs = performance.now();
    const { dir, primary } = this.#wish;
    await writeEnvironment(this.#wish);
    const { promise: up, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(0, {
      resolve,
      reject,
      over: up.then(() => {}, () => {}),
    });
    const child = this.#spawn();
    this.#child = child;
    this.#line = child.stdin.getWriter();
    this.#listen(child).catch(() => {}) // the line ends with the guest
      .finally(() => reject(new Error("it has ended")));
    const timer = setTimeout(
      () => reject(new Error("it isn't up in time")),
      BOOT_DEADLINE_MS,
    );
    try {
      await up;
      const { cidr, gateway } = primary;
      await this.ask("configure", { link: "eth0", cidr, gateway });
    } catch (error) {
      const end = (await Deno.readTextFile(`${dir}/console`)).slice(-2_000);
      throw new Error(`Cannot boot a guest: ${error}\n${end}`);
    } finally {
      clearTimeout(timer);
    }
    this.bootMs = performance.now() - startMs;
  }

  /** Takes its power away: what isn't on the disk is lost. */
  async cut(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    try {
      // Its threads of input and output are processes of the same group, and
      // hold its disk.
      Deno.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await child.status;
    await this.#line?.abort().catch(() => {});
    for (const { reject } of this.#pending.values()) {
      reject(new Error("the guest's power was cut"));
    }
    this.#pending.clear();
  }

  /**
   * Plugs a card into the running kernel; it has it when this returns.
   *
   * @param card The card.
   */
  async plug(card: GuestCard): Promise<void> {
    const free = this.#cards.indexOf(undefined);
    const slot = free === -1 ? this.#cards.length : free;
    this.#cards[slot] = card;
    if (this.#child === undefined) return; // it will have it when it boots
    await manage(this.#console(), `config ${deviceOf(card, slot)}`);
  }

  /**
   * Pulls a card out, wherever in the guest it is.
   *
   * @param mac Its MAC.
   */
  async unplug(mac: string): Promise<void> {
    const slot = this.#cards.findIndex((card) => card?.mac === mac);
    if (slot === -1) return;
    this.#cards[slot] = undefined;
    if (this.#child === undefined) return;
    // The kernel gives up only a card that is down; a real one is just gone.
    await this.ask("setDown", mac);
    await manage(this.#console(), `remove eth${slot}`);
  }

  /**
   * Asks the agent.
   *
   * @typeParam V The request's name.
   * @param verb The request.
   * @param argument What it takes.
   * @returns What it gives.
   * @throws {Error} What went wrong in the guest.
   */
  async ask<V extends Verb>(
    verb: V,
    argument: Requests[V]["in"],
  ): Promise<Requests[V]["out"]> {
    if (this.#line === undefined) throw new Error("the guest isn't up");
    // Its serial line loses what comes while its buffer of 4 kB is full.
    while (this.#pending.size >= REQUESTS_AT_ONCE) {
      await Promise.race([...this.#pending.values()].map(({ over }) => over));
    }
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const over = promise.then(() => {}, () => {}); // whoever asked hears of it
    this.#pending.set(id, { resolve, reject, over });
    const late = new Error(`the guest doesn't answer to ${verb}`);
    const own = verb === "run" ? (argument as Run).deadlineMs ?? 0 : 0;
    const deadlineMs = own + REQUEST_DEADLINE_MS;
    const timer = setTimeout(() => reject(late), deadlineMs);
    try {
      const text = `${JSON.stringify({ id, verb, argument })}\n`;
      await this.#line.write(new TextEncoder().encode(text));
      // The verb tells the type; the agent keeps to the same table.
      return await promise as Requests[V]["out"];
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  /**
   * Runs a program in the guest.
   *
   * @param command The program and its arguments.
   * @param more Its environment and input.
   * @returns How it ended.
   */
  run(
    command: Run["command"],
    more: Omit<Run, "command"> = {},
  ): Promise<Ran> {
    return this.ask("run", { command, ...more });
  }

  /**
   * Runs a program that must succeed.
   *
   * @param command The program and its arguments.
   * @returns What it printed.
   * @throws {Error} When it didn't, with what it said.
   */
  async text(...command: Run["command"]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code === 0) return stdout;
    throw new Error(`Cannot ${command.join(" ")}: ${stderr}${stdout}`);
  }

  /**
   * Reads what the guest has taken of this machine's processors since it was
   * booted: its kernel, and all that runs in it.
   *
   * @returns Milliseconds.
   */
  cpuMs(): number {
    return cpuMsOfGroup(this.#child?.pid);
  }

  /** Ends it; its disk stays in its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut();
  }

  #spawn(): Deno.ChildProcess {
    const { dir, vpcNetns } = this.#wish;
    const cards = this.#cards.flatMap((card, slot) =>
      card === undefined ? [] : [deviceOf(card, slot)]
    );
    const kernel = [
      ...["linux.uml", `mem=${MEMORY}`, "quiet", "ro", "root=/dev/root"],
      ...["rootfstype=hostfs", "rootflags=/", `initcall_blacklist=${SKIPPED}`],
      ...[`init=${ROOT}tests/guest/init.sh`, `guest_dir=${dir}`],
      ...[`ubd0=${diskOf(this.#wish)}`, "con=null", "con0=null,fd:2"],
      // Else it leaves its sockets in the home folder.
      ...["ssl0=fd:0,fd:1", "umid=guest", `uml_dir=${dir}/`, ...cards],
    ];
    // The taps are in the VPC; the console is a file.
    return new Deno.Command("nsenter", {
      args: [
        ...[`--net=${vpcNetns}`, "sh", "-c", 'exec "$@" 2>>"$0"'],
        ...[`${dir}/console`, ...kernel],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      detached: true,
    }).spawn();
  }

  async #listen(child: Deno.ChildProcess): Promise<void> {
    for await (const line of linesOf(child.stdout)) {
      const answer: Answer = JSON.parse(line);
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if ("error" in answer) pending?.reject(new Error(answer.error));
      else pending?.resolve(answer.value);
    }
  }

  #console(): string {
    return `${this.#wish.dir}/guest/mconsole`;
  }
}

function deviceOf({ tap, mac }: GuestCard, slot: number): string {
  return `eth${slot}=tuntap,${tap},${mac}`;
}

function diskOf({ dir }: GuestWish): string {
  return join(dir, "disk.img");
}

async function makeDisk(path: string): Promise<void> {
  using file = await Deno.create(path);
  await file.truncate(DISK_BYTES);
  const { success, stderr } = await new Deno.Command("mkfs.ext4", {
    args: ["-q", path],
    env: { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin` },
  }).output();
  if (success) return;
  throw new Error(`Cannot make a disk: ${new TextDecoder().decode(stderr)}`);
}

/** What the guest's first process reads, as shell variables. */
async function writeEnvironment(wish: GuestWish): Promise<void> {
  const variables = {
    GUEST_DISK_AT: wish.diskAt,
    GUEST_DENO: Deno.execPath(),
    GUEST_LIFE_S: String(LIFE_S),
    GUEST_MODULES: (wish.modules ?? []).join(" "),
    DENO_DIR: "/run/deno",
    TMPDIR: "/tmp",
  };
  const text = Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value}'\n`).join("");
  await Deno.writeTextFile(join(wish.dir, "environment"), text);
}
