/**
 * A node, a VPC and pods as network namespaces of their own, for tests: real
 * kernel objects, and nothing outside is touched.
 *
 * @module
 */
import type {
  AttachedEni,
  ExclusiveAttachment,
  Mac,
  PodNetwork,
  VethAttachment,
} from "./attachment.ts";
import { eniPlan, podPlan } from "./datapath/veth.ts";
import { type Errno, NetlinkError } from "./errno.ts";
import type { Family } from "./ip.ts";
import { findLinkByName, type LinkSeen, setLink } from "./link.ts";
import { addVeth } from "./link_add.ts";
import {
  createNamespace,
  type Namespace,
  openNamespace,
  removeNamespace,
} from "./namespace.ts";
import type { Capability } from "./probe.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import type { Plan } from "./step.ts";

/** `lo` is always the first link of a namespace. */
const LOOPBACK = 1;

/** The vSwitch of a lab. */
export const VSWITCH = {
  gateway: "10.0.0.253",
  subnet: "10.0.0.0/24",
  gateway6: "fd00::ffff:ffff:ffff:fffd",
  subnet6: "fd00::/64",
} as const;

/** A namespace with a socket that serves it. */
export class Room implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** It, held open. */
  readonly namespace: Namespace;
  /** Serves it. */
  readonly routes: RouteSocket;

  /**
   * Makes one, its `lo` up.
   *
   * @param path Where; mustn't exist.
   */
  constructor(path: string) {
    this.path = path;
    createNamespace(path);
    this.namespace = openNamespace(path);
    this.routes = openRoutes(this.namespace);
    setLink(this.routes, LOOPBACK, { up: true });
  }

  /**
   * Runs iproute2 inside: another opinion than our own.
   *
   * @param args Such as `link`, `show`.
   * @returns What it printed.
   * @throws {Error} When it failed, with what it said.
   */
  ip(...args: readonly string[]): string {
    return this.run("ip", ...args);
  }

  /**
   * Runs a program inside.
   *
   * @param program Its name.
   * @param args Its arguments.
   * @returns What it printed.
   * @throws {Error} When it failed, with what it said.
   */
  run(program: string, ...args: readonly string[]): string {
    const output = new Deno.Command("nsenter", {
      args: [`--net=${this.path}`, program, ...args],
    }).outputSync();
    const text = new TextDecoder();
    if (output.success) return text.decode(output.stdout);
    throw new Error(
      `Cannot run ${program} ${args.join(" ")}: ${
        text.decode(output.stderr) + text.decode(output.stdout)
      }`,
    );
  }

  /** Closes and removes it. */
  [Symbol.dispose](): void {
    this.routes[Symbol.dispose]();
    this.namespace[Symbol.dispose]();
    removeNamespace(this.path);
  }
}

/** A node with one ENI, the VPC behind it, and pods as many as asked for. */
export class Lab implements Disposable {
  /** The node. */
  readonly node: Room;
  /** What the ENI's other end is in. */
  readonly vpc: Room;
  /** The ENI as the node sees it. */
  readonly eni: LinkSeen;
  readonly #prefix: string;
  readonly #rooms = new DisposableStack();
  #podCount = 0;

  /** Builds it. */
  constructor() {
    // Test files run as threads of one process: the process id isn't enough.
    const chance = crypto.randomUUID().slice(0, 8);
    this.#prefix = `/run/netns/terway-lab-${Deno.pid}-${chance}`;
    this.node = this.#rooms.use(new Room(`${this.#prefix}-node`));
    this.vpc = this.#rooms.use(new Room(`${this.#prefix}-vpc`));
    this.eni = this.attach("eth1", "00:16:3e:00:00:01");
  }

  /**
   * Attaches an ENI: a link that is down and has no address, as on ECS.
   *
   * @param name Its name on the node.
   * @param mac Its MAC.
   * @returns The link as the node sees it.
   */
  attach(name: string, mac: Mac): LinkSeen {
    const { namespace, routes } = this.node;
    addVeth(this.vpc.routes, {
      name: `vpc-${name}`,
      mac: "ee:ff:ff:ff:ff:ff",
      up: true,
      peer: { name, mac, namespace },
    });
    const link = findLinkByName(routes, name);
    if (link === undefined) throw new Error(`Cannot find link ${name}`);
    return link;
  }

  /**
   * Makes an empty namespace as a runtime does for a sandbox.
   *
   * @returns The pod.
   */
  pod(): Room {
    const path = `${this.#prefix}-pod${this.#podCount++}`;
    return this.#rooms.use(new Room(path));
  }

