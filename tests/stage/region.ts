/**
 * A stage's cloud with its body: an emulated region, and the VPC that moves
 * its packets. It answers inside the VPC, where daemons ask, and on this
 * machine's loopback, for people and tests.
 *
 * @module
 */
import { ipsIn } from "../emulators/alibaba/eni_prefixes.ts";
import {
  type CloudOptions,
  EmulatedCloud,
} from "../emulators/alibaba/cloud.ts";
import { assignIps6 } from "../emulators/alibaba/eni_ipv6.ts";
import { serveMetadata } from "../emulators/alibaba/metadata.ts";
import type { EniRecord, InstanceRecord } from "../emulators/alibaba/model.ts";
import { IPV6_POLICY, SEED_POLICY } from "../emulators/alibaba/seed_policy.ts";
import { serveAlibaba } from "../emulators/alibaba/serve.ts";
import type { Cidr } from "../../netns/ip.ts";
import { type Card, type Fabric, openFabric } from "../fabric.ts";
import type { StageCloud, StageVSwitch } from "./description.ts";

/** Where metadata answers. Source: ECS page "Instance metadata". */
export const METADATA_ENDPOINT = "http://100.100.100.200";

/**
 * Where the API answers inside the VPC: an address of the range that the
 * service itself uses there. Not port 80: who signs the `Host` header must not
 * have to know that clients leave that port out.
 */
export const API_ENDPOINT = "100.100.0.80:8080";

/** Every vSwitch is a /16 of it. */
const VPC_CIDR = "10.0.0.0/8";

/** What a region begins with. */
export interface RegionWish {
  /** The first part of every namespace's name. */
  readonly name: string;
  /** How many zones, each with a vSwitch. */
  readonly zoneCount: number;
  /** How many nodes, spread over the zones. */
  readonly nodeCount: number;
  /** The nodes' names. @default {n1, n2, …} */
  readonly nodeNames?: readonly string[];
  /** The nodes' type. */
  readonly instanceType: string;
  /** Whether its vSwitches and nodes have IPv6. @default {false} */
  readonly ipv6?: boolean;
  /** How the cloud behaves. */
  readonly cloud: CloudOptions;
  /** The names of nodes that have kernels of their own. @default {none} */
  readonly guests?: readonly string[];
}

/** Plugs cards into a running kernel, where that isn't the fabric's to do. */
export interface Hardware {
  /** Plugs a card in whose tap is there. */
  plug(card: { tap: string; mac: string }): Promise<void>;
  /** Pulls a card out, before its tap goes. */
  unplug(mac: string): Promise<void>;
}

/** A node of the region, without a daemon as yet. */
export interface RegionNode {
  /** Its name. */
  readonly name: string;
  /** Its instance. */
  readonly instance: InstanceRecord;
  /** The path of its network namespace; empty for a guest. */
  readonly netns: string;
  /** Its address. */
  readonly primaryIp: string;
  /** Its IPv6 address, where the VPC has it. */
  readonly primaryIp6?: string;
}

/** A region that is up. */
export class Region implements AsyncDisposable {
  /** The cloud's records. */
  readonly cloud: EmulatedCloud;
  /** What moves its packets. */
  readonly fabric: Fabric;
  /** The nodes, by number. */
  readonly nodes: readonly RegionNode[];
  /** What people need to call it. */
  readonly description: StageCloud;
  /** The running guests, by name; to be added once they are up. */
  readonly hardware: Map<string, Hardware> = new Map();
  readonly #ipv6: boolean;
  readonly #parts = new AsyncDisposableStack();

