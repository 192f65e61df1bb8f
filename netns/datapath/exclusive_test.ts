import { assertEquals, assertThrows } from "@std/assert";
import type { ExclusiveAttachment } from "../attachment.ts";
import { command, type Plan } from "../step.ts";
import { NotSupportedError } from "../unsupported.ts";
import { exclusivePlan } from "./exclusive.ts";

const WEB: ExclusiveAttachment = {
  recipe: "exclusive/1",
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  pod: { namespace: "default", name: "web-0" },
  netns: "/run/netns/web",
  ip: "10.1.0.1",
  eni: {
    id: "eni-1",
    mac: "00:16:3e:01:00:00",
    ifIndex: 3,
    gateway: "10.1.255.253",
    subnet: "10.1.0.0/16",
    gateway6: "fd00:1::fffd",
    subnet6: "fd00:1::/64",
  },
  card: { name: "eth1", up: false },
  hostPeer: {
    nodeIps: ["10.0.0.10", "fd00::10"],
    serviceCidrs: ["172.16.0.0/16", "fd00:2::/112"],
  },
  mtu: 1500,
};

const LINK = "cali04d39ba6bad";
const HOST_MAC = "0e:e5:97:a8:5c:31";
const POD_MAC = "0a:e5:97:a8:5c:31";

/** The plan as commands; those in the pod begin with `pod`. */
function commandsOf({ steps, netns = "" }: Plan): string[] {
  return steps.map((step) =>
    command(step, netns).replaceAll(`nsenter --net=${netns}`, "pod")
  );
}

const PAIR = `ip link add ${LINK} up address ${HOST_MAC} mtu 1500 ` +
  "numtxqueues 1 numrxqueues 1 type veth " +
  `peer veth1 address ${POD_MAC} mtu 1500 numtxqueues 1 numrxqueues 1 netns /run/netns/web && ` +
  `pod ip link set veth1 up && ip link set ${LINK} alias ` +
  "'terway terway/c0ffee/eth0 default/web-0 /run/netns/web'";

Deno.test("exclusivePlan() limits card and pair before any packet finds them", () => {
  const bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  const all = commandsOf(exclusivePlan({ ...WEB, bandwidth }));
  const ifb = LINK.replace("cali", "ifb");
  const tbf = (link: string, rest: string): string =>
    `pod tc qdisc replace dev ${link} root handle 1: tbf rate ${rest}`;
  const redirect = (link: string): string =>
    `pod tc qdisc replace dev ${link} clsact && pod tc filter replace dev ` +
    `${link} ingress protocol all prio 1 handle 800::800 u32 match u32 0 0 ` +
    `action mirred egress redirect dev ${ifb}`;
  assertEquals(all.slice(6, 12), [
    tbf("eth0", "20000000bit burst 10000b limit 72500b"),
    tbf("veth1", "20000000bit burst 10000b limit 72500b"),
    `pod ip link add ${ifb} up address 06${
      HOST_MAC.slice(2)
    } mtu 1500 type ifb`,
    tbf(ifb, "10000000bit burst 5000b limit 36250b"),
    redirect("eth0"),
    redirect("veth1"),
  ]);
  all.splice(6, 6);
  assertEquals(all, commandsOf(exclusivePlan(WEB)));
});

Deno.test("exclusivePlan() makes the card the pod's eth0, and veth1 its way to the node", () => {
  assertEquals(commandsOf(exclusivePlan(WEB)), [
    PAIR,
    `sysctl net.ipv4.conf.${LINK}.forwarding=1 net.ipv4.conf.${LINK}.rp_filter=0`,
    "pod sysctl net/ipv4/conf/all/rp_filter=0",
    "pod sysctl net/ipv4/conf/veth1/rp_filter=0",
    "ip link set eth1 netns /run/netns/web name eth0",
    "pod ip link set eth0 up mtu 1500",
    "pod ip address add 10.1.0.1/16 broadcast 10.1.255.255 dev eth0",
    "pod ip route add default via 10.1.255.253 dev eth0 onlink",
    `pod ip neighbour add 169.254.1.1 lladdr ${HOST_MAC} dev veth1 nud permanent`,
    `ip neighbour add 10.1.0.1 lladdr ${POD_MAC} dev ${LINK} nud permanent`,
    "pod ip route add 169.254.1.1/32 dev veth1 scope link",
    "pod ip route add 172.16.0.0/16 via 169.254.1.1 dev veth1 src 10.1.0.1 onlink",
    "pod ip route add 10.0.0.10/32 via 169.254.1.1 dev veth1 src 10.1.0.1",
    `ip route add 10.1.0.1/32 dev ${LINK} scope link`,
  ]);
});

