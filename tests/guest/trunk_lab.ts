/**
 * A VPC with trunks, whole inside one guest, since the kernel beneath has no
 * VLANs: two nodes, two pods that are VLANs of a trunk, two that share a card
 * by IPvlan, two whose tags filters push and pop. Run as a program; prints what
 * it saw as JSON.
 *
 * @module
 */
import { applyPlan } from "../../netns/apply.ts";
import type { Attachment } from "../../netns/attachment.ts";
import { comparePlan } from "../../netns/compare.ts";
import { dumpNamespace } from "../../netns/dump.ts";
import { gatewayOf } from "../../netns/ip.ts";
import { findLinkByMac } from "../../netns/link.ts";
import { createNamespace, openNamespace } from "../../netns/namespace.ts";
import { planOf, type Plans } from "../../netns/recipe.ts";
import { removePlan } from "../../netns/remove.ts";
import { openRoutes } from "../../netns/socket.ts";
import { command, type Plan } from "../../netns/step.ts";
import { type Fabric, openFabric } from "../fabric.ts";
import { ping, runIn } from "../fabric/inside.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import { netnsPath } from "../fabric/netns_dir.ts";

/** What was seen. */
export interface TrunkSeen {
  /** How many pings of the matrix were answered, and which weren't. */
  readonly answered: number;
  readonly unanswered: readonly string[];
  /** What differed from the plans once all was made. */
  readonly differences: readonly string[];
  /** What differed from the plans when their commands had made it. */
  readonly byCommands: readonly string[];
  /** What the source check dropped before and after a pod lied. */
  readonly spoofed: readonly [before: number, after: number];
  /** What a round of DEL and ADD took, of a pod each datapath. */
  readonly roundMs: number;
  /** What is left after many pods came and went, beside what was before. */
  readonly left: readonly string[];
}

/** The numbers of vSwitches: 10.N.0.0/16 and fd0N::/64. */
const NODES = 1;
const MEMBERS = { t1: 2, t2: 3, f1: 4, f2: 5 } as const;
const VLANS = { t1: 100, t2: 200, f1: 300, f2: 400 } as const;

const subnet = (number: number): string => `10.${number}.0.0/16`;
const subnet6 = (number: number): string => `fd0${number}::/64`;
const both = (number: number, host: number): string[] => [
  `10.${number}.0.${host}`,
  `fd0${number}::${host.toString(16)}`,
];
const mac = (node: number, card: number): string =>
  `00:16:3e:00:0${node}:0${card}`;

interface Made {
  readonly netns: string;
  readonly plans: Plans;
}

class Lab implements AsyncDisposable {
  readonly pods = new Map<string, Made>();
  readonly node: string;
  readonly other: string;
  readonly fabric: Fabric;

  constructor(fabric: Fabric) {
    this.fabric = fabric;
    for (const number of [NODES, ...Object.values(MEMBERS)]) {
      fabric.addVSwitch(subnet(number));
      fabric.addVSwitch(subnet6(number));
    }
    const wish = { subnet: subnet(NODES), subnet6: subnet6(NODES) };
    const [card1, card2] = [1, 2].map((node) => ({
      id: `eni-${node}`,
      mac: mac(node, 0),
      ips: both(NODES, node),
    }));
    if (card1 === undefined || card2 === undefined) throw new Error("no card");
    this.node = fabric.addMachine({ name: "n1", card: card1, ...wish }).netns;
    this.other = fabric.addMachine({ name: "n2", card: card2, ...wish }).netns;
    const shared = [...both(NODES, 31), ...both(NODES, 32)];
    fabric.plug({ id: "trunk", mac: mac(1, 1), ips: both(NODES, 30) }, "n1");
    fabric.plug({ id: "shared", mac: mac(1, 2), ips: shared }, "n1");
    for (const [name, number] of Object.entries(MEMBERS)) {
      const vlanId = VLANS[name as keyof typeof VLANS];
      const ips = both(number, 10);
      fabric.addMember("trunk", { id: `member-${name}`, ips, vlanId });
    }
  }

