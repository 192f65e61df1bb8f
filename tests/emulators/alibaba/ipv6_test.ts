import { assertEquals, assertThrows } from "@std/assert";
import { type Answer, ask, make } from "./caller.ts";
import type { Fabric } from "./fabric.ts";
import { Ipv6Book } from "./ipv6_book.ts";
import type { Code } from "./refusal.ts";
import { IPV6_POLICY, SEED_POLICY } from "./seed_policy.ts";
import { buildStand, type Stand } from "./stand.ts";

type Params = Readonly<Record<string, string>>;

function assign(stand: Stand, id: string, params: Params): Promise<Answer> {
  const all = { NetworkInterfaceId: id, ...params };
  return ask(stand.cloud, "AssignIpv6Addresses", all);
}

function unassign(stand: Stand, id: string, ...ips: string[]): Promise<Answer> {
  const named = ips.map((ip, at) => [`Ipv6Address.${at + 1}`, ip]);
  const all = { NetworkInterfaceId: id, ...Object.fromEntries(named) };
  return ask(stand.cloud, "UnassignIpv6Addresses", all);
}

async function attach(stand: Stand, id: string): Promise<string> {
  const { cloud, instanceId } = stand;
  cloud.attach({ eniId: id, instanceId });
  await cloud.settled();
  return id;
}

function ips6(stand: Stand, id: string): readonly string[] | undefined {
  return stand.cloud.dump().enis.find((eni) => eni.id === id)?.ips6;
}

Deno.test("a card is made with IPv6 addresses, by count or by name", async () => {
  const stand = buildStand({ ipv6: true });
  const some = await make(stand, { Ipv6AddressCount: "2" });
  assertEquals(ips6(stand, some), ["fd00:1::1", "fd00:1::2"]);
  const named = await make(stand, {
    "Ipv6Address.1": "FD00:1::0:AA",
    SecondaryPrivateIpAddressCount: "1",
  });
  assertEquals(ips6(stand, named), ["fd00:1::aa"]);
  const { body } = await ask(stand.cloud, "DescribeNetworkInterfaces", {
    "Ipv6Address.1": "fd00:1::aa",
  });
  const sets = body["NetworkInterfaceSets"] as {
    NetworkInterfaceSet: Record<string, unknown>[];
  };
  assertEquals(
    sets.NetworkInterfaceSet.map((eni) => eni["Ipv6Sets"]),
    [{ Ipv6Set: [{ Ipv6Address: "fd00:1::aa" }] }],
  );
});

Deno.test("a card that can't have its IPv6 addresses takes no IPv4 ones", async () => {
  const stand = buildStand({ ipv6: true });
  await make(stand, { "Ipv6Address.1": "fd00:1::9" });
  const before = JSON.stringify(stand.cloud.dump());
  const { code } = await ask(stand.cloud, "CreateNetworkInterface", {
    VSwitchId: stand.vSwitchId,
    SecurityGroupId: stand.securityGroupId,
    "Ipv6Address.1": "fd00:1::9",
  });
  assertEquals(code, "InvalidIp.IpAssigned");
  assertEquals(JSON.stringify(stand.cloud.dump()), before);
});

Deno.test("a deleted card's IPv6 addresses are free again", async () => {
  const stand = buildStand({ ipv6: true });
  const id = await make(stand, { Ipv6AddressCount: "1" });
  stand.cloud.remove(id);
  await stand.cloud.settled();
  const next = await make(stand, { Ipv6AddressCount: "1" });
  assertEquals(ips6(stand, next), ["fd00:1::1"]);
});

Deno.test("IPv6 addresses are assigned once a token", async () => {
  const stand = buildStand({ ipv6: true });
  const id = await make(stand);
  const call = { Ipv6AddressCount: "2", ClientToken: "once" };
  const { body } = await assign(stand, id, call);
  assertEquals(body["NetworkInterfaceId"], id);
  assertEquals(body["Ipv6Sets"], { Ipv6Address: ["fd00:1::1", "fd00:1::2"] });
  const again = await assign(stand, id, call);
  assertEquals(again.body["Ipv6Sets"], body["Ipv6Sets"]);
  assertEquals(ips6(stand, id)?.length, 2);
  const other = await assign(stand, id, { ...call, Ipv6AddressCount: "1" });
  assertEquals(other.code, "IdempotentParameterMismatch");
});

