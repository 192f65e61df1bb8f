import { assert, assertEquals } from "@std/assert";
import type {
  Attachment,
  VethAttachment,
  VlanAttachment,
} from "../attachment.ts";
import { planOf } from "../recipe.ts";
import { command, type Plan } from "../step.ts";

const TRUNK = { name: "eth1", ifIndex: 5, mac: "00:16:3e:01:00:00" };

const COMMON = {
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  netns: "/run/netns/web",
  ip: "10.2.0.7",
  ips: ["10.2.0.7", "fd02::7"],
  eni: {
    id: "eni-member",
    mac: TRUNK.mac,
    ifIndex: 5,
    gateway: "10.2.255.253",
    subnet: "10.2.0.0/16",
    gateway6: "fd02::fffd",
    subnet6: "fd02::/64",
  },
  mtu: 1500,
} as const;

const WEB: VlanAttachment = {
  recipe: "vlan/1",
  ...COMMON,
  vlanId: 100,
  hostPeer: { nodeIps: ["10.1.0.1"], serviceCidrs: ["172.21.0.0/20"] },
};

/** The plan as commands; those in the pod begin with `pod`. */
function commandsOf({ steps, netns = "" }: Plan): string[] {
  return steps.map((step) =>
    command(step, netns).replaceAll(`nsenter --net=${netns}`, "pod")
  );
}

function plansOf(attachment: Attachment) {
  return planOf(attachment, { nodeIp: "10.1.0.1", eni: TRUNK });
}

Deno.test("vlanPlan() makes a VLAN of the trunk the pod's interface", () => {
  const { shared, pod } = plansOf(WEB);
  assertEquals(shared.steps, []);
  const all = commandsOf(pod);
  const add = "ip link add link eth1 name terway-new netns /run/netns/web " +
    "mtu 1500 type vlan id 100 && pod ip link set terway-new name eth0 up";
  assertEquals(all.filter((line) => line.includes("type vlan")), [add]);
  assertEquals(all.filter((line) => line.includes("dev eth0")), [
    "pod ip address add 10.2.0.7/16 broadcast 10.2.255.255 dev eth0",
    "pod ip route add default via 10.2.255.253 dev eth0 onlink",
    "pod ip address add fd02::7/128 dev eth0 nodad",
    "pod ip -6 route add default via fd02::fffd dev eth0 onlink",
  ]);
  // Services and the node by a pair, as with an ENI of its own.
  assertEquals(all.filter((line) => line.includes("172.21")), [
    "pod ip route add 172.21.0.0/20 via 169.254.1.1 dev veth1 src 10.2.0.7 " +
    "onlink",
  ]);
});

Deno.test("vlanPlan() goes without a pair where none is asked for", () => {
  const { hostPeer: _, ...alone } = WEB;
  const kinds = plansOf(alone).pod.steps.map(({ kind }) => kind);
  assert(!kinds.includes("veth"));
  assertEquals(kinds.slice(0, 2), ["link", "sublink"]);
});

Deno.test("a tagged pod's tag is ready before any packet of it", () => {
  const pod: VethAttachment = { recipe: "veth/1", ...COMMON, vlanId: 100 };
  const plans = plansOf(pod);
  const [card, ...tags] = commandsOf(plans.pod).slice(0, 5);
  assertEquals(card, "ip link set eth1 up");
  const filter = "tc filter add dev eth1";
  assertEquals(tags, [
    `${filter} ingress protocol 802.1Q prio 20000 u32 match u8 0x40 0xf0 at 0 ` +
    "match ip dst 10.2.0.7/32 action vlan pop pass",
    `${filter} egress protocol ip prio 50001 u32 match ip src 10.2.0.7/32 ` +
    "action vlan push id 100 pass",
    `${filter} ingress protocol 802.1Q prio 20000 u32 match u8 0x60 0xf0 at 0 ` +
    "match ip6 dst fd02::7/128 action vlan pop pass",
    `${filter} egress protocol ipv6 prio 50002 u32 match ip6 src fd02::7/128 ` +
    "action vlan push id 100 pass",
  ]);
  assertEquals(commandsOf(plans.shared).at(-1), "tc qdisc add dev eth1 clsact");
});

Deno.test("a tagged IPvlan pod never asks for its gateway", () => {
  const { pod } = plansOf({
    recipe: "ipvlan/1",
    ...COMMON,
    ips: ["10.2.0.7"],
    vlanId: 100,
    serviceCidrs: [],
  });
  const all = commandsOf(pod);
  const neighbour = "pod ip neighbour add 10.2.255.253 lladdr " +
    "ee:ff:ff:ff:ff:ff dev eth0 nud permanent";
  assert(all.includes(neighbour));
  const address = "pod ip address add 10.2.0.7/32 dev eth0";
  assert(all.includes(address));
});
