/**
 * A small VPC for the fabric's own tests: two nodes with a card for pods each,
 * and pods wired by the plan that the daemon uses.
 *
 * @module
 */
import { applyPlan } from "../../netns/apply.ts";
import type { VethAttachment } from "../../netns/attachment.ts";
import { eniPlan, podPlan } from "../../netns/datapath/veth.ts";
import { familyOf, gatewayOf, type Ip } from "../../netns/ip.ts";
import { findLinkByName } from "../../netns/link.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "../../netns/namespace.ts";
import { openRoutes } from "../../netns/socket.ts";
import {
  type Card,
  type Fabric,
  type MachineSeen,
  openFabric,
} from "../fabric.ts";
import { bringLoopbackUp } from "./kernel.ts";
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

/** Two nodes, up. */
export class Fixture implements AsyncDisposable {
  /** The fabric. */
  readonly fabric: Fabric;
  /** The nodes. */
  readonly nodes: Readonly<Record<"n1" | "n2", MachineSeen>>;
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
    const netns = this.addNamespace(`pod-${ip}`);
    using namespace = openNamespace(this.nodes[node].netns);
    using routes = openRoutes(namespace);
    const { id, mac } = PODS_OF[node];
    const link = findLinkByName(routes, "eth1");
    if (link === undefined) throw new Error(`Cannot find eth1 in ${node}`);
    const subnet = SUBNETS[node];
    const gateway = gatewayOf(subnet);
    const ips = [ip, ...more];
    const attachment: VethAttachment = {
      recipe: "veth/1",
      owner: { network: "test", containerId: `pod-${ip}`, ifName: "eth0" },
      netns,
      ip,
      ips,
      eni: { id, mac, ifIndex: link.ifIndex, gateway, subnet },
      mtu: 1500,
    };
    const gateway6 = ips.some((ip) => familyOf(ip) === 6)
      ? { gateway6: gatewayOf(SUBNETS6[node]) }
      : {};
    const nodeIp = node === "n1" ? "10.1.0.1" : "10.2.0.2";
    applyPlan(
      eniPlan({ link, nodeIp, gateway, ...gateway6, mtu: 1500 }),
      routes,
    );
    applyPlan(podPlan(attachment, link), routes);
    return netns;
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
