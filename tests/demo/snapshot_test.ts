import { assertEquals } from "@std/assert";
import { differences, figures, type Snapshot } from "./snapshot.ts";

const before: Snapshot = {
  cloud: {
    enis: [],
    instances: [],
    vSwitches: [
      { id: "vsw-1", zone: "a", cidr: "10.1.0.0/16", availableIpCount: 1000 },
    ],
  },
  kernels: {
    n1: {
      links: [],
      addresses: ["lo 127.0.0.1/8"],
      neighbours: [],
      routes: [],
      rules: [],
    },
  },
};

Deno.test("differences() is empty when all is as before", () => {
  assertEquals(differences(before, structuredClone(before)), []);
});

Deno.test("differences() names what is left and what is gone", () => {
  const { n1 } = before.kernels;
  const after = {
    ...before,
    kernels: { n1: { ...n1, addresses: ["eth1 10.1.0.1/32"] } },
  };
  assertEquals(differences(before, after as Snapshot), [
    [
      "n1, addresses:",
      '    gone  "lo 127.0.0.1/8"',
      '    left  "eth1 10.1.0.1/32"',
    ].join("\n"),
  ]);
});

Deno.test("figures() counts in words", () => {
  assertEquals(figures(before), [
    ["the cloud", "0 ENIs, 1,000 free addresses"],
    ["n1", "0 links, 1 address, 0 routes, 0 rules, 0 permanent neighbours"],
  ]);
});
