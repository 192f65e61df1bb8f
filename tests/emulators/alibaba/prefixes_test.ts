import { assertEquals } from "@std/assert";
import { ipsOfPrefix } from "../../../pool/prefix.ts";
import { type Answer, ask, make } from "./caller.ts";
import type { Fabric } from "./fabric.ts";
import { buildStand, type Stand } from "./stand.ts";

type Params = Readonly<Record<string, string>>;

function call(
  stand: Stand,
  verb: "Assign" | "Unassign",
  params: Params,
): Promise<Answer> {
  return ask(stand.cloud, `${verb}PrivateIpAddresses`, params);
}

function prefixes(stand: Stand, id: string): readonly string[] | undefined {
  return stand.cloud.dump().enis.find((eni) => eni.id === id)?.prefixes;
}

Deno.test("prefixes are given by count or by name, and shown", async () => {
  const stand = buildStand();
  const some = await make(stand, { Ipv4PrefixCount: "2" });
  // The first sixteen addresses hold a reserved one, and the primary ones.
  assertEquals(prefixes(stand, some), ["10.0.1.16/28", "10.0.1.32/28"]);
  const named = await make(stand, { "Ipv4Prefix.1": "10.0.1.128/28" });
  const { body } = await call(stand, "Assign", {
    NetworkInterfaceId: named,
    "Ipv4Prefix.1": "10.0.1.160/28",
  });
  assertEquals(body["AssignedPrivateIpAddressesSet"], {
    NetworkInterfaceId: named,
    PrivateIpSet: { PrivateIpAddress: [] },
    Ipv4PrefixSet: { Ipv4Prefixes: ["10.0.1.160/28"] },
  });
  const seen = await ask(stand.cloud, "DescribeNetworkInterfaces", {
    "NetworkInterfaceId.1": named,
  });
  const sets = seen.body["NetworkInterfaceSets"] as {
    NetworkInterfaceSet: Record<string, unknown>[];
  };
  assertEquals(sets.NetworkInterfaceSet.map((eni) => eni["Ipv4PrefixSets"]), [{
    Ipv4PrefixSet: [
      { Ipv4Prefix: "10.0.1.128/28" },
      { Ipv4Prefix: "10.0.1.160/28" },
    ],
  }]);
});

Deno.test("a call that is wrong about prefixes is refused, and changes nothing", async () => {
  const stand = buildStand();
  const id = await make(stand, { Ipv4PrefixCount: "1" });
  const before = JSON.stringify(stand.cloud.dump());
  const wrong: readonly (readonly ["Assign" | "Unassign", Params, string])[] = [
    ["Assign", { Ipv4PrefixCount: "0" }, "InvalidParameter"],
    ["Assign", { Ipv4PrefixCount: "11" }, "InvalidParameter"],
    ["Assign", { "Ipv4Prefix.1": "10.0.1.33/28" }, "InvalidParameter"],
    ["Assign", { "Ipv4Prefix.1": "10.0.1.32/27" }, "InvalidParameter"],
    ["Assign", { "Ipv4Prefix.1": "10.0.1.16/28" }, "InvalidIp.IpAssigned"],
    ["Assign", { "Ipv4Prefix.1": "10.0.1.0/28" }, "InvalidVSwitchId.IpInvalid"],
    ["Assign", {
      Ipv4PrefixCount: "1",
      SecondaryPrivateIpAddressCount: "1",
    }, "InvalidParameter"],
    ["Assign", {
      Ipv4PrefixCount: "1",
      "Ipv4Prefix.1": "10.0.1.32/28",
    }, "InvalidParameter"],
    ["Unassign", { "Ipv4Prefix.1": "10.0.1.32/28" }, "InvalidIp.IpUnassigned"],
    ["Unassign", {
      "Ipv4Prefix.1": "10.0.1.16/28",
      "PrivateIpAddress.1": "10.0.1.2",
    }, "InvalidParameter"],
  ];
  for (const [verb, params, code] of wrong) {
    const all = { NetworkInterfaceId: id, ...params };
    assertEquals((await call(stand, verb, all)).code, code, String(code));
  }
  assertEquals(JSON.stringify(stand.cloud.dump()), before);
});

Deno.test("addresses that don't lie together make no prefix", async () => {
  const stand = buildStand();
  const { cloud, vSwitchId } = stand;
  // One address in each block of sixteen.
  const ips = Array.from({ length: 14 }, (_, at) => `10.0.1.${at * 16 + 20}`);
  const params = ips.map((ip, at) => [`PrivateIpAddress.${at + 1}`, ip]);
  await make(stand, Object.fromEntries(params));
  const answer = await ask(cloud, "CreateNetworkInterface", {
    VSwitchId: vSwitchId,
    SecurityGroupId: stand.securityGroupId,
    Ipv4PrefixCount: "1",
  });
  assertEquals(
    [answer.status, answer.code],
    [403, "InvalidVSwitchId.IpPrefixNotEnough"],
  );
});

Deno.test("a fabric learns of each address of a prefix", async () => {
  const stand = buildStand();
  const { cloud, instanceId } = stand;
  const told: string[] = [];
  const done = (what: string, ips: readonly string[]): Promise<void> => {
    told.push(`${what} ${ips.length} ${ips.at(0)}`);
    return Promise.resolve();
  };
  const fabric: Fabric = {
    attach: (eni) => done("attach", eni.ips),
    detach: (eni) => done("detach", eni.ips),
    assign: (_, ips) => done("assign", ips),
    unassign: (_, ips) => done("unassign", ips),
  };
  cloud.fabric = fabric;
  const id = await make(stand, { Ipv4PrefixCount: "1" });
  const primary = cloud.model.enis.get(id)?.primaryIp;
  cloud.attach({ eniId: id, instanceId });
  await cloud.settled();
  const all = { NetworkInterfaceId: id, Ipv4PrefixCount: "1" };
  await call(stand, "Assign", all);
  const prefix = prefixes(stand, id)?.at(1) ?? "";
  const away = { NetworkInterfaceId: id, "Ipv4Prefix.1": prefix };
  await call(stand, "Unassign", away);
  const [first] = ipsOfPrefix(prefix);
  assertEquals(told, [
    `attach 17 ${primary}`,
    `assign 16 ${first}`,
    `unassign 16 ${first}`,
  ]);
});