  /**
   * Boots the nodes; see {@linkcode openRegion}.
   *
   * @param wish What it begins with.
   * @param fabric A VPC without machines; the region takes it over.
   */
  constructor(wish: RegionWish, fabric: Fabric) {
    this.fabric = this.#parts.use(fabric);
    this.cloud = new EmulatedCloud(wish.cloud);
    const { id: vpcId } = this.cloud.addVpc(VPC_CIDR);
    const { id: securityGroupId } = this.cloud.addSecurityGroup({ vpcId });
    this.#ipv6 = wish.ipv6 ?? false;
    const vSwitches = this.#addVSwitches(vpcId, wish.zoneCount);
    this.cloud.fabric = {
      attach: async (eni, { name }) => {
        if (eni.member !== undefined) {
          const { trunkId, vlanId } = eni.member;
          const { id, ips } = eni;
          return fabric.addMember(trunkId, { id, ips, vlanId });
        }
        fabric.plug(eni, name);
        const tap = fabric.portName(eni.id);
        const plugged = this.hardware.get(name)?.plug({ tap, mac: eni.mac });
        await plugged?.catch((error) => {
          fabric.unplug(eni.id);
          throw error;
        });
      },
      detach: async (eni, { name }) => {
        await this.hardware.get(name)?.unplug(eni.mac);
        fabric.unplug(eni.id);
      },
      assign: (eni, ips) => inTurn(() => fabric.assign(eni.id, ips)),
      unassign: (eni, ips) => inTurn(() => fabric.unassign(eni.id, ips)),
      route: (cidr, eniId) => inTurn(() => fabric.routeTo(eniId, cidr)),
    };
    this.nodes = Array.from({ length: wish.nodeCount }, (_, at) =>
      this.#boot({
        name: wish.nodeNames?.[at] ?? `n${at + 1}`,
        type: wish.instanceType,
        vSwitch: at % vSwitches.length,
        isGuest: wish.guests?.includes(`n${at + 1}`) ?? false,
      }, { vSwitches, securityGroupId }));
    const allow = [...SEED_POLICY, ...this.#ipv6 ? IPV6_POLICY : []];
    const key = this.cloud.keys.add({ allow });
    this.description = {
      endpoint: this.#serve(),
      region: this.cloud.model.region,
      accessKeyId: key.id,
      accessKeySecret: key.secret,
      vpcId,
      securityGroupId,
      vSwitches,
    };
  }

  /** Ends the cloud and removes its VPC. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  #addVSwitches(vpcId: string, count: number): StageVSwitch[] {
    return Array.from({ length: count }, (_, at) => {
      const zone = `${this.cloud.model.region}-${"abcdefghijklmnop"[at]}`;
      const cidr = `10.${at + 1}.0.0/16`;
      const six = this.#ipv6 ? { cidr6: cidr6Of(at) } : {};
      const { id } = this.cloud.addVSwitch({ vpcId, zone, cidr, ...six });
      this.fabric.addVSwitch(cidr);
      return { id, zone, cidr, ...six };
    });
  }

  #boot(
    wish: { name: string; type: string; vSwitch: number; isGuest: boolean },
    inside: { vSwitches: readonly StageVSwitch[]; securityGroupId: string },
  ): RegionNode {
    const { name, type } = wish;
    const vSwitch = inside.vSwitches[wish.vSwitch];
    if (vSwitch === undefined) throw new Error("Cannot boot without a vSwitch");
    const instance = this.cloud.addInstance({
      name,
      type,
      vSwitchId: vSwitch.id,
      securityGroupIds: [inside.securityGroupId],
    });
    const eni = this.#eni(instance.primaryEniId);
    const { cidr: subnet, cidr6: subnet6 } = vSwitch;
    if (subnet6 !== undefined) assignIps6(this.cloud.model, eni.id, 1);
    const { netns } = this.fabric.addMachine({
      name,
      card: bodyOf(eni),
      subnet,
      ...subnet6 !== undefined && { subnet6 },
      ...wish.isGuest && { taps: true },
    });
    const [primaryIp6] = bodyOf(eni).ips.filter((ip) => ip.includes(":"));
    return {
      ...{ name, instance, netns, primaryIp: eni.primaryIp },
      ...primaryIp6 !== undefined && { primaryIp6 },
    };
  }

  /** Serves inside and outside. Gives the endpoint on this machine. */
  #serve(): string {
    const { cloud, fabric } = this;
    const inside = (url: URL) => ({
      serve: (handler: Deno.ServeHandler<Deno.NetAddr>) =>
        fabric.serve(
          { hostname: url.hostname, port: Number(url.port || 80) },
          handler,
        ),
    });
    const resolve = (from: Deno.NetAddr) => this.#ownerOf(from.hostname);
    const fronts = [
      serveAlibaba(cloud),
      serveAlibaba(cloud, inside(new URL(`http://${API_ENDPOINT}`))),
      serveMetadata(cloud, { resolve }, inside(new URL(METADATA_ENDPOINT))),
    ];
    for (const front of fronts) this.#parts.defer(() => front.close());
    this.#parts.defer(() => cloud.close());
    return fronts[0]?.endpoint ?? "";
  }

  /** Finds the instance that an address is of. */
  #ownerOf(ip: string): string | undefined {
    for (const eni of this.cloud.model.enis.values()) {
      if (bodyOf(eni).ips.includes(ip)) return eni.instanceId;
    }
  }

  #eni(id: string): EniRecord {
    const eni = this.cloud.model.enis.get(id);
    if (eni === undefined) throw new Error(`Cannot find ${id} in the cloud`);
    return eni;
  }
}

/**
 * Opens a region: its nodes are booted, nothing runs on them.
 *
 * @param wish What it begins with.
 * @returns The region.
 */
export async function openRegion(wish: RegionWish): Promise<Region> {
  await using parts = new AsyncDisposableStack();
  const { name, ipv6 = false } = wish;
  const fabric = parts.use(await openFabric({ name, ipv6 }));
  const region = new Region(wish, fabric);
  parts.move();
  return region;
}

/** A card as the fabric knows it. */
function bodyOf({ id, mac, ips, prefixes, ips6 }: EniRecord): Card {
  return { id, mac, ips: [...ips, ...ipsIn(prefixes), ...ips6] };
}

/** The IPv6 prefix of the vSwitch of a zone, counted from 0. */
function cidr6Of(at: number): Cidr {
  return `fd00:${(at + 1).toString(16)}::/64`;
}

/** Makes a promise of what the kernel does at once, refusals included. */
function inTurn(work: () => unknown): Promise<void> {
  return Promise.resolve().then(() => void work());
}
