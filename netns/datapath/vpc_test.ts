import { assertEquals, assertThrows } from "@std/assert";
import type { VpcAttachment } from "../attachment.ts";
import { command, type Plan } from "../step.ts";
import { NotSupportedError } from "../unsupported.ts";
import { vpcNodePlan, vpcPlan } from "./vpc.ts";

const BUSYBOX: VpcAttachment = {
  recipe: "vpc/1",
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  netns: "/run/netns/busybox",
  ip: "172.30.0.4",
  podCidr: "172.30.0.0/24",
  mtu: 1500,
};

function commandsOf({ steps }: Plan): string[] {
  return steps.map((step) =>
    command(step).replaceAll("nsenter --net=POD", "pod")
  );
}

Deno.test("vpcPlan() shows the pod CIDR's prefix, and routes by the node alone", () => {
  const link = "cali04d39ba6bad";
  assertEquals(commandsOf(vpcPlan(BUSYBOX)), [
    `ip link add ${link} up address 0e:e5:97:a8:5c:31 mtu 1500 ` +
    "numtxqueues 1 numrxqueues 1 type veth peer " +
    "eth0 address 0a:e5:97:a8:5c:31 mtu 1500 " +
    "numtxqueues 1 numrxqueues 1 netns POD && " +
    `pod ip link set eth0 up && ip link set ${link} alias ` +
    "'terway terway/c0ffee/eth0 - /run/netns/busybox'",
    `sysctl net.ipv4.conf.${link}.forwarding=1 net.ipv4.conf.${link}.rp_filter=0`,
    "pod ip address add 172.30.0.4/24 broadcast 172.30.0.255 dev eth0 noprefixroute",
    "pod ip neighbour add 169.254.1.1 lladdr 0e:e5:97:a8:5c:31 dev eth0 nud permanent",
    "pod ip route add default via 169.254.1.1 dev eth0 onlink",
    `ip route add 172.30.0.4/32 dev ${link} scope link`,
  ]);
});

Deno.test("vpcPlan() limits a pod before any packet finds it", () => {
  const bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  const all = commandsOf(vpcPlan({ ...BUSYBOX, bandwidth }));
  assertEquals(all.splice(2, 2), [
    "pod tc qdisc replace dev eth0 root handle 1: tbf rate 20000000bit " +
    "burst 10000b limit 72500b",
    "tc qdisc replace dev cali04d39ba6bad root handle 1: tbf rate " +
    "10000000bit burst 5000b limit 36250b",
  ]);
  assertEquals(all, commandsOf(vpcPlan(BUSYBOX)));
});

Deno.test("vpcNodePlan() keeps packets of the pod CIDR from going round", () => {
  assertEquals(commandsOf(vpcNodePlan("172.30.0.0/24")), [
    "ip route add unreachable 172.30.0.0/24 metric 65535",
    "ip rule add priority 512 to 172.30.0.0/24 lookup main",
  ]);
});

Deno.test("vpcPlan() and vpcNodePlan() say that they know IPv4 alone", () => {
  const feature = "IPv6 by VPC routes";
  assertThrows(
    () => vpcPlan({ ...BUSYBOX, ips: ["172.30.0.4", "fd00::4"] }),
    NotSupportedError,
    `Cannot offer ${feature} (fd00::4): route entries of a VPC are of IPv4`,
  );
  assertThrows(() => vpcNodePlan("fd00::/80"), NotSupportedError, feature);
});
