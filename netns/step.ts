/**
 * The steps of a plan: objects that shall exist in a kernel, as plain data.
 *
 * A plan is a list of them in the order in which they can be made. `apply.ts`
 * makes them, compares them with a kernel and removes them in reverse; nothing
 * here does anything. Every step equals one iproute2 command: see
 * {@linkcode command}.
 *
 * @module
 */
import type { Mac } from "./attachment.ts";
import { bandwidthCommand, type BandwidthStep } from "./bandwidth.ts";
import { type Cidr, type Family, familyOf, type Ip, parseCidr } from "./ip.ts";
import { type ClsactStep, steerCommand, type SteerStep } from "./steer.ts";
import { sublinkCommand, type SublinkStep } from "./sublink.ts";

/** The namespace that an object lives in: the node's, or the pod's. */
export type Place = "host" | "pod";

/** A veth pair, both MACs given in the message that makes it, both ends up. */
export interface VethStep {
  /** Discriminates. */
  readonly kind: "veth";
  /** The end in the node. */
  readonly host: { readonly name: string; readonly mac: Mac };
  /** The end in the pod. */
  readonly pod: { readonly name: string; readonly mac: Mac };
  /** Bytes in a packet, on both ends. */
  readonly mtu: number;
  /** The host end's alias. */
  readonly alias: string;
}

/**
 * A link that exists already, found by its MAC: brought up, its MTU set.
 * Undoing it leaves the link as it was; it is never deleted.
 */
export interface LinkStep {
  /** Discriminates. */
  readonly kind: "link";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** Its MAC: a link of this name with another MAC isn't touched. */
  readonly mac: Mac;
  /** Bytes in a packet; left alone when absent. */
  readonly mtu?: number;
  /** Says whose it is; left alone when absent. */
  readonly alias?: string;
}

/**
 * A card that leaves the node for the pod, found by its MAC wherever on the
 * node and under whatever name it is. Addresses and routes don't go along.
 * Walking the plan back brings it home as it was; it is never deleted.
 */
export interface MoveLinkStep {
  /** Discriminates. */
  readonly kind: "moveLink";
  /** Its MAC. */
  readonly mac: Mac;
  /** How it was on the node, and shall be again. */
  readonly host: {
    readonly name: string;
    readonly up: boolean;
    /** Bytes in a packet; left as the pod had it when absent. */
    readonly mtu?: number;
  };
  /** Its name in the pod; a `link` step there brings it up. */
  readonly pod: { readonly name: string };
}

/** Per-link settings of the IPv4 stack, set by netlink (IFLA_INET_CONF). */
export interface ConfStep {
  /** Discriminates. */
  readonly kind: "conf";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** `net.ipv4.conf.LINK.forwarding`. */
  readonly forwarding: 0 | 1;
  /** `net.ipv4.conf.LINK.rp_filter`. */
  readonly rpFilter: 0 | 1 | 2;
}

/**
 * A setting of the kernel that netlink can't make: those of IPv6, above all.
 * Walking a plan back leaves it, like a {@linkcode ConfStep}; a failed plan
 * puts back what it was.
 */
export interface SysctlStep {
  /** Discriminates. */
  readonly kind: "sysctl";
  /** Where. */
  readonly place: Place;
  /** The link that the setting is of; absent for one of the whole namespace. */
  readonly link?: string;
  /** Such as `net/ipv6/conf/eth1/accept_ra`: slashes, as names hold dots. */
  readonly key: string;
  /** As the kernel shows it. */
  readonly value: string;
  /**
   * Never put back, not even when the plan fails: others count on it, and
   * writing the old value would change more than this wrote.
   */
  readonly keep?: true;
}

/** An address on a link. */
export interface AddressStep {
  /** Discriminates. */
  readonly kind: "address";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** The address with its prefix length. */
  readonly cidr: Cidr;
  /** The address of all hosts of the prefix; IPv4 only. */
  readonly broadcast?: Ip;
  /** False: no route to the prefix follows from the address. */
  readonly prefixRoute?: false;
  /** Set when it is this machine's alone: no packet takes it for its source. */
  readonly scope?: "host";
}

