/**
 * Where a plan's steps happen: the node, and the pod's namespace as far as it
 * can be reached. It finds links by name and knows which MACs the plan gives
 * them, so that nothing is ever done to a namesake.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { NetlinkError } from "./errno.ts";
import { findLinkByName, type LinkSeen } from "./link.ts";
import { type Namespace, NamespaceError, openNamespace } from "./namespace.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import type { Place, Plan } from "./step.ts";

/** What is to be made is there already, and isn't ours. */
export class TakenError extends Error {
  /** Its class, also after a `postMessage`. */
  override readonly name = "TakenError";
  /** What was to be made, such as `link eth0`. */
  readonly object: string;
  /** What has its place. */
  readonly seen: string;

  /**
   * Makes one.
   *
   * @param object What was to be made.
   * @param seen What has its place.
   * @param options The cause, when it is another error.
   */
  constructor(object: string, seen: string, options?: ErrorOptions) {
    super(`Cannot make ${object} as it is taken by ${seen}`, options);
    this.object = object;
    this.seen = seen;
  }
}

/** The node's socket and the pod's, while a plan is worked on. */
export class Places implements Disposable {
  /** The node's. */
  readonly host: RouteSocket;
  /** Why the pod can't be reached, when the plan has one and it can't. */
  readonly podProblem: NamespaceError | undefined;
  /** The pod's namespace, when the plan has one and it can be reached. */
  readonly podNamespace: Namespace | undefined;
  readonly #pod: RouteSocket | undefined;
  readonly #macs: ReadonlyMap<string, Mac>;
  readonly #findOnHost: (name: string) => LinkSeen | undefined;
  readonly #links = new Map<string, LinkSeen>();
  readonly #made = new Set<number>();

  /**
   * Opens a plan's places.
   *
   * @param plan Tells the pod's namespace.
   * @param host The node's socket; it stays open.
   * @param findOnHost Finds the node's links; asks the kernel when absent.
   * @throws {NetlinkError} When no socket can be had.
   */
  constructor(
    plan: Plan,
    host: RouteSocket,
    findOnHost?: (name: string) => LinkSeen | undefined,
  ) {
    this.host = host;
    this.#findOnHost = findOnHost ?? ((name) => findLinkByName(host, name));
    this.#macs = plannedMacs(plan);
    if (plan.netns === undefined) return;
    try {
      const namespace = openPod(plan.netns, host);
      this.podNamespace = namespace;
      this.#pod = openRoutes(namespace);
    } catch (error) {
      this.podNamespace?.[Symbol.dispose]();
      if (!(error instanceof NamespaceError)) throw error;
      this.podProblem = error;
    }
  }

  /**
   * Tells whether a place can be reached.
   *
   * @param place The node or the pod.
   * @returns False for a pod without a namespace that can be opened.
   */
  reaches(place: Place): boolean {
    return place === "host" || this.#pod !== undefined;
  }

  /**
   * Gives a place's socket.
   *
   * @param place The node or the pod.
   * @returns The socket; it closes with this.
   * @throws {NamespaceError} When the pod can't be reached.
   * @throws {TypeError} When the plan names no namespace.
   */
  socket(place: Place): RouteSocket {
    if (place === "host") return this.host;
    if (this.#pod !== undefined) return this.#pod;
    throw this.podProblem ??
      new TypeError("Cannot work in the pod as the plan names no namespace");
  }

  /**
   * Finds a link by name, whosever it is.
   *
   * @param place The node or the pod.
   * @param name The link's name.
   * @returns The link; undefined when there is none.
   */
  namesake(place: Place, name: string): LinkSeen | undefined {
    if (place === "host") return this.#findOnHost(name);
    return findLinkByName(this.socket(place), name);
  }

  /**
   * Finds a link of the plan. What is found is remembered, its index above
   * all; what isn't is looked for again.
   *
   * @param place The node or the pod.
   * @param name The link's name.
   * @returns The link; undefined when there is none, or only a namesake.
   */
  find(place: Place, name: string): LinkSeen | undefined {
    const key = `${place} ${name}`;
    const before = this.#links.get(key);
    if (before !== undefined) return before;
    const link = this.namesake(place, name);
    const mac = this.#macs.get(key);
    if (link === undefined || (mac !== undefined && link.mac !== mac)) {
      return undefined;
    }
    this.#links.set(key, link);
    return link;
  }

  /**
   * Gives a link of the plan that must be there.
   *
   * @param place The node or the pod.
   * @param name The link's name.
   * @returns The link.
   * @throws {NetlinkError} `ENODEV` when there is none.
   * @throws {TakenError} When there is only a namesake.
   */
  link(place: Place, name: string): LinkSeen {
    const link = this.find(place, name);
    if (link !== undefined) return link;
    const namesake = this.namesake(place, name);
    if (namesake !== undefined) throw taken(namesake);
    const op = `ip link show dev ${name}`;
    throw new NetlinkError({ op, errno: "ENODEV" });
  }

  /**
   * Remembers a link that was made just now: it needn't be looked for, what
   * is set on it needs no look before, and no undoing, as it goes with it.
   *
   * @param place The node or the pod.
   * @param link The link, as it was made.
   */
  markMade(place: Place, link: LinkSeen): void {
    this.#links.set(`${place} ${link.name}`, link);
    if (place === "host") this.#made.add(link.ifIndex);
  }

  /**
   * Tells whether a link was made just now.
   *
   * @param place The node or the pod.
   * @param link The link.
   * @returns True for a link of the node that {@linkcode Places.markMade} got.
   */
  wasMade(place: Place, link: LinkSeen): boolean {
    return place === "host" && this.#made.has(link.ifIndex);
  }

  /** Closes the pod's socket and namespace. */
  [Symbol.dispose](): void {
    this.#pod?.[Symbol.dispose]();
    this.podNamespace?.[Symbol.dispose]();
  }
}

/**
 * Says that a link's name is taken.
 *
 * @param link Who has it.
 * @returns The error, to be thrown.
 */
export function taken(link: LinkSeen): TakenError {
  return new TakenError(`link ${link.name}`, describeLink(link));
}

/**
 * Describes a link for a person.
 *
 * @param link The link.
 * @returns Its kind, MAC and alias.
 */
export function describeLink(link: LinkSeen): string {
  const alias = link.alias === undefined ? "" : `, alias "${link.alias}"`;
  return `a ${link.kind ?? "device"} of MAC ${link.mac}${alias}`;
}

/** The node's namespace is nobody's pod, whether it is this thread's or not. */
function openPod(path: string, host: RouteSocket): Namespace {
  const namespace = openNamespace(path);
  if (namespace.inode !== host.namespace?.inode) return namespace;
  namespace[Symbol.dispose]();
  throw new NamespaceError("own", path);
}

/** The MAC that each link of a plan has, by place and name. */
function plannedMacs(plan: Plan): Map<string, Mac> {
  const macs = new Map<string, Mac>();
  for (const step of plan.steps) {
    if (
      step.kind === "link" || step.kind === "ifb" || step.kind === "sublink"
    ) {
      macs.set(`${step.place} ${step.link}`, step.mac);
    }
    if (step.kind === "moveLink") {
      macs.set(`host ${step.host.name}`, step.mac);
      macs.set(`pod ${step.pod.name}`, step.mac);
    }
    if (step.kind !== "veth") continue;
    macs.set(`host ${step.host.name}`, step.host.mac);
    macs.set(`pod ${step.pod.name}`, step.pod.mac);
  }
  return macs;
}