  /** Plans a pod by its name, on the card that it belongs to. */
  attachment(name: string, netns: string): Attachment {
    const isShared = name.startsWith("i");
    const number = isShared ? NODES : MEMBERS[name as keyof typeof MEMBERS];
    const ips = isShared ? both(NODES, 30 + Number(name[1])) : both(number, 10);
    // With filters a pod's packets pass the trunk's own gateway.
    const home = name.startsWith("f") ? NODES : number;
    const common = {
      owner: { network: "lab", containerId: name, ifName: "eth0" },
      ...{ netns, mtu: 1500, ip: ips[0] ?? "", ips },
      eni: {
        id: isShared ? "shared" : `member-${name}`,
        mac: mac(1, isShared ? 2 : 1),
        ifIndex: 0,
        gateway: gatewayOf(subnet(home)),
        subnet: subnet(home),
        gateway6: gatewayOf(subnet6(home)),
        subnet6: subnet6(home),
      },
    };
    const vlanId = VLANS[name as keyof typeof VLANS];
    switch (name) {
      case "i1":
      case "i2":
        return { recipe: "ipvlan/1", ...common, serviceCidrs: [] };
      case "f1":
        return { recipe: "veth/1", ...common, vlanId };
      case "f2":
        return { recipe: "ipvlan/1", ...common, vlanId, serviceCidrs: [] };
    }
    const hostPeer = { nodeIps: both(NODES, 1), serviceCidrs: [] };
    return { recipe: "vlan/1", ...common, vlanId, hostPeer };
  }

  add(name: string): Made {
    const netns = netnsPath(`lab-${name}`);
    createNamespace(netns);
    bringLoopbackUp(netns);
    return this.make(name, netns);
  }

  make(name: string, netns: string): Made {
    using namespace = openNamespace(this.node);
    using routes = openRoutes(namespace);
    const attachment = this.attachment(name, netns);
    const cardMac = mac(1, name.startsWith("i") ? 2 : 1);
    const eni = findLinkByMac(routes, cardMac);
    if (eni === undefined) throw new Error(`Cannot find the card of ${name}`);
    const [nodeIp = "", nodeIp6 = ""] = both(NODES, 1);
    const facts = { nodeIp, nodeIp6, eni };
    const plans = planOf(attachment, facts);
    applyPlan(plans.shared, routes);
    applyPlan(plans.pod, routes);
    const made = { netns, plans };
    this.pods.set(name, made);
    return made;
  }

  differences(): string[] {
    using namespace = openNamespace(this.node);
    using routes = openRoutes(namespace);
    return [...this.pods.values()].flatMap(({ plans: { shared, pod } }) =>
      [shared, pod].flatMap((plan: Plan) =>
        comparePlan(plan, routes).map(({ object, problem, seen = "" }) =>
          `${problem}: ${object} ${seen}`
        )
      )
    );
  }

  async remove(plan: Plan): Promise<void> {
    using namespace = openNamespace(this.node);
    using routes = openRoutes(namespace);
    await removePlan(plan, routes).done;
  }

  /** All that the node holds, as lines. */
  async held(): Promise<string[]> {
    using namespace = openNamespace(this.node);
    using routes = openRoutes(namespace);
    const lines = Object.values(dumpNamespace(routes))
      .flatMap((list) => (list as unknown[]).map((one) => JSON.stringify(one)));
    for (const what of ["qdisc", "filter"]) {
      for (const card of ["eth1", "eth2"]) {
        const ends = what === "qdisc" ? [[]] : [["ingress"], ["egress"]];
        for (const end of ends) {
          const show = ["tc", what, "show", "dev", card, ...end];
          const { stdout } = await runIn(this.node, show);
          lines.push(...stdout.split("\n").filter((line) => line !== ""));
        }
      }
    }
    return lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fabric[Symbol.asyncDispose]();
  }
}