Deno.test("IPv6 addresses are unassigned all or none, however written", async () => {
  const stand = buildStand({ ipv6: true });
  const id = await make(stand, { Ipv6AddressCount: "3" });
  const missing = await unassign(stand, id, "fd00:1::1", "fd00:1::77");
  assertEquals(missing.code, "InvalidIp.IpUnassigned");
  assertEquals(ips6(stand, id)?.length, 3);
  const done = await unassign(stand, id, "fd00:1:0::1", "FD00:1::3");
  assertEquals(done.code, "OK");
  assertEquals(ips6(stand, id), ["fd00:1::2"]);
});

Deno.test("a fabric hears of IPv6 addresses like of IPv4 ones", async () => {
  const stand = buildStand({ ipv6: true });
  const heard: unknown[] = [];
  const fabric: Fabric = {
    attach: (eni) => Promise.resolve(void heard.push([eni.cidr6, ...eni.ips])),
    detach: () => Promise.resolve(),
    assign: (_, ips) => Promise.resolve(void heard.push(["+", ...ips])),
    unassign: (_, ips) => Promise.resolve(void heard.push(["-", ...ips])),
  };
  stand.cloud.fabric = fabric;
  const id = await make(stand, { Ipv6AddressCount: "1" });
  await attach(stand, id);
  await assign(stand, id, { Ipv6AddressCount: "1" });
  await unassign(stand, id, "fd00:1::1");
  assertEquals(heard, [
    ["fd00:1::/64", "10.0.1.2", "fd00:1::1"],
    ["+", "fd00:1::2"],
    ["-", "fd00:1::1"],
  ]);
});

Deno.test("what a fabric can't do leaves IPv6 addresses as they were", async () => {
  const stand = buildStand({ ipv6: true });
  const id = await attach(stand, await make(stand, { Ipv6AddressCount: "1" }));
  const fails = () => Promise.reject(new Error("no"));
  stand.cloud.fabric = {
    attach: fails,
    detach: fails,
    assign: fails,
    unassign: fails,
  };
  const more = await assign(stand, id, { Ipv6AddressCount: "1" });
  const less = await unassign(stand, id, "fd00:1::1");
  assertEquals([more.code, less.code], ["InternalError", "InternalError"]);
  assertEquals(ips6(stand, id), ["fd00:1::1"]);
});

type Provocation = (stand: Stand) => Promise<Answer>;