/** A permanent neighbour entry. */
export interface NeighbourStep {
  /** Discriminates. */
  readonly kind: "neighbour";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** The neighbour's address. */
  readonly ip: Ip;
  /** The neighbour's MAC. */
  readonly mac: Mac;
}

/** A unicast route. */
export interface RouteStep {
  /** Discriminates. */
  readonly kind: "route";
  /** Where. */
  readonly place: Place;
  /** The link's name. */
  readonly link: string;
  /** The destination; the default route is `0.0.0.0/0`. */
  readonly destination: Cidr;
  /** The next hop, reached on the link without asking (onlink). */
  readonly gateway?: Ip;
  /** False: the table itself has a route to the gateway. */
  readonly onlink?: false;
  /** The source of packets that haven't got one; the kernel's choice when absent. */
  readonly source?: Ip;
  /** The routing table; 254 is main. */
  readonly table: number;
}

/** Where no packet is to go on: whoever sends one is told so. */
export interface UnreachableStep {
  /** Discriminates. */
  readonly kind: "unreachable";
  /** Where. */
  readonly place: Place;
  /** The destination; any route to a longer prefix comes first. */
  readonly destination: Cidr;
  /** The routing table; 254 is main. */
  readonly table: number;
  /** The lower, the better: high, so that somebody's route to it wins. */
  readonly metric: number;
}

/** A policy rule that looks a table up. */
export interface RuleStep {
  /** Discriminates. */
  readonly kind: "rule";
  /** Where. */
  readonly place: Place;
  /** The lower, the earlier. Source: ip-rule(8). */
  readonly priority: number;
  /** Packets from this prefix only. */
  readonly from?: Cidr;
  /** Packets to this prefix only. */
  readonly to?: Cidr;
  /** Packets of sockets that are bound to this link only. */
  readonly oif?: string;
  /** Packets that bear all bits of this mark only. */
  readonly mark?: number;
  /** Needed when no prefix tells it; 4 when absent. */
  readonly family?: Family;
  /** The table that is looked up; 254 is main. */
  readonly table: number;
}

/** One object in a kernel. */
export type Step =
  | VethStep
  | LinkStep
  | MoveLinkStep
  | ConfStep
  | SysctlStep
  | AddressStep
  | NeighbourStep
  | RouteStep
  | UnreachableStep
  | RuleStep
  | SublinkStep
  | ClsactStep
  | SteerStep
  | BandwidthStep;

/** What a kernel shall hold for an ENI or a pod, in the order of making. */
export interface Plan {
  /** The pod's namespace; absent when every step is on the node. */
  readonly netns?: string;
  /** The objects. */
  readonly steps: readonly Step[];
}

/** An object of a plan that the kernel doesn't hold as planned. */
export interface Difference {
  /** The object. */
  readonly step: Step;
  /** Not there at all, or there in another form. */
  readonly problem: "missing" | "changed";
  /** The object as the `ip` command that makes it. */
  readonly object: string;
  /** What the kernel holds instead, or why the pod can't be looked into. */
  readonly seen?: string;
}

/** Table `main`. Source: rt_tables. */
export const TABLE_MAIN = 254;

/**
 * Writes a step as the iproute2 command that does the same.
 *
 * @example A rule
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const rule = { kind: "rule", place: "host", priority: 512, to: "10.0.0.7/32", table: 254 } as const;
 * assertEquals(command(rule), "ip rule add priority 512 to 10.0.0.7/32 lookup main");
 * ```
 * @param step The object.
 * @param netns The pod's namespace, for steps that live there.
 * @returns A line for a shell.
 */