/** Who pings, and whom, of both families. */
async function matrix(lab: Lab): Promise<[number, string[]]> {
  const names = ["t1", "t2", "i1", "i2", "f1", "f2"];
  const places: [string, string][] = [
    ["n1", lab.node],
    ["n2", lab.other],
    ...names.map((name): [string, string] => [
      name,
      lab.pods.get(name)?.netns ?? "",
    ]),
  ];
  const targets: [string, string[]][] = [
    ["n2", both(NODES, 2)],
    ...["t1", "t2", "f1", "f2"].map((name): [string, string[]] => [
      name,
      both(MEMBERS[name as keyof typeof MEMBERS], 10),
    ]),
    ["i1", both(NODES, 31)],
    ["i2", both(NODES, 32)],
  ];
  // The node itself, which IPvlan pods reach by the card's own slave.
  const own = new Map([["i1", both(NODES, 1)], ["i2", both(NODES, 1)]]);
  let answered = 0;
  const unanswered: string[] = [];
  for (const [from, netns] of places) {
    const others = targets.filter(([to]) => to !== from);
    others.push(["n1", own.get(from) ?? []]);
    const pairs = others.flatMap(([to, ips]) => ips.map((ip) => [to, ip]));
    await Promise.all(pairs.map(async ([to, ip = ""]) => {
      const got = await ping(netns, ip, ["-c1", "-W3"]);
      if (got > 0) answered++;
      else unanswered.push(`${from} -> ${to} (${ip})`);
    }));
  }
  return [answered, unanswered];
}

/**
 * Makes all pods anew by the commands that their plans print, as
 * `terway explain --as-commands` gives them.
 */
async function madeByCommands(lab: Lab): Promise<string[]> {
  const problems: string[] = [];
  const planned = await lab.held();
  for (const { plans } of lab.pods.values()) await lab.remove(plans.pod);
  for (const { plans } of lab.pods.values()) await lab.remove(plans.shared);
  // What pods share is made once.
  const done = new Set<string>();
  for (const [name, { netns, plans: { shared, pod } }] of lab.pods) {
    const script = [
      ...shared.steps.map((step) => command(step, netns)),
      ...pod.steps.map((step) => command(step, netns)),
    ].filter((line) => !done.has(line));
    for (const line of script) done.add(line);
    const { success } = await runIn(
      lab.node,
      ["sh", "-ec", script.join("\n")],
    );
    if (!success) problems.push(`${name}: a command failed`);
  }
  problems.push(...lab.differences());
  const made = await lab.held();
  const isOdd = (lines: readonly string[]) => (line: string): boolean =>
    !lines.includes(line) && /"(priority|cidr|destination)"/.test(line);
  problems.push(...planned.filter(isOdd(made)), ...made.filter(isOdd(planned)));
  return problems;
}

/** A pod each way of the trunk and of IPvlan. */
const ROUND = ["t1", "i1", "f1", "f2"];

async function main(): Promise<void> {
  await using lab = new Lab(await openFabric({ name: "trunk", ipv6: true }));
  const before = await lab.held();
  for (const name of ["t1", "t2", "i1", "i2", "f1", "f2"]) lab.add(name);
  const differences = lab.differences();
  const [answered, unanswered] = await matrix(lab);
  const byCommands = await madeByCommands(lab);
  const spoofedBefore = await lab.fabric.spoofed();
  const { netns = "" } = lab.pods.get("t1") ?? {};
  const lie = both(MEMBERS.t2, 10)[0] ?? "";
  await runIn(netns, ["ip", "address", "add", `${lie}/32`, "dev", "lo"]);
  await ping(netns, both(NODES, 2)[0] ?? "", ["-c1", "-I", lie]);
  const spoofedAfter = await lab.fabric.spoofed();
  const rounds = Number(Deno.args[0] ?? "0");
  const startMs = performance.now();
  for (let i = 0; i < rounds; i++) {
    // A link takes the kernel some 20 ms to let go: theirs go together.
    await Promise.all(ROUND.map(async (name) => {
      const { netns, plans } = lab.pods.get(name) ?? lab.add(name);
      await lab.remove(plans.pod);
      lab.make(name, netns);
    }));
  }
  const roundMs = (performance.now() - startMs) / Math.max(1, rounds);
  for (const { plans } of lab.pods.values()) await lab.remove(plans.pod);
  for (const { plans } of lab.pods.values()) await lab.remove(plans.shared);
  const kept = new Set(before);
  const left = (await lab.held()).filter((line) => !kept.has(line))
    // A card stays up, and forwards, while it is attached.
    .filter((line) => !/^{"name":"eth[12]"|noqueue/.test(line));
  const seen: TrunkSeen = {
    answered,
    unanswered,
    differences,
    byCommands,
    spoofed: [spoofedBefore, spoofedAfter],
    roundMs,
    left,
  };
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(seen)));
}

if (import.meta.main) await main();
