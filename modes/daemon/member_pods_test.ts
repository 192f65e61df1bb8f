import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { AttachedEni } from "../../netns/attachment.ts";
import type { PoolStatus } from "../../pool/contract.ts";
import { openJournal } from "../../pool/journal.ts";
import { Members } from "../../pool/members.ts";
import { attachmentOf, cardIdOf } from "./attached.ts";
import { MemberPods } from "./member_pods.ts";
import type { MemberAnswer, PodMember } from "./pod_book.ts";
import { RequestError } from "./request.ts";

const TRUNK: AttachedEni = {
  id: "eni-t",
  mac: "00:16:3e:00:00:01",
  ifIndex: 5,
  gateway: "10.1.255.253",
  subnet: "10.1.0.0/16",
};

const MEMBER: PodMember = {
  eniId: "eni-m",
  trunkId: "eni-t",
  vlanId: 7,
  ip4: "10.9.0.4",
  subnet4: "10.9.0.0/16",
};

const WISH = {
  owner: { network: "terway", containerId: "c1", ifName: "eth0" },
  netns: "/run/netns/c1",
};

function podsWith(trunkId: string | undefined) {
  const trunk = trunkId === undefined
    ? { memberCount: 0 }
    : { memberCount: 1, eniId: trunkId };
  return new MemberPods({
    members: new Members(openJournal(":memory:", { instanceId: "i-1" })),
    // The other keys aren't looked at.
    keeper: { status: () => ({ trunk }) as PoolStatus },
    enis: {
      attached: (id) => id === TRUNK.id ? TRUNK : undefined,
      mtu: () => 1500,
    },
    instanceId: "i-1",
    vSwitches: [{ id: "vsw-a", cidr: "10.1.0.0/16" }],
    hostPeer: { nodeIps: ["10.1.0.1"], serviceCidrs: ["172.21.0.0/20"] },
    whyNoTrunk: () => "set enable_eni_trunking to true",
  });
}

function claim(
  answer: MemberAnswer,
  {
    strip = "vlan",
    trunkId = "eni-t",
  }: { strip?: "vlan" | "filter"; trunkId?: string | undefined } = {},
) {
  const ask = () => Promise.resolve(answer);
  const { signal } = new AbortController();
  return podsWith(trunkId).claim(WISH, { ask, strip }, signal);
}

Deno.test("a pod has its member as a VLAN, or shares the trunk by filters", async () => {
  const lease = await claim({ member: MEMBER });
  const own = attachmentOf(lease);
  assertEquals([lease.eniId, lease.ip, own.recipe], [
    "eni-m",
    "10.9.0.4",
    "vlan/1",
  ]);
  assertEquals("eni" in own && own.eni, {
    id: "eni-m",
    mac: TRUNK.mac,
    ifIndex: 5,
    gateway: "10.9.255.253",
    subnet: "10.9.0.0/16",
  });
  assertEquals(cardIdOf(own), "eni-t");
  const shared = attachmentOf(
    await claim({ member: MEMBER }, { strip: "filter" }),
  );
  assertEquals([shared.recipe, cardIdOf(shared)], ["veth/1", "eni-t"]);
  // The tag tells the VPC whose it is: its packets pass the trunk's gateway.
  assertEquals("eni" in shared && shared.eni.gateway, TRUNK.gateway);
});

Deno.test("a member with IPv6 needs its prefix, of the PodENI or the node's vSwitches", async () => {
  const six = { ...MEMBER, ip6: "fd09::4", subnet6: "fd09::/64" };
  const both = attachmentOf(await claim({ member: six }));
  assertEquals(both.ips, ["10.9.0.4", "fd09::4"]);
  assertEquals("eni" in both && both.eni.subnet6, "fd09::/64");
  const { subnet4: _, ...untold } = MEMBER;
  const near = await claim({ member: { ...untold, ip4: "10.1.0.9" } });
  assertEquals(near.ip, "10.1.0.9");
  const error = await assertRejects(
    () => claim({ member: untold }),
    RequestError,
  );
  assertStringIncludes(error.message, "spec.allocation.ipv4CIDR");
});

Deno.test("what stands in the way of a member says what to do", async () => {
  const cases: readonly [Partial<PodMember>, string][] = [
    [{ trunkId: "eni-other" }, "this node's trunk is eni-t"],
    [{ vlanId: 0 }, "must be 1 to 4094: it is 0"],
    [{ vlanId: 4095 }, "must be 1 to 4094: it is 4095"],
    [{ ip4: "fd09::4" }, "spec.allocation.ipv4 must be such an address"],
    [{ ip4: "10.9.0" }, "spec.allocation.ipv4 must be such an address"],
    [
      { subnet4: "10.9.0.0/33" },
      "spec.allocation.ipv4CIDR must be such a prefix",
    ],
  ];
  for (const [more, said] of cases) {
    const error = await assertRejects(
      () => claim({ member: { ...MEMBER, ...more } }),
      RequestError,
      "the pod's PodENI can't be used on this node",
    );
    assertEquals(error.code, 11);
    assertStringIncludes(error.details, said);
  }
  await assertRejects(
    () =>
      podsWith(undefined).claim(WISH, {
        ask: () => Promise.resolve({ member: MEMBER }),
        strip: "vlan",
      }, new AbortController().signal),
    RequestError,
    "this node has none: set enable_eni_trunking to true",
  );
  const hindrance = {
    mayPass: true,
    message: "waiting for PodENI default/web",
    problems: ["it is Initial, not Bind"],
  };
  await assertRejects(
    () => claim({ hindrance }),
    RequestError,
    "waiting for PodENI default/web",
  );
});
