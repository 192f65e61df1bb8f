/**
 * A node with a kernel of its own: a guest of the fabric, with the emulated
 * cloud, the real daemon and the real plugin in it.
 *
 * @module
 */
import { join } from "node:path";
import { bundleModes } from "../../deploy/bundle.ts";
import { gatewayOf, parseCidr } from "../../netns/ip.ts";
import type { CloudOptions } from "../emulators/alibaba/cloud.ts";
import { Guest } from "../guest.ts";
import {
  lastLines,
  prepareDaemon,
  type PreparedDaemon,
} from "../stage/daemon.ts";
import { stageName } from "../stage/description.ts";
import type { CniResult, Verb } from "../stage/plugin.ts";
import { openRegion, type Region, type RegionNode } from "../stage/region.ts";
import type { Ran } from "./protocol.ts";

/** Where the daemon listens in the guest. */
const SOCKET = "/run/terway/terway.sock";

/** A daemon loads its code and asks the cloud; slower in a guest. */
const READY_DEADLINE_MS = 60_000;

const LOOK_MS = 100;

/** The folder of the daemon's code, in the node's. */
const BUNDLES = "bundles";

/** How it shall be. */
export interface GuestNodeOptions {
  /** How many nodes beside the guest, without daemons. @default 1 */
  readonly otherCount?: number;
  /** The nodes' type. @default {"ecs.g7.xlarge"} */
  readonly instanceType?: string;
  /** Keys of eni_conf that win over the stage's own. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys of the plugin's configuration. */
  readonly network?: Readonly<Record<string, unknown>>;
  /** What the daemon's command line has besides. */
  readonly flags?: readonly string[];
  /** How the cloud behaves. */
  readonly cloud?: CloudOptions;
  /** Modules that the guest loads at once. */
  readonly modules?: readonly string[];
}

/** A pod in the guest. */
export interface GuestPod {
  /** Its name, and its sandbox's id. */
  readonly name: string;
  /** The path of its namespace, in the guest. */
  readonly netns: string;
  /** Its first address. */
  readonly ip: string;
  /** What ADD answered. */
  readonly result: CniResult;
}

/** The guest, n1, and what is around it. */
export class GuestNode implements AsyncDisposable {
  /** The cloud and the VPC. */
  readonly region: Region;
  /** The machine. */
  readonly guest: Guest;
  /** Its node in the region. */
  readonly node: RegionNode;
  /** Another node of the region, a namespace without a daemon. */
  readonly other: RegionNode;
  /** The folder that is shared with the guest. */
  readonly dir: string;
  readonly #options: GuestNodeOptions;
  readonly #parts: AsyncDisposableStack;
  #files: PreparedDaemon;
  #network: Readonly<Record<string, unknown>>;
  #daemonPid = 0;

  private constructor(open: {
    dir: string;
    region: Region;
    guest: Guest;
    files: PreparedDaemon;
    options: GuestNodeOptions;
    parts: AsyncDisposableStack;
  }) {
    const [node, other] = open.region.nodes;
    if (node === undefined || other === undefined) throw new Error("no nodes");
    this.region = open.region;
    this.guest = open.guest;
    this.dir = open.dir;
    this.#files = open.files;
    this.#network = open.options.network ?? {};
    this.node = node;
    this.other = other;
    this.#options = open.options;
    this.#parts = open.parts;
  }

