/**
 * A small VPC for the fabric's own tests: two nodes with a card for pods each,
 * and pods wired by the plan that the daemon uses.
 *
 * @module
 */
import { applyPlan } from "../../netns/apply.ts";
import {
  addressesOf,
  type Attachment,
  type PodNetwork,
} from "../../netns/attachment.ts";
import { type Family, familyOf, gatewayOf, type Ip } from "../../netns/ip.ts";
import { findLinkByMac, findLinkByName } from "../../netns/link.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "../../netns/namespace.ts";
import { type EniLink, planOf } from "../../netns/recipe.ts";
import { openRoutes } from "../../netns/socket.ts";
import type { Plan } from "../../netns/step.ts";
import {
  type Card,
  type Fabric,
  type MachineSeen,
  openFabric,
} from "../fabric.ts";
import { bringLoopbackUp, writeSysctls } from "./kernel.ts";
import { netnsPath } from "./netns_dir.ts";

/** The nodes' networks, in two zones. */
const SUBNETS = { n1: "10.1.0.0/16", n2: "10.2.0.0/16" } as const;
const SUBNETS6 = { n1: "fd01::/64", n2: "fd02::/64" } as const;

/** A node's card for pods. */
export const PODS_OF: Readonly<Record<"n1" | "n2", Card>> = {
  n1: {
    id: "eni-n1-1",
    mac: "00:16:3e:00:01:01",
    ips: ["10.1.0.10", "10.1.0.11", "10.1.0.12", "fd01::10", "fd01::11"],
  },
  n2: {
    id: "eni-n2-1",
    mac: "00:16:3e:00:02:01",
    ips: ["10.2.0.10", "10.2.0.11", "fd02::10", "fd02::11"],
  },
};

/** The nodes' own addresses. */
export const NODE_IPS = {
  n1: ["10.1.0.1", "fd01::1"],
  n2: ["10.2.0.2", "fd02::2"],
} as const;

/** The prefixes of services. */
const SERVICE_CIDRS = ["172.16.0.0/16", "fd16::/112"];

/** A pod of a fixture. */
export interface FixturePod {
  /** The path of its namespace. */
  readonly netns: string;
  /** Its addresses. */
  readonly ips: readonly Ip[];
  /** What made it. */
  readonly plan: Plan;
  /** What its node has for all pods beside it. */
  readonly shared: Plan;
}

/** Two nodes, up. */
export class Fixture implements AsyncDisposable {
  /** The fabric. */
  readonly fabric: Fabric;
  /** The nodes. */
  readonly nodes: Readonly<Record<"n1" | "n2", MachineSeen>>;
  /** What pods that are added from now on have besides, or instead. */
  extras: Partial<PodNetwork> = {};
  readonly #name: string;
  readonly #ipv6: boolean;
  readonly #parts = new AsyncDisposableStack();

