/**
 * Pods with ENIs of their own that hang on the node's trunk, by the whole
 * daemon in a guest: their PodENIs are an API server's, as the controller would
 * write them.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gatewayOf } from "../../netns/ip.ts";
import { openNamespace, within } from "../../netns/namespace.ts";
import type { EniRecord } from "../emulators/alibaba/model.ts";
import { ApiServer } from "../emulators/kubernetes/server.ts";
import { ping, runIn } from "../fabric/inside.ts";
import { seenFrom, showRate, translate } from "./ipvlan.ts";
import { linkOf, namesOf, until } from "./looks.ts";
import type { GuestNode, GuestPod } from "./node.ts";

/** Where the API server is in the VPC. */
const API_IP = "100.64.9.9";

/** The members' own vSwitch, which isn't the node's. */
const SUBNET = "10.9.0.0/16";

const PODS = "/api/v1/pods";
const POD_ENIS = "/apis/network.alibabacloud.com/v1beta1/podenis";

/** How each pod has its member. */
const NETWORKS = {
  v1: { "vlan_strip_type": "vlan" },
  v2: { "vlan_strip_type": "vlan" },
  f1: { "vlan_strip_type": "filter" },
  f2: { "vlan_strip_type": "filter", "eniip_virtual_type": "IPvlan" },
} as const;

/** A trunk, members, and who tells of them. */
class Members {
  readonly node: GuestNode;
  readonly server: ApiServer;
  readonly vSwitchId: string;
  trunkId = "";
  readonly enis = new Map<string, EniRecord>();

  constructor(node: GuestNode, server: ApiServer) {
    this.node = node;
    this.server = server;
    const { cloud, description, fabric } = node.region;
    const { vpcId } = description;
    const [{ zone } = { zone: "" }] = description.vSwitches;
    this.vSwitchId = cloud.addVSwitch({ vpcId, zone, cidr: SUBNET }).id;
    fabric.addVSwitch(SUBNET);
  }

  /** Makes a member, as the controller does. */
  async make(name: string): Promise<EniRecord> {
    const { region, node: { instance } } = this.node;
    const { vSwitchId, trunkId } = this;
    const wish = { vSwitchId, instanceId: instance.id, trunkId };
    const eni = await region.cloud.stranger.createEni(wish);
    this.enis.set(name, eni);
    return eni;
  }

  /** Writes a pod's PodENI; the status as it is told. */
  write(name: string, status: Readonly<Record<string, unknown>> = {}): void {
    const eni = this.enis.get(name);
    assert(eni?.member !== undefined, `${name} has no member`);
    const { id, mac, member } = eni;
    this.server.put(POD_ENIS, {
      metadata: { name, namespace: "default" },
      spec: {
        allocation: {
          eni: { id, mac, zone: "cn-hangzhou-a" },
          ipType: { releaseAfter: "0s", type: "Elastic" },
          ipv4: eni.ips[0],
          ipv4CIDR: SUBNET,
        },
      },
      status: {
        instanceID: this.node.node.instance.id,
        status: "Bind",
        trunkENIID: member.trunkId,
        eniInfos: Object.fromEntries([[id, { vid: member.vlanId }]]),
        ...status,
      },
    });
  }

  /** Makes the pod's object; the webhook has written its mark. */
  addObject(name: string): void {
    const annotations = Object.fromEntries([[
      "k8s.aliyun.com/pod-eni",
      "true",
    ]]);
    this.server.put(PODS, {
      metadata: { name, namespace: "default", uid: `u-${name}`, annotations },
      spec: { nodeName: "n1", containers: [] },
    });
  }
}

/** What the steps share. */
interface Lab {
  readonly node: GuestNode;
  readonly members: Members;
  /** The pods that are there, by name. */
  readonly pods: Map<string, GuestPod>;
}

/**
 * Shows pods with member ENIs.
 *
 * @param t The test.
 * @param node The guest; its daemon is configured anew.
 */