  /**
   * Opens one; its daemon serves when this returns.
   *
   * @param options See {@linkcode GuestNodeOptions}.
   * @returns The node.
   */
  static async open(options: GuestNodeOptions = {}): Promise<GuestNode> {
    await using parts = new AsyncDisposableStack();
    const dir = await Deno.makeTempDir({ prefix: "terway-guest-" });
    parts.defer(() => Deno.remove(dir, { recursive: true }));
    const region = parts.use(
      await openRegion({
        name: stageName(dir),
        zoneCount: 1,
        nodeCount: 1 + (options.otherCount ?? 1),
        guests: ["n1"],
        instanceType: options.instanceType ?? "ecs.g7.xlarge",
        cloud: { replyMs: 5, attachMs: 50, detachMs: 50, ...options.cloud },
      }),
    );
    const [node] = region.nodes;
    if (node === undefined) throw new Error("the region has no node");
    await bundleDaemon(join(dir, node.name));
    const files = await prepare({ dir, region, node }, options);
    const guest = parts.use(await bootGuest({ dir, region, node, options }));
    region.hardware.set(node.name, guest);
    const open = { dir, region, guest, files, options };
    const opened = new GuestNode({ ...open, parts: parts.move() });
    try {
      await opened.startDaemon();
      return opened;
    } catch (error) {
      await opened[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Starts the daemon and waits until it serves.
   *
   * @throws {Error} With the end of its log when it doesn't.
   */
  async startDaemon(): Promise<void> {
    const { command, env, log } = this.#files;
    this.#daemonPid = await this.guest.ask("start", { command, env, log });
    const deadlineMs = performance.now() + READY_DEADLINE_MS;
    while (!await this.#isServing()) {
      if (performance.now() > deadlineMs) {
        throw new Error(`The daemon isn't ready:\n${await lastLines(log)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /**
   * Ends the daemon as a crash does.
   */
  async killDaemon(): Promise<void> {
    await this.signalDaemon("SIGKILL");
  }

  /**
   * Signals the daemon.
   *
   * @param signal Such as `SIGSTOP`, after which it does nothing.
   */
  async signalDaemon(signal: Deno.Signal): Promise<void> {
    await this.guest.ask("signal", { pid: this.#daemonPid, signal });
  }

  /**
   * Gives all ENIs back, and starts the daemon anew, configured otherwise.
   *
   * @param options What differs from how it was opened.
   */
  async reconfigure(
    options: Pick<GuestNodeOptions, "config" | "flags" | "network">,
  ): Promise<void> {
    await this.ask("drain");
    await this.region.cloud.settled();
    await this.killDaemon();
    const { node, region } = this;
    const place = { dir: this.dir, region, node };
    const changed = { ...this.#options, ...options };
    this.#files = await prepare(place, changed);
    this.#network = changed.network ?? {};
    await this.startDaemon();
  }

  /**
   * Takes the power away, boots again and starts the daemon.
   *
   * @param whileOff What happens meanwhile.
   */
  async reboot(whileOff?: () => Promise<void>): Promise<void> {
    await this.guest.cut();
    await whileOff?.();
    await this.guest.start();
    await this.startDaemon();
  }

  /**
   * Asks the daemon as an operator does.
   *
   * @param command Such as `status`.
   * @param body What goes with it.
   * @returns Its answer.
   * @throws {Error} When it refuses.
   */
  async ask(
    command: string,
    body?: unknown,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { status, document } = await this.guest.ask("ask", {
      socket: SOCKET,
      command,
      body,
    });
    if (status === 0) return JSON.parse(document);
    throw new Error(`Cannot ${command}: ${document}`);
  }

  /**
   * Adds a pod: a namespace in the guest, then the plugin's ADD.
   *
   * @param name Its name.
   * @param network Keys of the plugin's configuration, for this pod.
   * @returns The pod.
   */
  async addPod(
    name: string,
    network: Readonly<Record<string, unknown>> = {},
  ): Promise<GuestPod> {
    const netns = `/run/netns/pod-${name}`;
    await this.guest.ask("addNamespace", netns);
    const { code, stdout, stderr } = await this.call("ADD", name, network);
    if (code !== 0) throw new Error(`ADD ${name}: ${stdout}${stderr}`);
    const result: CniResult = JSON.parse(stdout);
    const ip = result.ips[0]?.address.split("/")[0] ?? "";
    return { name, netns, ip, result };
  }

  /**
   * Removes a pod: the plugin's DEL, then the namespace.
   *
   * @param name Its name.
   */
  async removePod(name: string): Promise<void> {
    const { code, stdout, stderr } = await this.call("DEL", name);
    if (code !== 0) throw new Error(`DEL ${name}: ${stdout}${stderr}`);
    await this.guest.ask("removeNamespace", `/run/netns/pod-${name}`);
  }

  /**
   * Asks the plugin whether a pod's network is as it was made.
   *
   * @param pod The pod.
   * @returns What it says is wrong; empty when all is well.
   */
  async check(pod: GuestPod): Promise<string> {
    // Networks of before 0.4.0 have no CHECK.
    const cniVersion = "1.0.0";
    const prevResult = { ...pod.result, cniVersion };
    const network = { cniVersion, prevResult };
    const { stdout } = await this.call("CHECK", pod.name, network);
    return stdout;
  }

  /**
   * Calls the plugin in the guest, as a runtime there would.
   *
   * @param verb What it shall do.
   * @param name The pod.
   * @param network Keys of its configuration.
   * @returns How the plugin ended.
   */
  async call(
    verb: Verb,
    name: string,
    network: Readonly<Record<string, unknown>> = {},
  ): Promise<Ran> {
    const { cniBinDir, cniConfDir } = this.#files;
    const list = JSON.parse(
      await Deno.readTextFile(join(cniConfDir, "10-terway.conflist")),
    );
    const stdin = JSON.stringify({
      ...list.plugins[0],
      name: list.name,
      cniVersion: list.cniVersion,
      ...this.#network,
      ...network,
    });
    const env = {
      CNI_COMMAND: verb,
      CNI_PATH: cniBinDir,
      CNI_CONTAINERID: name,
      CNI_NETNS: `/run/netns/pod-${name}`,
      CNI_IFNAME: "eth0",
      CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
    };
    const command = [join(cniBinDir, "terway")] as const;
    return await this.guest.run([...command], { env, stdin });
  }

  /**
   * Pings from a namespace of the guest, three times within half a second.
   *
   * @param netns The namespace; the node's own when empty.
   * @param ip To this address.
   * @returns How many answers came.
   */
  async ping(netns: string, ip: string): Promise<number> {
    const inside = netns === "" ? [] : ["nsenter", `--net=${netns}`];
    const options = ["-q", "-n", "-c3", "-i0.1", "-W0.5"];
    const [program = "", ...args] = [...inside, "ping", ...options, ip];
    const { stdout } = await this.guest.run([program, ...args]);
    return Number(/(\d+) received/.exec(stdout)?.[1]);
  }

  /** Ends the guest and all that is around it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  async #isServing(): Promise<boolean> {
    try {
      const { pool } = await this.ask("status");
      return (pool as { mode?: string } | undefined)?.mode === "serving";
    } catch {
      // No socket yet, or not ready to answer.
      return false;
    }
  }
}

/** Writes what the daemon of a guest needs. */
async function prepare(
  { dir, region, node }: { dir: string; region: Region; node: RegionNode },
  { config = {}, flags = [] }: GuestNodeOptions,
): Promise<PreparedDaemon> {
  const cloud = region.description;
  const run = ["run", "-A", "--quiet", "--no-config", "--no-check"];
  const main = join(dir, node.name, BUNDLES, "main.js");
  const program = [Deno.execPath(), ...run, main] as const;
  const wish = { dir, node, cloud, config, flags };
  return await prepareDaemon({ ...wish, program: [...program] }, SOCKET);
}

/** To a guest every module is a file on another machine: three are enough. */
async function bundleDaemon(dir: string): Promise<void> {
  const folder = join(dir, BUNDLES);
  await Deno.mkdir(folder, { recursive: true });
  await bundleModes(folder, ["daemon"]);
}

function bootGuest(
  { dir, region, node, options }: {
    dir: string;
    region: Region;
    node: RegionNode;
    options: GuestNodeOptions;
  },
): Promise<Guest> {
  const { instance, primaryIp } = node;
  const primary = region.cloud.model.enis.get(instance.primaryEniId);
  const [{ cidr } = { cidr: "" }] = region.description.vSwitches;
  const { modules } = options;
  return Guest.boot({
    dir: join(dir, node.name),
    diskAt: join(dir, node.name, "state"),
    vpcNetns: region.fabric.netns,
    primary: {
      tap: region.fabric.portName(instance.primaryEniId),
      mac: primary?.mac ?? "",
      cidr: `${primaryIp}/${parseCidr(cidr).length}`,
      gateway: gatewayOf(cidr),
    },
    ...modules !== undefined && { modules },
  });
}
