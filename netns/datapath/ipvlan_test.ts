import { assert, assertEquals, assertThrows } from "@std/assert";
import type { IpvlanAttachment } from "../attachment.ts";
import { command, type Plan } from "../step.ts";
import { planOf } from "../recipe.ts";
import { NotSupportedError } from "../unsupported.ts";
import { ipvlanPlan } from "./ipvlan.ts";

const WEB: IpvlanAttachment = {
  recipe: "ipvlan/1",
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  netns: "/run/netns/web",
  ip: "10.1.0.7",
  eni: {
    id: "eni-1",
    mac: "00:16:3e:01:00:00",
    ifIndex: 3,
    gateway: "10.1.255.253",
    subnet: "10.1.0.0/16",
  },
  serviceCidrs: ["172.21.0.0/20", "fd00:2::/112"],
  hostStackCidrs: ["169.254.20.10/32"],
  mtu: 1500,
};

const CARD = { name: "eth1", ifIndex: 5, mac: "00:16:3e:01:00:00" };

/** The plan as commands; those in the pod begin with `pod`. */
function commandsOf({ steps, netns = "" }: Plan): string[] {
  return steps.map((step) =>
    command(step, netns).replaceAll(`nsenter --net=${netns}`, "pod")
  );
}

Deno.test("ipvlanPlan() lays the pod's interface on the card", () => {
  const { pod } = planOf(WEB, { nodeIp: "10.1.0.1", eni: CARD });
  assertEquals(commandsOf(pod), [
    "ip link set eth1 up",
    "ip link add link eth1 name terway-new netns /run/netns/web mtu 1500 " +
    "type ipvlan mode l2 && pod ip link set terway-new name eth0 up",
    "pod ip address add 10.1.0.7/16 broadcast 10.1.255.255 dev eth0",
    "pod ip neighbour add 10.1.0.1 lladdr 00:16:3e:01:00:00 dev eth0 nud " +
    "permanent",
    "pod ip route add 10.1.0.1/32 dev eth0 scope link",
    "pod ip route add default via 10.1.255.253 dev eth0 onlink",
    "ip route add 10.1.0.7/32 dev ipvl_5 src 10.1.0.1 scope link",
  ]);
});

Deno.test("ipvlanEniPlan() turns services and the node's own back", () => {
  const { shared } = planOf(WEB, { nodeIp: "10.1.0.1", eni: CARD });
  const back = (to: string, family = "ip"): string =>
    `tc filter add dev eth1 egress protocol ${family} prio 40000 u32 match ` +
    `${to} action tunnel_key unset pipe action skbedit ptype host pipe ` +
    "action mirred ingress redirect dev ipvl_5";
  assertEquals(commandsOf(shared), [
    "ip link set eth1 up",
    "ip neighbour add 10.1.255.253 lladdr ee:ff:ff:ff:ff:ff dev eth1 nud " +
    "permanent",
    "ip link add link eth1 name ipvl_5 up type ipvlan mode l2 && " +
    "ip link set ipvl_5 arp off",
    "sysctl net.ipv4.conf.ipvl_5.forwarding=1 net.ipv4.conf.ipvl_5.rp_filter=0",
    "ip address add 10.1.0.1/32 dev ipvl_5 scope host",
    "tc qdisc add dev eth1 clsact",
    back("ip dst 172.21.0.0/20"),
    back("ip6 dst fd00:2::/112", "ipv6"),
    back("ip dst 169.254.20.10/32"),
  ]);
});

Deno.test("ipvlanPlan() can be walked back when the card is gone", () => {
  const { shared, pod } = planOf(WEB, { nodeIp: "10.1.0.1" });
  assertEquals(shared.steps, []);
  const [, slave] = pod.steps;
  assertEquals(slave?.kind, "sublink");
  // By the index that the card had: the node's slave was named by it.
  assertEquals(
    commandsOf(pod).at(-1),
    "ip route add 10.1.0.7/32 dev ipvl_3 src 10.1.0.1 scope link",
  );
});

Deno.test("ipvlanPlan() limits a pod before any packet finds it", () => {
  const bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  const node = { link: CARD, nodeIps: ["10.1.0.1"] };
  const { steps } = ipvlanPlan({ ...WEB, bandwidth }, node);
  assertEquals(steps.slice(1, 7).map(({ kind }) => kind), [
    "sublink",
    "tbf",
    "ifb",
    "tbf",
    "redirect",
    "address",
  ]);
});

Deno.test("ipvlanPlan() refuses a family that the vSwitch hasn't", () => {
  const ips = ["10.1.0.7", "fd00:1::7"];
  const node = { link: CARD, nodeIps: ["10.1.0.1"] };
  assertThrows(
    () => ipvlanPlan({ ...WEB, ips }, node),
    NotSupportedError,
    "no IPv6 prefix",
  );
});

Deno.test("ipvlanEniPlan() has the node's IPv6 address where a pod has one", () => {
  const six = { gateway6: "fd00:1::fffd", subnet6: "fd00:1::/64" };
  const ips = ["10.1.0.7", "fd00:1::7"];
  const node = { nodeIp: "10.1.0.1", nodeIp6: "fd00:1::1", eni: CARD };
  const four = planOf(WEB, node);
  assert(!commandsOf(four.shared).some((line) => line.includes("fd00:1::1")));
  const { shared, pod } = planOf(
    { ...WEB, ips, eni: { ...WEB.eni, ...six } },
    node,
  );
  const own = "ip address add fd00:1::1/128 dev ipvl_5 nodad";
  assert(commandsOf(shared).includes(own));
  assertEquals(
    commandsOf(pod).filter((line) => line.includes("fd00:1::1")),
    [
      "pod ip neighbour add fd00:1::1 lladdr 00:16:3e:01:00:00 dev eth0 nud " +
      "permanent",
      "pod ip -6 route add fd00:1::1/128 dev eth0",
      "ip -6 route add fd00:1::7/128 dev ipvl_5 src fd00:1::1",
    ],
  );
});