export async function showMembers(
  t: Deno.TestContext,
  node: GuestNode,
): Promise<void> {
  const { region } = node;
  await using server = await openServer(node);
  const kubeconfig = `${node.dir}/n1/kubeconfig`;
  await server.writeKubeconfig(kubeconfig);
  server.put("/api/v1/nodes", { metadata: { name: "n1", uid: "u-n1" } });
  const members = new Members(node, server);
  await node.reconfigure({
    config: { "enable_eni_trunking": true },
    flags: ["--node", "n1", "--kubeconfig", kubeconfig, "--add-deadline", "20"],
    network: {},
  });
  // What was for pods before may meet these, who have their addresses.
  await node.guest.text("iptables-legacy", "-t", "nat", "-F");
  await t.step("a node makes its trunk, and status has it", async () => {
    members.trunkId = await until("the trunk is ready", async () => {
      const { trunk } = await node.ask("status") as {
        trunk?: { eniId?: string; reason?: string };
      };
      return trunk?.reason === undefined && trunk?.eniId;
    });
    const { type } = region.cloud.model.enis.get(members.trunkId) ?? {};
    assertEquals(type, "Trunk");
  });
  const before = await heldBy(node);
  const lab = { node, members, pods: new Map<string, GuestPod>() };
  await showBinding(t, lab);
  await showTraffic(t, lab);
  await showCare(t, lab);
  await t.step("after DEL nothing of members is left", async () => {
    for (const name of lab.pods.keys()) await node.removePod(name);
    await until("the node is as before", async () => {
      const after = await heldBy(node);
      return JSON.stringify(after) === JSON.stringify(before);
    });
  });
  // The trunk can't go before them.
  for (const { id } of members.enis.values()) {
    await region.cloud.stranger.deleteEni(id);
  }
}

async function showBinding(
  t: Deno.TestContext,
  { node, members, pods }: Lab,
): Promise<void> {
  await t.step(
    "a PodENI that can't be used says what to do",
    () => showRefusals(node, members),
  );
  await t.step("a pod waits for its PodENI, and has its member", async () => {
    const { server } = members;
    await members.make("v1");
    members.addObject("v1");
    members.write("v1", { status: "Binding" });
    const added = node.addPod("v1", NETWORKS.v1);
    await until(
      "the daemon watches",
      () =>
        Promise.resolve(
          server.calls.some(({ verb, path }) =>
            verb === "WATCH" && path.endsWith("/podenis")
          ),
        ),
    );
    members.write("v1");
    const pod = await added;
    pods.set("v1", pod);
    assertEquals(pod.ip, members.enis.get("v1")?.ips[0]);
    const { kind } = linkOf(await node.guest.ask("dump", pod.netns), "eth0");
    assertEquals(kind, "vlan");
  });
}

async function showTraffic(
  t: Deno.TestContext,
  { node, members, pods }: Lab,
): Promise<void> {
  const { guest, region } = node;
  const spoofedBefore = await region.fabric.spoofed();
  await t.step("members meet everybody, by each way", async () => {
    for (const name of ["v2", "f1", "f2"] as const) {
      await members.make(name);
      members.addObject(name);
      members.write(name);
      pods.set(name, await node.addPod(name, NETWORKS[name]));
    }
    // One that shares the trunk as it would any ENI.
    const shared = await node.addPod("s1");
    pods.set("s1", shared);
    const { leases } = await node.ask("status") as {
      leases: readonly { ip: string; eniId: string }[];
    };
    const lease = leases.find(({ ip }) => ip === shared.ip);
    assertEquals(lease?.eniId, members.trunkId);
    await meet(node, [...pods.values()]);
  });
  const [v1, f1, f2] = ["v1", "f1", "f2"].map((name) => podOf(pods, name));
  assert(v1 && f1 && f2);
  await t.step("a service and the node are reached by the node", async () => {
    await translate(node, [v1, f2]);
    const { primaryIp } = node.node;
    // By policy routing a pod's own address comes back through the node.
    for (
      const [pod, seen] of [[v1, primaryIp], [f1, f1.ip], [
        f2,
        primaryIp,
      ]] as const
    ) {
      assertEquals(await seenFrom(node, pod), seen, pod.name);
      assertEquals(await node.ping(pod.netns, primaryIp), 3, pod.name);
    }
  });
  await t.step("a member's address is taken from no other member", async () => {
    assertEquals(await region.fabric.spoofed(), spoofedBefore);
    const lie = ["address", "add", `${f1.ip}/32`, "dev", "lo"];
    const inside = ["nsenter", `--net=${v1.netns}`] as const;
    await guest.text(...inside, "ip", ...lie);
    const ping = ["ping", "-c1", "-W1", "-I", f1.ip, node.other.primaryIp];
    const { stdout } = await guest.run([...inside, ...ping]);
    assertStringIncludes(stdout, "0 received");
    assert(await region.fabric.spoofed() > spoofedBefore);
    await guest.text(...inside, "ip", ...lie.with(1, "delete"));
  });
}

async function showCare(
  t: Deno.TestContext,
  { node, pods }: Lab,
): Promise<void> {
  await t.step(
    "CHECK names what is gone of a member, ADD mends it",
    () => showChecks(node, pods),
  );
  await t.step("what others take from the trunk is put back", async () => {
    const [f1, f2] = [podOf(pods, "f1"), podOf(pods, "f2")];
    await node.guest.text("tc", "qdisc", "delete", "dev", "eth1", "clsact");
    await until(
      "the tags are there again",
      async () => await node.ping(f1.netns, node.other.primaryIp) === 3,
    );
    for (const pod of [f1, f2]) {
      assertEquals(await node.check(pod), "", pod.name);
    }
  });
  await t.step("a pod is as fast as it may be, by a VLAN too", async () => {
    await node.removePod("v2");
    pods.delete("v2");
    await showRate(node, "v2", NETWORKS.v2);
  });
}

