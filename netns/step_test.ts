import { assertEquals } from "@std/assert";
import { command, type Step } from "./step.ts";

/** Checks a step's command, the pod being `POD`. */
function check(step: Step, expected: string): void {
  assertEquals(command(step), expected);
}

Deno.test("command() of a veth names both ends, and brings both up", () => {
  check(
    {
      kind: "veth",
      host: { name: "cali1", mac: "0e:00:00:00:00:01" },
      pod: { name: "eth0", mac: "0a:00:00:00:00:01" },
      mtu: 1500,
      alias: "terway default/web-0 c0ffee",
    },
    "ip link add cali1 up address 0e:00:00:00:00:01 mtu 1500 numtxqueues 1 " +
      "numrxqueues 1 type veth peer eth0 address 0a:00:00:00:00:01 mtu 1500 " +
      "numtxqueues 1 numrxqueues 1 netns POD && " +
      "nsenter --net=POD ip link set eth0 up && " +
      "ip link set cali1 alias 'terway default/web-0 c0ffee'",
  );
});

Deno.test("command() of a link sets its MTU only when the step has one", () => {
  const link = {
    kind: "link",
    place: "host",
    link: "eth1",
    mac: "00:16:3e:00:00:01",
  } as const;
  check(link, "ip link set eth1 up");
  check({ ...link, mtu: 1400 }, "ip link set eth1 up mtu 1400");
});

Deno.test("command() of a conf is a sysctl", () => {
  check(
    { kind: "conf", place: "host", link: "eth1", forwarding: 1, rpFilter: 0 },
    "sysctl net.ipv4.conf.eth1.forwarding=1 net.ipv4.conf.eth1.rp_filter=0",
  );
});

Deno.test("command() of a pod's object enters the pod", () => {
  const address = {
    kind: "address",
    place: "pod",
    link: "eth0",
    cidr: "10.0.0.20/32",
  } as const;
  check(address, "nsenter --net=POD ip address add 10.0.0.20/32 dev eth0");
  assertEquals(
    command(address, "/run/netns/web"),
    "nsenter --net=/run/netns/web ip address add 10.0.0.20/32 dev eth0",
  );
});

Deno.test("command() of an IPv6 address asks for no duplicate detection", () => {
  check(
    { kind: "address", place: "host", link: "eth1", cidr: "fd00::7/128" },
    "ip address add fd00::7/128 dev eth1 nodad",
  );
});

Deno.test("command() of a neighbour makes it permanent", () => {
  check(
    {
      kind: "neighbour",
      place: "host",
      link: "eth1",
      ip: "169.254.1.1",
      mac: "ee:ff:ff:ff:ff:ff",
    },
    "ip neighbour add 169.254.1.1 lladdr ee:ff:ff:ff:ff:ff dev eth1 " +
      "nud permanent",
  );
});

Deno.test("command() of a route tells its table, gateway and family", () => {
  const route = { kind: "route", place: "host", link: "eth1" } as const;
  check(
    { ...route, destination: "10.0.0.20/32", table: 254 },
    "ip route add 10.0.0.20/32 dev eth1 scope link",
  );
  check(
    {
      ...route,
      destination: "0.0.0.0/0",
      gateway: "10.0.0.253",
      table: 1002,
    },
    "ip route add default via 10.0.0.253 dev eth1 table 1002 onlink",
  );
  check(
    { ...route, destination: "::/0", gateway: "fe80::1", table: 254 },
    "ip -6 route add default via fe80::1 dev eth1 onlink",
  );
  check(
    { ...route, destination: "fd00::7/128", table: 254 },
    "ip -6 route add fd00::7/128 dev eth1",
  );
});

Deno.test("command() of a rule tells its prefixes, table and family", () => {
  const rule = { kind: "rule", place: "host" } as const;
  check(
    { ...rule, priority: 512, to: "10.0.0.20/32", table: 254 },
    "ip rule add priority 512 to 10.0.0.20/32 lookup main",
  );
  check(
    { ...rule, priority: 2048, from: "10.0.0.20/32", table: 1002 },
    "ip rule add priority 2048 from 10.0.0.20/32 lookup 1002",
  );
  check(
    { ...rule, priority: 2048, from: "fd00::7/128", table: 1002 },
    "ip -6 rule add priority 2048 from fd00::7/128 lookup 1002",
  );
});

Deno.test("command() of an address tells its broadcast, and that no route follows", () => {
  check(
    {
      kind: "address",
      place: "host",
      link: "eth0",
      cidr: "172.30.0.4/24",
      broadcast: "172.30.0.255",
      prefixRoute: false,
    },
    "ip address add 172.30.0.4/24 broadcast 172.30.0.255 dev eth0 " +
      "noprefixroute",
  );
});

Deno.test("command() of a rule for a bound socket tells the link and family", () => {
  const rule = { kind: "rule", place: "pod", priority: 512 } as const;
  check(
    { ...rule, oif: "net1", family: 6, table: 1001 },
    "nsenter --net=POD ip -6 rule add priority 512 oif net1 lookup 1001",
  );
});

Deno.test("command() of a route through a routed gateway says no onlink", () => {
  check(
    {
      kind: "route",
      place: "host",
      link: "veth1",
      destination: "10.0.0.10/32",
      gateway: "169.254.1.1",
      onlink: false,
      table: 254,
    },
    "ip route add 10.0.0.10/32 via 169.254.1.1 dev veth1",
  );
});

Deno.test("command() of a setting is a sysctl", () => {
  const key = "net/ipv6/conf/all/forwarding";
  check(
    { kind: "sysctl", place: "host", key, value: "1", keep: true },
    "sysctl net/ipv6/conf/all/forwarding=1",
  );
});

Deno.test("command() of a card that moves names it on both sides", () => {
  check(
    {
      kind: "moveLink",
      mac: "00:16:3e:00:00:01",
      host: { name: "eth1", up: false },
      pod: { name: "eth0" },
    },
    "ip link set eth1 netns POD name eth0",
  );
});
