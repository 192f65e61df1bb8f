import { assertEquals } from "@std/assert";
import { type Answer, ask, make } from "./caller.ts";
import type { Fabric } from "./fabric.ts";
import { buildStand, type Stand } from "./stand.ts";

type Params = Readonly<Record<string, string>>;

function call(
  stand: Stand,
  verb: "Assign" | "Unassign",
  params: Params,
): Promise<Answer> {
  return ask(stand.cloud, `${verb}Ipv6Addresses`, params);
}

function prefixes(stand: Stand, id: string): readonly string[] | undefined {
  return stand.cloud.dump().enis.find((eni) => eni.id === id)?.prefixes;
}

Deno.test("IPv6 prefixes are given by count or by name, and shown", async () => {
  const stand = buildStand({ ipv6: true });
  const some = await make(stand, { Ipv6PrefixCount: "2" });
  // The first /80 holds the vSwitch's own addresses.
  assertEquals(prefixes(stand, some), [
    "fd00:1:0:0:1::/80",
    "fd00:1:0:0:2::/80",
  ]);
  const named = await make(stand, { "Ipv6Prefix.1": "fd00:1:0:0:7::/80" });
  const { body } = await call(stand, "Assign", {
    NetworkInterfaceId: named,
    "Ipv6Prefix.1": "fd00:1:0:0:8::/80",
  });
  assertEquals(body["Ipv6PrefixSets"], { Ipv6Prefix: ["fd00:1:0:0:8::/80"] });
  assertEquals(body["Ipv6Sets"], { Ipv6Address: [] });
  const seen = await ask(stand.cloud, "DescribeNetworkInterfaces", {
    "NetworkInterfaceId.1": named,
  });
  const sets = seen.body["NetworkInterfaceSets"] as {
    NetworkInterfaceSet: Record<string, unknown>[];
  };
  assertEquals(
    sets.NetworkInterfaceSet.map((eni) => [
      eni["Ipv6PrefixSets"],
      eni["Ipv6Sets"],
    ]),
    [[{
      Ipv6PrefixSet: [
        { Ipv6Prefix: "fd00:1:0:0:7::/80" },
        { Ipv6Prefix: "fd00:1:0:0:8::/80" },
      ],
    }, { Ipv6Set: [] }]],
  );
});

Deno.test("a call that is wrong about IPv6 prefixes is refused, and changes nothing", async () => {
  const stand = buildStand({ ipv6: true });
  const id = await make(stand, { Ipv6PrefixCount: "1" });
  const before = JSON.stringify(stand.cloud.dump());
  const wrong: readonly (readonly ["Assign" | "Unassign", Params, string])[] = [
    ["Assign", { Ipv6PrefixCount: "0" }, "InvalidParameter"],
    ["Assign", { Ipv6PrefixCount: "11" }, "InvalidParameter"],
    ["Assign", { "Ipv6Prefix.1": "fd00:1::2:0:0:0" }, "InvalidParameter"],
    ["Assign", { "Ipv6Prefix.1": "fd00:1::2:0:0:0/96" }, "InvalidIp.Address"],
    ["Assign", { "Ipv6Prefix.1": "fd00:1::2:0:0:1/80" }, "InvalidIp.Address"],
    ["Assign", { "Ipv6Prefix.1": "fd00:1::/80" }, "InvalidIp.Address"],
    ["Assign", { "Ipv6Prefix.1": "fd00:9::2:0:0:0/80" }, "InvalidIp.Address"],
    [
      "Assign",
      { "Ipv6Prefix.1": "fd00:1:0:0:1::/80" },
      "InvalidIp.IpAssigned",
    ],
    ["Assign", { "Ipv6Address.1": "fd00:1::1:0:0:9" }, "InvalidIp.IpAssigned"],
    ["Assign", { "Ipv6Address.1": "fd00:1:0:0:2::/80" }, "InvalidParameter"],
    ["Assign", {
      Ipv6PrefixCount: "1",
      Ipv6AddressCount: "1",
    }, "InvalidParameter"],
    ["Assign", {
      Ipv6PrefixCount: "1",
      "Ipv6Prefix.1": "fd00:1:0:0:2::/80",
    }, "InvalidParameter"],
    [
      "Unassign",
      { "Ipv6Prefix.1": "fd00:1:0:0:2::/80" },
      "InvalidIp.IpUnassigned",
    ],
    ["Unassign", { Ipv6PrefixCount: "1" }, "MissingParameter"],
    ["Unassign", {
      "Ipv6Prefix.1": "fd00:1:0:0:1::/80",
      "Ipv6Address.1": "fd00:1::2",
    }, "InvalidParameter"],
  ];
  for (const [verb, params, code] of wrong) {
    const all = { NetworkInterfaceId: id, ...params };
    assertEquals(
      (await call(stand, verb, all)).code,
      code,
      JSON.stringify(params),
    );
  }
  assertEquals(JSON.stringify(stand.cloud.dump()), before);
});

Deno.test("a prefix of IPv6 that an address was given of is another's no more", async () => {
  const stand = buildStand({ ipv6: true });
  await make(stand, { "Ipv6Address.1": "fd00:1::1:0:0:5" });
  const id = await make(stand, { Ipv6PrefixCount: "1" });
  assertEquals(prefixes(stand, id), ["fd00:1:0:0:2::/80"]);
});

Deno.test("a fabric learns of a prefix of IPv6 as such", async () => {
  const stand = buildStand({ ipv6: true });
  const { cloud, instanceId } = stand;
  const told: string[] = [];
  const done = (what: string, ips: readonly string[]): Promise<void> => {
    told.push(`${what} ${ips.join(" ")}`);
    return Promise.resolve();
  };
  const fabric: Fabric = {
    attach: (eni) => done("attach", eni.ips.slice(1)),
    detach: (eni) => done("detach", eni.ips.slice(1)),
    assign: (_, ips) => done("assign", ips),
    unassign: (_, ips) => done("unassign", ips),
  };
  cloud.fabric = fabric;
  const id = await make(stand, { Ipv6PrefixCount: "1" });
  cloud.attach({ eniId: id, instanceId });
  await cloud.settled();
  await call(stand, "Assign", { NetworkInterfaceId: id, Ipv6PrefixCount: "1" });
  await call(stand, "Unassign", {
    NetworkInterfaceId: id,
    "Ipv6Prefix.1": "fd00:1:0:0:2::/80",
  });
  assertEquals(told, [
    "attach fd00:1:0:0:1::/80",
    "assign fd00:1:0:0:2::/80",
    "unassign fd00:1:0:0:2::/80",
  ]);
});