function podOf(pods: ReadonlyMap<string, GuestPod>, name: string): GuestPod {
  const pod = pods.get(name);
  assert(pod !== undefined, `there is no ${name}`);
  return pod;
}

/** In the VPC, where a cluster's API server is for its nodes. */
async function openServer({ region }: GuestNode): Promise<ApiServer> {
  const { netns } = region.fabric;
  await runIn(netns, ["ip", "address", "add", `${API_IP}/32`, "dev", "lo"]);
  return new ApiServer((port) => {
    using namespace = openNamespace(netns);
    return within<Deno.TcpListener>(
      namespace,
      () => Deno.listen({ hostname: API_IP, port }),
    );
  });
}

async function showRefusals(node: GuestNode, members: Members): Promise<void> {
  const { id } = await members.make("bad");
  members.addObject("bad");
  await node.guest.ask("addNamespace", "/run/netns/pod-bad");
  const cases = [
    [{ trunkENIID: "eni-other" }, "this node's trunk is"],
    [
      { eniInfos: Object.fromEntries([[id, { vid: 5000 }]]) },
      "must be 1 to 4094: it is 5000",
    ],
  ] as const;
  for (const [status, said] of cases) {
    members.write("bad", status);
    const { code, stdout } = await node.call("ADD", "bad");
    assert(code !== 0, stdout);
    assertStringIncludes(stdout, said);
    assertStringIncludes(stdout, '"code":11');
  }
  assertEquals((await node.call("DEL", "bad")).code, 0);
  await node.guest.ask("removeNamespace", "/run/netns/pod-bad");
}

async function meet(
  node: GuestNode,
  pods: readonly GuestPod[],
): Promise<void> {
  const { other } = node;
  const unanswered: string[] = [];
  const note = async (what: string, count: Promise<number>): Promise<void> => {
    if (await count === 0) unanswered.push(what);
  };
  await Promise.all(pods.flatMap((pod) => [
    note(`${other.name} to ${pod.name}`, ping(other.netns, pod.ip)),
    note(
      `${pod.name} to ${other.name}`,
      node.ping(pod.netns, other.primaryIp),
    ),
    note(`${pod.name} to the VPC`, node.ping(pod.netns, gatewayOf(SUBNET))),
    ...pods.filter((one) => one !== pod).map((one) =>
      note(`${pod.name} to ${one.name}`, node.ping(pod.netns, one.ip))
    ),
  ]));
  assertEquals(unanswered, []);
}

async function showChecks(
  node: GuestNode,
  pods: ReadonlyMap<string, GuestPod>,
): Promise<void> {
  const { guest } = node;
  const [v1, f1, f2] = ["v1", "f1", "f2"].map((name) => podOf(pods, name));
  assert(v1 && f1 && f2);
  const inside = (
    pod: GuestPod,
    ...command: string[]
  ): [string, ...string[]] => [
    "nsenter",
    `--net=${pod.netns}`,
    "ip",
    ...command,
  ];
  const gone: readonly [GuestPod, [string, ...string[]]][] = [
    [v1, inside(v1, "route", "delete", "default")],
    [v1, inside(v1, "address", "flush", "dev", "eth0")],
    [v1, inside(v1, "link", "delete", "eth0")],
    [f1, inside(f1, "route", "delete", "default")],
    [f2, inside(f2, "neighbour", "flush", "nud", "permanent", "dev", "eth0")],
  ];
  for (const [pod, command] of gone) {
    await guest.text(...command);
    const what = `${pod.name}: ${command.slice(2).join(" ")}`;
    assertStringIncludes(await node.check(pod), '"code":100', what);
    const network = NETWORKS[pod.name as keyof typeof NETWORKS];
    const again = await node.call("ADD", pod.name, network);
    assertEquals(again.code, 0, `${what}: ${again.stdout}`);
    assertEquals(await node.check(pod), "", what);
    assertEquals(await node.ping(pod.netns, node.other.primaryIp), 3, what);
  }
}

/** What the node holds beside pods: nothing of it may grow. */
async function heldBy({ guest }: GuestNode): Promise<readonly unknown[]> {
  const dump = await guest.ask("dump", "");
  const { rules, routes } = dump;
  const queues = await guest.text("tc", "qdisc", "show", "dev", "eth1");
  return [namesOf(dump), rules, routes, queues];
}
