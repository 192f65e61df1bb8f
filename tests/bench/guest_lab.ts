/**
 * A VPC inside one guest, for measurements: a node with a card each for a pod
 * by policy routing, one by IPvlan with filters of u32, and one by IPvlan with
 * the same as eBPF; another node to talk to. Run as a program; it leaves all
 * of it behind, and prints where it is.
 *
 * @module
 */
import { applyPlan } from "../../netns/apply.ts";
import type { Attachment } from "../../netns/attachment.ts";
import { gatewayOf } from "../../netns/ip.ts";
import { findLinkByMac, findLinkByName } from "../../netns/link.ts";
import { createNamespace, openNamespace } from "../../netns/namespace.ts";
import { ownSlave } from "../../netns/datapath/ipvlan.ts";
import { planOf } from "../../netns/recipe.ts";
import { openRoutes } from "../../netns/socket.ts";
import { openFabric } from "../fabric.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import { netnsPath } from "../fabric/netns_dir.ts";

/** Where everything is. */
export interface BenchLab {
  /** The other node's namespace. */
  readonly other: string;
  /** The other node's address. */
  readonly otherIp: string;
  /** The pods' namespaces, by datapath; without what this kernel can't. */
  readonly pods: Readonly<Partial<Record<Datapath, string>>>;
  /** Why one isn't there. */
  readonly missing?: string;
}

/** What is compared. */
export const DATAPATHS = ["policy", "u32", "ebpf"] as const;

/** One of {@linkcode DATAPATHS}. */
export type Datapath = typeof DATAPATHS[number];

const SUBNET = "10.1.0.0/16";
const SERVICES = ["172.21.0.0/20", "169.254.20.10/32"];
/** The same, as the program takes them. */
const WORDS = ["ac150000", "fffff000", "a9fe140a", "ffffffff"];
const PINNED = "/sys/fs/bpf/steer";

async function main([steer = ""]: string[]): Promise<void> {
  const fabric = await openFabric({ name: "bench" });
  fabric.addVSwitch(SUBNET);
  const [node, other] = [1, 2].map((number) =>
    fabric.addMachine({
      name: `n${number}`,
      card: {
        id: `eni-${number}`,
        mac: `00:16:3e:00:0${number}:00`,
        ips: [`10.1.0.${number}`],
      },
      subnet: SUBNET,
    }).netns
  );
  if (node === undefined || other === undefined) throw new Error("no nodes");
  using namespace = openNamespace(node);
  using routes = openRoutes(namespace);
  const pods: Partial<Record<Datapath, string>> = {};
  let missing: string | undefined;
  for (const [i, datapath] of DATAPATHS.entries()) {
    const mac = `00:16:3e:00:01:0${i + 1}`;
    const ip = `10.1.1.${i + 1}`;
    fabric.plug({ id: datapath, mac, ips: [ip] }, "n1");
    const netns = netnsPath(`bench-${datapath}`);
    createNamespace(netns);
    bringLoopbackUp(netns);
    const eni = findLinkByMac(routes, mac);
    if (eni === undefined) throw new Error(`no card for ${datapath}`);
    const { ifIndex } = eni;
    const common = {
      owner: { network: "bench", containerId: datapath, ifName: "eth0" },
      ...{ netns, ip, mtu: 1500 },
      eni: {
        ...{ id: datapath, mac, ifIndex },
        ...{ gateway: gatewayOf(SUBNET), subnet: SUBNET },
      },
    };
    const serviceCidrs = datapath === "u32" ? SERVICES : [];
    const attachment: Attachment = datapath === "policy"
      ? { recipe: "veth/1", ...common }
      : { recipe: "ipvlan/1", ...common, serviceCidrs };
    const { shared, pod } = planOf(attachment, { nodeIp: "10.1.0.1", eni });
    applyPlan(shared, routes);
    applyPlan(pod, routes);
    if (datapath === "ebpf") {
      const slave = findLinkByName(routes, ownSlave(ifIndex))?.ifIndex ?? 0;
      missing = await steerByBpf(steer, { node, link: eni.name, slave });
      if (missing !== undefined) continue;
    }
    pods[datapath] = netns;
  }
  const told = missing !== undefined && { missing };
  const lab: BenchLab = { other, otherIp: "10.1.0.2", pods, ...told };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(lab)));
  // All of it is held by paths; what waits in this process isn't needed.
  Deno.exit(0);
}

/** Gives what the first command that failed said. */
async function steerByBpf(
  steer: string,
  { node, link, slave }: {
    readonly node: string;
    readonly link: string;
    readonly slave: number;
  },
): Promise<string | undefined> {
  const inNode = ["nsenter", `--net=${node}`, "tc"];
  const pinned = ["bpf", "da", "object-pinned", PINNED];
  const commands = [
    ["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"],
    [steer, PINNED, String(slave), ...WORDS],
    [...inNode, "qdisc", "add", "dev", link, "clsact"],
    [...inNode, "filter", "add", "dev", link, "egress", ...pinned],
  ];
  for (const [program = "", ...args] of commands) {
    const { success, stderr } = await new Deno.Command(program, { args })
      .output();
    if (success) continue;
    const said = new TextDecoder().decode(stderr).trim();
    return `eBPF: \`${[program, ...args].join(" ")}\` failed: ${said}`;
  }
}

if (import.meta.main) await main(Deno.args);