  /**
   * Gives the plan of the ENI.
   *
   * @param mac The MAC that it is expected to have.
   * @param families What its pods have.
   * @returns What the node shall hold for it.
   */
  eniPlan(mac: Mac = this.eni.mac, families: readonly Family[] = [4]): Plan {
    return eniPlan({
      link: { ...this.eni, mac },
      nodeIp: "10.0.0.10",
      gateway: VSWITCH.gateway,
      ...families.includes(6) && { gateway6: VSWITCH.gateway6 },
      mtu: 1500,
    });
  }

  /**
   * Gives what every pod has, whatever carries its traffic.
   *
   * @param pod Its namespace.
   * @param index Tells pods apart, 0 to 200.
   * @param families What it gets addresses of, the first one first.
   * @returns The part of an attachment that is the pod's.
   */
  network(
    pod: Room,
    index = 0,
    families: readonly Family[] = [4],
  ): PodNetwork {
    const ips = families.map((family) =>
      family === 4 ? `10.0.0.${20 + index}` : `fd00::${20 + index}`
    );
    return {
      owner: {
        network: "terway",
        containerId: `c${index.toString(16).padStart(63, "0")}`,
        ifName: "eth0",
      },
      pod: { namespace: "default", name: `web-${index}` },
      netns: pod.path,
      ip: ips[0] ?? "",
      ...ips.length > 1 && { ips },
      mtu: 1500,
    };
  }

  /**
   * Gives what a pod gets.
   *
   * @param pod Its namespace.
   * @param index Tells pods apart, 0 to 200.
   * @param families What it gets addresses of, the first one first.
   * @returns An attachment on the ENI.
   */
  attachment(
    pod: Room,
    index = 0,
    families: readonly Family[] = [4],
  ): VethAttachment {
    return {
      recipe: "veth/1",
      ...this.network(pod, index, families),
      eni: this.attachedEni(),
    };
  }

  /**
   * Gives the ENI as an attachment holds it.
   *
   * @param link An ENI of the node.
   * @returns It, with its vSwitch.
   */
  attachedEni(link: LinkSeen = this.eni): AttachedEni {
    const { mac, ifIndex } = link;
    return { id: "eni-1", mac, ifIndex, ...VSWITCH };
  }

  /**
   * Gives a pod's plan.
   *
   * @param pod Its namespace.
   * @param index Tells pods apart, 0 to 200.
   * @param families What it gets addresses of, the first one first.
   * @returns The plan of {@linkcode Lab.attachment}.
   */
  plan(pod: Room, index = 0, families: readonly Family[] = [4]): Plan {
    return podPlan(this.attachment(pod, index, families), this.eni);
  }

  /**
   * Gives what a pod gets that has an ENI to itself.
   *
   * @param pod Its namespace.
   * @param card The ENI, as the node sees it now.
   * @param families What it gets addresses of, the first one first.
   * @param index Tells pods apart, 0 to 200.
   * @returns An attachment, with a way to the node.
   */
  exclusive(
    pod: Room,
    card: LinkSeen,
    families: readonly Family[] = [4],
    index = 0,
  ): ExclusiveAttachment {
    const { name, up, mtu } = card;
    return {
      recipe: "exclusive/1",
      ...this.network(pod, index, families),
      eni: this.attachedEni(card),
      card: { name, up, mtu },
      hostPeer: {
        nodeIps: ["10.0.0.10", "fd00::10"],
        serviceCidrs: ["172.16.0.0/16", "fd02::/112"],
      },
    };
  }

  /** Removes it all. */
  [Symbol.dispose](): void {
    this.#rooms.dispose();
  }
}

/**
 * Tells what the kernel refuses some work with.
 *
 * @param work Asks the kernel.
 * @returns The errno; undefined when it was carried out.
 * @throws Whatever isn't the kernel's refusal.
 */
export function refusalOf(work: () => void): Errno | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof NetlinkError) return error.errno;
    throw error;
  }
}

/** A test, and what the kernel must be able to do for it. */
export interface NeedyTest {
  /** What is probed. */
  readonly needs: readonly Capability[];
  /** The test's sentence. */
  readonly name: string;
  /** The test. */
  readonly fn: (t: Deno.TestContext) => void | Promise<void>;
}

/**
 * Declares a test that is skipped aloud, with the reason, where the kernel
 * can't do what it needs.
 *
 * @param test The test.
 */
export function testWhere({ needs, name, fn }: NeedyTest): void {
  const lacking = needs.find(({ can }) => !can);
  const reason = lacking?.can === false ? ` (skipped: ${lacking.reason})` : "";
  Deno.test({ name: name + reason, ignore: lacking !== undefined, fn });
}
