import { assertEquals } from "@std/assert";
import type { Attachment } from "../attachment.ts";
import { eniPlan, podPlan } from "./veth.ts";

const ENI = { name: "eth1", ifIndex: 7, mac: "00:16:3e:00:00:01" };

const WEB: Attachment = {
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
        alias: "terway default/web-0 c0ffee",
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

Deno.test("podPlan() follows the ENI's index, not its name", () => {
  const { steps } = podPlan(WEB, { ifIndex: 9 });
  const last = steps.at(-1);
  assertEquals(last?.kind === "rule" && last.table, 1009);
});