export function command(step: Step, netns = "POD"): string {
  const at = "place" in step && step.place === "pod"
    ? `nsenter --net=${netns} `
    : "";
  switch (step.kind) {
    case "veth":
      return vethCommand(step, netns);
    case "link":
      return `${at}ip link set ${step.link} up` +
        (step.mtu === undefined ? "" : ` mtu ${step.mtu}`) +
        (step.alias === undefined ? "" : ` alias ${quoted(step.alias)}`);
    case "moveLink":
      return `ip link set ${step.host.name} netns ${netns} ` +
        `name ${step.pod.name}`;
    case "conf":
      return `${at}sysctl net.ipv4.conf.${step.link}.forwarding=` +
        `${step.forwarding} net.ipv4.conf.${step.link}.rp_filter=` +
        `${step.rpFilter}`;
    case "sysctl":
      return `${at}sysctl ${step.key}=${step.value}`;
    case "address":
      return at + addressCommand(step);
    case "neighbour":
      return `${at}ip neighbour add ${step.ip} lladdr ${step.mac} dev ` +
        `${step.link} nud permanent`;
    case "route":
      return at + routeCommand(step);
    case "unreachable":
      return at + unreachableCommand(step);
    case "rule":
      return at + ruleCommand(step);
    case "sublink":
      return sublinkCommand(step, netns);
    case "clsact":
    case "steer":
      return steerCommand(step, at);
    case "ifb":
    case "tbf":
    case "redirect":
      return bandwidthCommand(step, at);
  }
}

/** One queue, as `addVeth` says why: the kernel's own choice is one a CPU. */
const ONE_QUEUE = "numtxqueues 1 numrxqueues 1";

/** A veth's second end can't be up before the first one knows it. */
function vethCommand(
  { host, pod, mtu, alias }: VethStep,
  netns: string,
): string {
  return `ip link add ${host.name} up address ${host.mac} mtu ${mtu} ` +
    `${ONE_QUEUE} type veth peer ${pod.name} address ${pod.mac} mtu ${mtu} ` +
    `${ONE_QUEUE} netns ${netns} && nsenter --net=${netns} ip link set ${pod.name} up` +
    (alias === "" ? "" : ` && ip link set ${host.name} alias ${quoted(alias)}`);
}

/** As one word for a shell: names of pods come from outside. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function addressCommand(step: AddressStep): string {
  const { cidr, link, broadcast, prefixRoute = true } = step;
  return `ip address add ${cidr}` +
    (broadcast === undefined ? "" : ` broadcast ${broadcast}`) +
    ` dev ${link}` + (prefixRoute ? "" : " noprefixroute") +
    (step.scope === undefined ? "" : ` scope ${step.scope}`) +
    (familyOf(cidr) === 6 ? " nodad" : "");
}

function routeCommand(step: RouteStep): string {
  const { length, family } = parseCidr(step.destination);
  const ip = family === 6 ? "ip -6" : "ip";
  const destination = length === 0 ? "default" : step.destination;
  const gateway = step.gateway === undefined ? "" : ` via ${step.gateway}`;
  // IPv6 knows no scopes of routes.
  const direct = family === 6 ? "" : " scope link";
  const hop = step.onlink === false ? "" : " onlink";
  const form = step.gateway === undefined ? direct : hop;
  return `${ip} route add ${destination}${gateway} dev ${step.link}` +
    tableName(step.table, " table ", "") +
    (step.source === undefined ? "" : ` src ${step.source}`) + form;
}

function unreachableCommand(step: UnreachableStep): string {
  const ip = familyOf(step.destination) === 6 ? "ip -6" : "ip";
  return `${ip} route add unreachable ${step.destination}` +
    tableName(step.table, " table ", "") + ` metric ${step.metric}`;
}

function ruleCommand(step: RuleStep): string {
  const ip = ruleFamily(step) === 6 ? "ip -6" : "ip";
  return `${ip} rule add priority ${step.priority}` +
    (step.from === undefined ? "" : ` from ${step.from}`) +
    (step.to === undefined ? "" : ` to ${step.to}`) +
    (step.mark === undefined ? "" : ` fwmark ${markText(step.mark)}`) +
    (step.oif === undefined ? "" : ` oif ${step.oif}`) +
    tableName(step.table, " lookup ", " lookup main");
}

/** The mark and its mask. */
function markText(mark: number): string {
  const hex = `0x${mark.toString(16)}`;
  return `${hex}/${hex}`;
}

/**
 * Tells a rule's family, by its prefixes before anything else.
 *
 * @param rule A rule.
 * @returns 4 when nothing tells it.
 */
export function ruleFamily(
  rule: Pick<RuleStep, "from" | "to" | "family">,
): Family {
  const prefix = rule.from ?? rule.to;
  return prefix === undefined ? rule.family ?? 4 : familyOf(prefix);
}

function tableName(table: number, prefix: string, main: string): string {
  return table === TABLE_MAIN ? main : `${prefix}${table}`;
}