const PROVOCATIONS: readonly [Code, string, Provocation][] = [
  [
    "MissingParameter",
    "an assignment of nothing",
    async (stand) => assign(stand, await make(stand), {}),
  ],
  [
    "MissingParameter",
    "an unassignment of nothing",
    async (stand) => unassign(stand, await make(stand)),
  ],
  [
    "InvalidParameter",
    "eleven addresses in a call",
    async (stand) =>
      assign(stand, await make(stand), { Ipv6AddressCount: "11" }),
  ],
  [
    "InvalidParameter",
    "both a count and a name",
    async (stand) =>
      assign(stand, await make(stand), {
        Ipv6AddressCount: "1",
        "Ipv6Address.1": "fd00:1::9",
      }),
  ],
  [
    "InvalidIp.Address",
    "an address of another vSwitch",
    async (stand) =>
      assign(stand, await make(stand), { "Ipv6Address.1": "fd00:2::9" }),
  ],
  [
    "InvalidIp.Address",
    "an IPv4 address",
    async (stand) =>
      assign(stand, await make(stand), { "Ipv6Address.1": "10.0.1.9" }),
  ],
  [
    "InvalidIp.Address",
    "no address at all",
    async (stand) =>
      assign(stand, await make(stand), { "Ipv6Address.1": "nine" }),
  ],
  [
    "InvalidIp.Address",
    "an address of the service",
    async (stand) =>
      assign(stand, await make(stand), {
        "Ipv6Address.1": "fd00:1::ffff:ffff:ffff:fff7",
      }),
  ],
  [
    "InvalidIp.IpRepeated",
    "an address named twice",
    async (stand) =>
      assign(stand, await make(stand), {
        "Ipv6Address.1": "fd00:1::9",
        "Ipv6Address.2": "fd00:1:0::9",
      }),
  ],
  [
    "InvalidIp.IpAssigned",
    "somebody's address",
    async (stand) => {
      await make(stand, { "Ipv6Address.1": "fd00:1::9" });
      const id = await make(stand);
      return assign(stand, id, { "Ipv6Address.1": "fd00:1::9" });
    },
  ],
  [
    "InvalidVSwitch.Ipv6NotTurnOn",
    "a vSwitch without IPv6",
    async (stand) => {
      const far = { ...stand, vSwitchId: stand.farVSwitchId };
      return assign(stand, await make(far), { Ipv6AddressCount: "1" });
    },
  ],
  [
    "MaxEniIpv6IpsCountExceeded",
    "more than ten on a card that is attached nowhere",
    async (stand) => {
      const id = await make(stand, { Ipv6AddressCount: "10" });
      return assign(stand, id, { Ipv6AddressCount: "1" });
    },
  ],
  [
    "InvalidOperation.Ipv6CountExceeded",
    "more than the instance's type lets a card have",
    async (stand) => {
      const id = await attach(stand, await make(stand));
      return assign(stand, id, { Ipv6AddressCount: "7" });
    },
  ],
  [
    "InvalidOperation.Ipv6CountExceeded",
    "a card that comes with more than that",
    async (stand) =>
      ask(stand.cloud, "AttachNetworkInterface", {
        NetworkInterfaceId: await make(stand, { Ipv6AddressCount: "7" }),
        InstanceId: stand.instanceId,
      }),
  ],
  [
    "InvalidOperation.Ipv6NotSupport",
    "an instance type without IPv6",
    async (stand) => {
      const { cloud, vSwitchId } = stand;
      const type = "ecs.ebmg5.24xlarge";
      const { id: instanceId } = cloud.addInstance({ type, vSwitchId });
      const id = await attach({ ...stand, instanceId }, await make(stand));
      return assign(stand, id, { Ipv6AddressCount: "1" });
    },
  ],
  [
    "InvalidEniId.NotFound",
    "a card that isn't there",
    (stand) => assign(stand, "eni-none", { Ipv6AddressCount: "1" }),
  ],
  [
    "Forbidden.RAM",
    "a key with the README's policy alone",
    async (stand) => {
      const key = stand.cloud.keys.add({ allow: SEED_POLICY });
      return ask(stand.cloud, "AssignIpv6Addresses", {
        NetworkInterfaceId: await make(stand),
        Ipv6AddressCount: "1",
      }, key);
    },
  ],
];

for (const [code, sentence, provoke] of PROVOCATIONS) {
  Deno.test(`${code}: ${sentence}`, async () => {
    const stand = buildStand({ ipv6: true });
    assertEquals((await provoke(stand)).code, code);
  });
}

Deno.test("the two further actions are all that IPv6 needs", async () => {
  const stand = buildStand({ ipv6: true });
  const { cloud } = stand;
  const seed = cloud.keys.add({ allow: SEED_POLICY });
  const { code, body } = await ask(cloud, "CreateNetworkInterface", {
    VSwitchId: stand.vSwitchId,
    SecurityGroupId: stand.securityGroupId,
    Ipv6AddressCount: "1",
  }, seed);
  assertEquals(code, "OK");
  const key = cloud.keys.add({ allow: [...SEED_POLICY, ...IPV6_POLICY] });
  const id = { NetworkInterfaceId: String(body["NetworkInterfaceId"]) };
  const more = { ...id, Ipv6AddressCount: "1" };
  const less = { ...id, "Ipv6Address.1": "fd00:1::1" };
  const codes = [
    await ask(cloud, "AssignIpv6Addresses", more, key),
    await ask(cloud, "UnassignIpv6Addresses", less, key),
  ].map((answer) => answer.code);
  assertEquals(codes, ["OK", "OK"]);
});

Deno.test("a vSwitch tells its IPv6 prefix, and takes a /64 only", async () => {
  const { cloud, vSwitchId, farVSwitchId } = buildStand({ ipv6: true });
  const told = async (VSwitchId: string): Promise<unknown> => {
    const { body } = await ask(cloud, "DescribeVSwitches", { VSwitchId });
    const sets = body["VSwitches"] as { VSwitch: Record<string, unknown>[] };
    return sets.VSwitch[0]?.["Ipv6CidrBlock"];
  };
  assertEquals(await told(vSwitchId), "fd00:1::/64");
  assertEquals(await told(farVSwitchId), "");
  assertThrows(() => new Ipv6Book("fd00::/56"), RangeError, "must be a /64");
});