  private constructor(
    name: string,
    { fabric, ipv6 }: { fabric: Fabric; ipv6: boolean },
  ) {
    this.#name = name;
    this.#ipv6 = ipv6;
    this.fabric = this.#parts.use(fabric);
    this.nodes = { n1: this.#boot("n1", 1), n2: this.#boot("n2", 2) };
  }

  /**
   * Opens one; several can be open at once.
   *
   * @param options Whether the VPC has IPv6.
   * @returns The fixture.
   */
  static async open(options: { ipv6?: boolean } = {}): Promise<Fixture> {
    const name = `fabric-${crypto.randomUUID().slice(0, 6)}`;
    const fabric = await openFabric({ name, ...options });
    return new Fixture(name, { fabric, ipv6: options.ipv6 ?? false });
  }

  /**
   * Adds a pod by the policy-routing plan.
   *
   * @param node Where.
   * @param ip Its address: one that the node's card for pods has, or not.
   * @param more Its addresses of other families.
   * @returns The path of its namespace.
   */
  addPod(node: "n1" | "n2", ip: Ip, ...more: readonly Ip[]): string {
    return this.addSharedPod(node, [ip, ...more]).netns;
  }

  /**
   * The same, with all that is known of the pod.
   *
   * @param node Where.
   * @param ips Its addresses, of the node's card for pods.
   * @returns The pod, ready.
   */
  addSharedPod(node: "n1" | "n2", ips: readonly Ip[]): FixturePod {
    const { id, mac } = PODS_OF[node];
    using namespace = openNamespace(this.nodes[node].netns);
    using routes = openRoutes(namespace);
    const link = findLinkByName(routes, "eth1");
    if (link === undefined) throw new Error(`Cannot find eth1 in ${node}`);
    const [subnet, subnet6] = [SUBNETS[node], SUBNETS6[node]];
    const hasIpv6 = ips.some((ip) => familyOf(ip) === 6);
    return this.#attach(node, `pod-${ips[0]}`, (network) => ({
      recipe: "veth/1",
      ...network,
      ip: ips[0] ?? "",
      ips,
      eni: {
        id,
        mac,
        ifIndex: link.ifIndex,
        gateway: gatewayOf(subnet),
        subnet,
        ...hasIpv6 && { gateway6: gatewayOf(subnet6), subnet6 },
      },
    }), link);
  }

  /**
   * Plugs a card in and gives it to a pod, by the plan for exclusive ENIs.
   *
   * @param node Where.
   * @param number Of the card and the pod, 2 to 9: its addresses end so.
   * @param families What it gets addresses of.
   * @returns The pod, ready; `plan` is what made it.
   */
  addExclusivePod(
    node: "n1" | "n2",
    number: number,
    families: readonly Family[] = [4],
  ): FixturePod {
    const ips = families.map((family) =>
      family === 4 ? `10.${node[1]}.1.${number}` : `fd0${node[1]}::1:${number}`
    );
    const mac = `00:16:3e:00:0${node[1]}:0${number}`;
    const id = `eni-${node}-${number}`;
    this.fabric.plug({ id, mac, ips }, node);
    return this.giveCard(node, { id, mac, ips });
  }

  /**
   * Gives a pod a card that is on the node.
   *
   * @param node Where.
   * @param card The card.
   * @param options Whether a pair leads to the node, too.
   * @returns The pod, ready.
   */
  giveCard(
    node: "n1" | "n2",
    card: Card,
    { hasHostPeer = true }: { hasHostPeer?: boolean } = {},
  ): FixturePod {
    const { id, mac, ips } = card;
    const [ip = ""] = ips;
    using namespace = openNamespace(this.nodes[node].netns);
    using routes = openRoutes(namespace);
    const link = findLinkByMac(routes, mac);
    if (link === undefined) throw new Error(`Cannot find ${id} in ${node}`);
    const [subnet, subnet6] = [SUBNETS[node], SUBNETS6[node]];
    return this.#attach(node, `card-${id}`, (network) => ({
      recipe: "exclusive/1",
      ...network,
      ip,
      ips,
      eni: {
        id,
        mac,
        ifIndex: link.ifIndex,
        gateway: gatewayOf(subnet),
        subnet,
        gateway6: gatewayOf(subnet6),
        subnet6,
      },
      card: link,
      ...hasHostPeer && {
        hostPeer: { nodeIps: NODE_IPS[node], serviceCidrs: SERVICE_CIDRS },
      },
    }));
  }

  /**
   * Adds a pod by the plan for VPC routes, and the node's route entry.
   *
   * @param node Where: its pod CIDR is 172.30.1.0/24 or 172.30.2.0/24.
   * @param number The last part of its address.
   * @returns The pod, ready.
   */
  addVpcPod(node: "n1" | "n2", number: number): FixturePod {
    const podCidr = `172.30.${node[1]}.0/24`;
    this.fabric.routeTo(`eni-${node}-0`, podCidr);
    const ip = `172.30.${node[1]}.${number}`;
    return this.#attach(node, `vpc-${ip}`, (network) => ({
      recipe: "vpc/1",
      ...network,
      ip,
      podCidr,
    }));
  }

  /**
   * Lets the nodes forward between all links, as Kubernetes asks of a node.
   *
   * @param families Of packets.
   */
  letNodesForward(families: readonly Family[] = [4]): void {
    for (const { netns } of Object.values(this.nodes)) {
      using namespace = openNamespace(netns);
      writeSysctls(namespace, {
        "ipv4/ip_forward": "1",
        ...families.includes(6) && { "ipv6/conf/all/forwarding": "1" },
      });
    }
  }

  #attach(
    node: "n1" | "n2",
    name: string,
    attachmentOf: (
      network: Pick<PodNetwork, "owner" | "netns" | "mtu">,
    ) => Attachment,
    eni?: EniLink,
  ): FixturePod {
    const netns = this.addNamespace(name);
    using namespace = openNamespace(this.nodes[node].netns);
    using routes = openRoutes(namespace);
    const attachment = attachmentOf({
      owner: { network: "test", containerId: name, ifName: "eth0" },
      netns,
      mtu: 1500,
      ...this.extras,
    });
    const [nodeIp] = NODE_IPS[node];
    const { shared, pod } = planOf(attachment, {
      nodeIp,
      eniMtu: 1500,
      ...eni && { eni },
    });
    applyPlan(shared, routes);
    applyPlan(pod, routes);
    const ips = addressesOf(attachment);
    return { netns: attachment.netns, ips, plan: pod, shared };
  }

  /**
   * Makes an empty namespace as a runtime does for a sandbox.
   *
   * @param name Tells it from the fixture's other ones.
   * @returns Its path.
   */
  addNamespace(name: string): string {
    const netns = netnsPath(`${this.#name}-${name}`);
    createNamespace(netns);
    this.#parts.defer(() => removeNamespace(netns));
    bringLoopbackUp(netns);
    return netns;
  }

  /** Removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  #boot(name: "n1" | "n2", number: number): MachineSeen {
    const ips = [`10.${number}.0.${number}`];
    if (this.#ipv6) ips.push(`fd0${number}::${number}`);
    const node = this.fabric.addMachine({
      name,
      subnet: SUBNETS[name],
      ...this.#ipv6 ? { subnet6: SUBNETS6[name] } : {},
      card: { id: `eni-${name}-0`, mac: `00:16:3e:00:0${number}:00`, ips },
    });
    const card = PODS_OF[name];
    const usable = card.ips.filter((ip) => this.#ipv6 || familyOf(ip) === 4);
    this.fabric.plug({ ...card, ips: usable }, name);
    return node;
  }
}
