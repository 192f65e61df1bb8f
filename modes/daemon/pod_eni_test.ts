import { assertEquals } from "@std/assert";
import { readPodEni } from "./pod_eni.ts";

/** Seed 001's sample, with the VLAN id and the prefix of later versions. */
const ALLOCATION = {
  eni: {
    id: "eni-bp16h6wuzpa9w2vdm5dn",
    mac: "00:16:3e:0d:7b:c2",
    zone: "cn-hangzhou-i",
  },
  ipType: { releaseAfter: "0s", type: "Elastic" },
  ipv4: "192.168.51.99",
  ipv4CIDR: "192.168.48.0/20",
};
const STATUS = {
  instanceID: "i-bp1dkga3et5atja91ixt",
  podLastSeen: "2021-07-19T11:23:55Z",
  status: "Bind",
  trunkENIID: "eni-bp16h6wuzpa9utho0t2o",
  eniInfos: { "eni-bp16h6wuzpa9w2vdm5dn": { vid: 7 } },
};
const READER = { instanceId: "i-bp1dkga3et5atja91ixt", uid: "u-1" };

const MEMBER = {
  eniId: "eni-bp16h6wuzpa9w2vdm5dn",
  trunkId: "eni-bp16h6wuzpa9utho0t2o",
  vlanId: 7,
  ip4: "192.168.51.99",
  subnet4: "192.168.48.0/20",
};

function podEni(
  status: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
) {
  return {
    metadata,
    spec: { allocation: ALLOCATION },
    status: { ...STATUS, ...status },
  };
}

Deno.test("a bound PodENI tells the pod's ENI, in the older form and the newer", () => {
  assertEquals(readPodEni(podEni(), READER), { member: MEMBER });
  const { status: _, ...rest } = STATUS;
  const newer = {
    metadata: { annotations: { "k8s.aliyun.com/pod-uid": "u-1" } },
    spec: { allocations: [{ ...ALLOCATION, interface: "eth0" }] },
    status: { ...rest, phase: "Bind" },
  };
  assertEquals(readPodEni(newer, READER), { member: MEMBER });
});

Deno.test("a PodENI that isn't this pod's, or not yet, says what is awaited", () => {
  const cases: readonly [ReturnType<typeof podEni>, string][] = [
    [podEni({ status: "Unbind" }), "it is Unbind, not Bind"],
    [podEni({ status: "" }), "it is Initial, not Bind"],
    [
      podEni({ instanceID: "i-other" }),
      "it is bound to instance i-other, not to this node's, " +
      READER.instanceId,
    ],
    [podEni({ trunkENIID: "" }), "it is bound to no trunk (status.trunkENIID)"],
    [
      podEni({ eniInfos: {} }),
      `it has no VLAN id yet (status.eniInfos["${MEMBER.eniId}"].vid)`,
    ],
    [
      podEni({}, { annotations: { "k8s.aliyun.com/pod-uid": "u-0" } }),
      "it is of a pod before (UID u-0)",
    ],
    [
      podEni({}, { deletionTimestamp: "2026-11-21T00:00:00Z" }),
      "it is of a pod before, and is being deleted",
    ],
  ];
  for (const [object, awaited] of cases) {
    assertEquals(readPodEni(object, READER), { awaited });
  }
  assertEquals(readPodEni({ metadata: {}, spec: {} }, READER), {
    awaited: "it names no ENI yet",
  });
});