Deno.test("exclusivePlan() of IPv6 leads to the node by fe80::1", () => {
  const plan = exclusivePlan({ ...WEB, ip: "fd00:1::1" });
  assertEquals(commandsOf(plan).slice(4), [
    `sysctl net/ipv6/conf/${LINK}/disable_ipv6=0`,
    "pod sysctl net/ipv6/conf/veth1/disable_ipv6=0",
    "pod sysctl net/ipv6/conf/veth1/accept_ra=0",
    "sysctl net/ipv6/conf/all/forwarding=1",
    "ip link set eth1 netns /run/netns/web name eth0",
    "pod sysctl net/ipv6/conf/lo/disable_ipv6=0",
    "pod sysctl net/ipv6/conf/eth0/disable_ipv6=0",
    "pod sysctl net/ipv6/conf/eth0/accept_ra=0",
    "pod ip link set eth0 up mtu 1500",
    "pod ip address add fd00:1::1/128 dev eth0 nodad",
    "pod ip -6 route add default via fd00:1::fffd dev eth0 onlink",
    `pod ip neighbour add fe80::1 lladdr ${HOST_MAC} dev veth1 nud permanent`,
    `ip neighbour add fd00:1::1 lladdr ${POD_MAC} dev ${LINK} nud permanent`,
    "pod ip -6 route add fe80::1/128 dev veth1",
    "pod ip -6 route add fd00:2::/112 via fe80::1 dev veth1 src fd00:1::1 onlink",
    "pod ip -6 route add fd00::10/128 via fe80::1 dev veth1 src fd00:1::1",
    `ip -6 route add fd00:1::1/128 dev ${LINK}`,
  ]);
});

Deno.test("exclusivePlan() of an interface beside the first has its own table and no pair", () => {
  const { hostPeer: _, ...rest } = WEB;
  const plan = exclusivePlan({
    ...rest,
    owner: { ...WEB.owner, ifName: "net1" },
    podTable: 1001,
    beside: "eth0",
    extraRoutes: ["192.168.7.0/24"],
  });
  assertEquals(commandsOf(plan), [
    "ip link set eth1 netns /run/netns/web name net1",
    "pod ip link set net1 up mtu 1500 alias " +
    "'terway terway/c0ffee/net1 default/web-0 /run/netns/web eth0'",
    "pod ip address add 10.1.0.1/16 broadcast 10.1.255.255 dev net1 noprefixroute",
    "pod ip route add default via 10.1.255.253 dev net1 table 1001 onlink",
    "pod ip route add 192.168.7.0/24 via 10.1.255.253 dev net1 onlink",
    "pod ip rule add priority 512 from 10.1.0.1/32 lookup 1001",
    "pod ip rule add priority 512 oif net1 lookup 1001",
  ]);
});

Deno.test("exclusivePlan() leads what the node's own stack serves to the node", () => {
  const plan = exclusivePlan({ ...WEB, hostStackCidrs: ["169.254.20.10/32"] });
  assertEquals(
    commandsOf(plan).filter((text) => text.includes("169.254.20.10")),
    ["pod ip route add 169.254.20.10/32 via 169.254.1.1 dev veth1 src 10.1.0.1 onlink"],
  );
});

Deno.test("exclusivePlan() says when the vSwitch hasn't the family", () => {
  const { gateway6: _, ...eni } = WEB.eni;
  const error = assertThrows(
    () => exclusivePlan({ ...WEB, eni, ip: "fd00:1::1" }),
    NotSupportedError,
    "Cannot offer IPv6 by eni-1",
  );
  assertEquals(error.feature, "IPv6 by eni-1");
});
