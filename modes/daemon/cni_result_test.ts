import { assertEquals } from "@std/assert";
import type { Plan } from "../../netns/step.ts";
import { behind, resultOf } from "./cni_result.ts";
import { mismatches, type Previous } from "./previous.ts";

const POD = "/run/netns/pod";

/** A pod with both families, and a second interface's table. */
const PLAN: Plan = {
  netns: POD,
  steps: [
    {
      kind: "veth",
      host: { name: "cali1", mac: "0e:00:00:00:00:01" },
      pod: { name: "eth0", mac: "0a:00:00:00:00:01" },
      mtu: 1400,
      alias: "",
    },
    { kind: "address", place: "pod", link: "eth0", cidr: "10.0.0.7/32" },
    { kind: "address", place: "pod", link: "eth0", cidr: "2001:db8::7/128" },
    { kind: "address", place: "host", link: "cali1", cidr: "10.9.9.9/32" },
    {
      kind: "route",
      place: "pod",
      link: "eth0",
      destination: "0.0.0.0/0",
      gateway: "169.254.1.1",
      table: 254,
    },
    {
      kind: "route",
      place: "pod",
      link: "eth0",
      destination: "::/0",
      gateway: "fe80::1",
      table: 1001,
    },
    {
      kind: "route",
      place: "pod",
      link: "eth0",
      destination: "10.8.0.0/16",
      table: 254,
    },
  ],
};

Deno.test("resultOf() says what the plan made, in the version's words", () => {
  const { interfaces, ips, routes } = resultOf(PLAN, "1.1.0");
  assertEquals(interfaces, [
    { name: "cali1", mac: "0e:00:00:00:00:01", mtu: 1400 },
    { name: "eth0", mac: "0a:00:00:00:00:01", mtu: 1400, sandbox: POD },
  ]);
  assertEquals(ips, [
    { address: "10.0.0.7/32", gateway: "169.254.1.1", interface: 1 },
    { address: "2001:db8::7/128", gateway: "fe80::1", interface: 1 },
  ]);
  assertEquals(routes, [
    { dst: "0.0.0.0/0", gw: "169.254.1.1", table: 254, scope: 0 },
    { dst: "::/0", gw: "fe80::1", table: 1001, scope: 0 },
    { dst: "10.8.0.0/16", table: 254, scope: 253 },
  ]);

  const old = resultOf(PLAN, "1.0.0");
  assertEquals(old.interfaces[0], { name: "cali1", mac: "0e:00:00:00:00:01" });
  assertEquals(old.routes, [
    { dst: "0.0.0.0/0", gw: "169.254.1.1" },
    { dst: "10.8.0.0/16" },
  ]);
  for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const) {
    const { ips } = resultOf(PLAN, version);
    assertEquals(ips.map(({ version }) => version), ["4", "6"]);
  }
});

Deno.test("resultOf() shows a card that moved into the pod", () => {
  const card = { mac: "00:16:3e:00:00:01" };
  const plan: Plan = {
    netns: POD,
    steps: [
      {
        kind: "moveLink",
        ...card,
        host: { name: "eth1", up: true },
        pod: { name: "eth0" },
      },
      { kind: "link", place: "pod", link: "eth0", ...card, mtu: 8500 },
      { kind: "address", place: "pod", link: "eth0", cidr: "10.0.0.7/24" },
    ],
  };
  const { interfaces, ips } = resultOf(plan, "1.1.0");
  assertEquals(interfaces, [
    { name: "eth0", ...card, mtu: 8500, sandbox: POD },
  ]);
  assertEquals(ips, [{ address: "10.0.0.7/24", interface: 0 }]);
});

const EARLIER: Previous = {
  interfaces: [{ name: "lo", sandbox: POD }, { name: "br0" }],
  ips: [{ address: "127.0.0.1/8", interface: 0 }, { address: "10.7.0.1/24" }],
  routes: [{ dst: "10.8.0.0/16" }],
  dns: { nameservers: ["10.0.0.2"] },
};

Deno.test("behind() keeps what earlier plugins said, and what indices mean", () => {
  const result = behind(EARLIER, resultOf(PLAN, "1.0.0"));
  assertEquals(result.interfaces.map(({ name }) => name), [
    ...["lo", "br0", "cali1", "eth0"],
  ]);
  assertEquals(result.ips.map(({ interface: at }) => at), [0, undefined, 3, 3]);
  assertEquals(result.routes.map(({ dst }) => dst), [
    ...["10.8.0.0/16", "0.0.0.0/0"],
  ]);
  assertEquals(result.dns, EARLIER.dns);
});

Deno.test("behind() says our own part once", () => {
  const own = resultOf(PLAN, "1.0.0");
  assertEquals(behind(own, own), own);
});

Deno.test("mismatches() finds a result of another attachment", () => {
  const held = { ifName: "eth0", netns: POD, ips: ["10.0.0.7"] };
  const result = resultOf(PLAN, "1.0.0");
  assertEquals(mismatches(result, held), []);
  assertEquals(mismatches(behind(EARLIER, result), held), []);
  assertEquals(mismatches(result, { ...held, ips: ["10.0.0.8"] }), [
    "prevResult has 10.0.0.7, 2001:db8::7 on eth0, not 10.0.0.8",
  ]);
  assertEquals(mismatches(result, { ...held, ifName: "net1" }), [
    `prevResult has no interface net1 in ${POD}`,
  ]);
  assertEquals(mismatches(result, { ...held, netns: "/x" }).length, 1);
});
