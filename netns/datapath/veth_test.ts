import { assertEquals, equal } from "@std/assert";
import { linkAlias } from "../alias.ts";
import type { VethAttachment } from "../attachment.ts";
import { command } from "../step.ts";
import { eniPlan, podPlan } from "./veth.ts";

const ENI = { name: "eth1", ifIndex: 7, mac: "00:16:3e:00:00:01" };

const WEB: VethAttachment = {
  recipe: "veth/1",
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  pod: { namespace: "default", name: "web-0" },
  netns: "/run/netns/web",
  ip: "10.0.0.20",
  eni: {
    id: "eni-1",
    mac: ENI.mac,
    ifIndex: ENI.ifIndex,
    gateway: "10.0.0.253",
    subnet: "10.0.0.0/24",
  },
  mtu: 1500,
};

Deno.test("eniPlan() brings the ENI up and gives it a table of its own", () => {
  const wish = {
    link: ENI,
    nodeIp: "10.0.0.10",
    gateway: "10.0.0.253",
    mtu: 1500,
  };
  const at = { place: "host", link: "eth1" } as const;
  assertEquals(eniPlan(wish), {
    steps: [
      { kind: "link", ...at, mac: ENI.mac, mtu: 1500 },
      { kind: "conf", ...at, forwarding: 1, rpFilter: 0 },
      { kind: "address", ...at, cidr: "10.0.0.10/32" },
      {
        kind: "route",
        ...at,
        destination: "0.0.0.0/0",
        gateway: "10.0.0.253",
        table: 1007,
      },
    ],
  });
});

Deno.test("podPlan() makes the pair first and the rules last", () => {
  const link = "cali04d39ba6bad";
  const host = { place: "host", link } as const;
  const pod = { place: "pod", link: "eth0" } as const;
  const rule = { kind: "rule", place: "host" } as const;
  assertEquals(podPlan(WEB, ENI), {
    netns: "/run/netns/web",
    steps: [
      {
        kind: "veth",
        host: { name: link, mac: "0e:e5:97:a8:5c:31" },
        pod: { name: "eth0", mac: "0a:e5:97:a8:5c:31" },
        mtu: 1500,
        alias: linkAlias(WEB),
      },
      { kind: "conf", ...host, forwarding: 1, rpFilter: 0 },
      { kind: "address", ...pod, cidr: "10.0.0.20/32" },
      {
        kind: "neighbour",
        ...pod,
        ip: "169.254.1.1",
        mac: "0e:e5:97:a8:5c:31",
      },
      {
        kind: "route",
        ...pod,
        destination: "0.0.0.0/0",
        gateway: "169.254.1.1",
        table: 254,
      },
      { kind: "route", ...host, destination: "10.0.0.20/32", table: 254 },
      { ...rule, priority: 512, to: "10.0.0.20/32", table: 254 },
      { ...rule, priority: 2048, from: "10.0.0.20/32", table: 1007 },
    ],
  });
});

Deno.test("podPlan() limits a pod before any packet finds it", () => {
  const bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  const { steps } = podPlan({ ...WEB, bandwidth }, ENI);
  const limits = steps.slice(2, 4).map((step) => command(step));
  assertEquals(limits, [
    "nsenter --net=POD tc qdisc replace dev eth0 root handle 1: tbf rate " +
    "20000000bit burst 10000b limit 72500b",
    "tc qdisc replace dev cali04d39ba6bad root handle 1: tbf rate " +
    "10000000bit burst 5000b limit 36250b",
  ]);
  const others = steps.filter(({ kind }) => kind !== "tbf");
  assertEquals(others, podPlan(WEB, ENI).steps);
});

Deno.test("podPlan() follows the ENI's index, not its name", () => {
  const { steps } = podPlan(WEB, { ifIndex: 9 });
  const last = steps.at(-1);
  assertEquals(last?.kind === "rule" && last.table, 1009);
});

Deno.test("podPlan() of both families does for IPv6 what it does for IPv4", () => {
  const both = { ...WEB, ips: ["10.0.0.20", "fd00::20"] };
  const [veth, conf, ...rest] = podPlan(both, ENI).steps;
  const [sameVeth, sameConf, ...ipv4] = podPlan(WEB, ENI).steps;
  assertEquals([veth, conf], [sameVeth, sameConf]);
  assertEquals(
    rest.filter((step) => ipv4.some((other) => equal(step, other))),
    ipv4,
  );
  const texts = rest.filter((step) => !ipv4.some((one) => equal(step, one)))
    .map((step) => command(step));
  const inPod = "nsenter --net=POD";
  const link = "cali04d39ba6bad";
  assertEquals(texts, [
    `sysctl net/ipv6/conf/${link}/disable_ipv6=0`,
    `${inPod} sysctl net/ipv6/conf/lo/disable_ipv6=0`,
    `${inPod} sysctl net/ipv6/conf/eth0/disable_ipv6=0`,
    `${inPod} sysctl net/ipv6/conf/eth0/accept_ra=0`,
    `ip neighbour add fd00::20 lladdr 0a:e5:97:a8:5c:31 dev ${link} nud permanent`,
    `${inPod} ip address add fd00::20/128 dev eth0 nodad`,
    `${inPod} ip neighbour add fe80::1 lladdr 0e:e5:97:a8:5c:31 dev eth0 nud permanent`,
    `${inPod} ip -6 route add default via fe80::1 dev eth0 onlink`,
    `ip -6 route add fd00::20/128 dev ${link}`,
    "ip -6 rule add priority 512 to fd00::20/128 lookup main",
    "ip -6 rule add priority 2048 from fd00::20/128 lookup 1007",
  ]);
});

Deno.test("eniPlan() with an IPv6 gateway keeps what advertisements gave the uplink", () => {
  const { steps } = eniPlan({
    link: ENI,
    nodeIp: "10.0.0.10",
    gateway: "10.0.0.253",
    gateway6: "fd00::fffd",
    uplink: "eth0",
  });
  assertEquals(steps.map((step) => command(step)), [
    "sysctl net/ipv6/conf/eth1/disable_ipv6=0",
    "sysctl net/ipv6/conf/eth1/accept_ra=0",
    "sysctl net/ipv6/conf/eth1/accept_dad=0",
    "ip link set eth1 up",
    "sysctl net.ipv4.conf.eth1.forwarding=1 net.ipv4.conf.eth1.rp_filter=0",
    "ip address add 10.0.0.10/32 dev eth1",
    "ip route add default via 10.0.0.253 dev eth1 table 1007 onlink",
    "sysctl net/ipv6/conf/eth0/accept_ra=2",
    "sysctl net/ipv6/conf/all/forwarding=1",
    "ip -6 route add default via fd00::fffd dev eth1 table 1007 onlink",
  ]);
});
