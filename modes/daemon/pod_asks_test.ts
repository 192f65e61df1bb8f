import { assert, assertEquals } from "@std/assert";
import type { V1Pod } from "../../k8s/objects.ts";
import { isIgnored, isPod, readAsks } from "./pod_asks.ts";

function pod(
  limits: readonly Record<string, string>[],
  annotations: Record<string, string> = {},
): V1Pod {
  return {
    metadata: { annotations },
    spec: {
      containers: limits.map((one, at) => ({
        name: `c${at}`,
        resources: { limits: one },
      })),
    },
  };
}

Deno.test("a pod asks for an ENI by either name, in mode VPC only", () => {
  for (const name of ["aliyun/eni", "alicloud/eni"]) {
    const asking = pod([{}, { [name]: "1" }]);
    assertEquals(readAsks(asking, { mode: "VPC" }).asks, { wantsEni: true });
    assertEquals(readAsks(asking, { mode: "ENIMultiIP" }).asks, {});
  }
});

Deno.test("a pod that the webhook has marked has an ENI made for it", () => {
  const marked = pod([{}], { "k8s.aliyun.com/pod-eni": "true" });
  assertEquals(readAsks(marked, { mode: "ENIMultiIP" }).asks, {
    wantsMember: true,
  });
  const other = pod([{}], { "k8s.aliyun.com/pod-eni": "false" });
  assertEquals(readAsks(other, { mode: "ENIMultiIP" }).asks, {});
});

Deno.test("a pod can't have two ENIs to itself, whoever asks", () => {
  const asking = pod([{ "aliyun/eni": "1" }, { "aliyun/eni": "1" }]);
  const { refused } = readAsks(asking, { mode: "VPC" });
  assertEquals(refused.length, 1);
  assert(refused[0]?.includes("come to 2"));
});

Deno.test("bandwidth annotations are bits per second, the older ones bytes", () => {
  const standard = pod([{}], { "kubernetes.io/egress-bandwidth": "8M" });
  const older = pod([{}], { "k8s.aliyun.com/egress-bandwidth": "1M" });
  assertEquals(readAsks(standard, { mode: "ENIMultiIP" }).asks, {
    bandwidth: { egressBitsPerSec: 8_000_000 },
  });
  assertEquals(readAsks(older, { mode: "ENIMultiIP" }).asks, {
    bandwidth: { egressBitsPerSec: 8 * 1024 * 1024 },
  });
});

Deno.test("an annotation that can't be read is told, and the pod starts", () => {
  const bad = pod([{}], { "kubernetes.io/egress-bandwidth": "fast" });
  const { asks, refused, ignored } = readAsks(bad, { mode: "ENIMultiIP" });
  assertEquals([asks, refused], [{}, []]);
  assert(ignored[0]?.includes("kubernetes.io/egress-bandwidth"), ignored[0]);
});

Deno.test("a pod lists its interfaces, and doesn't start when it can't have them", () => {
  const of = (podNetworks: unknown): V1Pod =>
    pod([{}], {
      "k8s.aliyun.com/pod-networks": JSON.stringify({ podNetworks }),
    });
  const names = [{ interface: "eth0" }, { interface: "net1" }];
  const { asks, refused } = readAsks(of(names), { mode: "ENIMultiIP" });
  assertEquals(asks.interfaces?.map(({ ifName }) => ifName), ["eth0", "net1"]);
  assertEquals(refused, []);
  const bad = readAsks(of([{ interface: "net1" }]), { mode: "ENIMultiIP" });
  assertEquals([bad.asks, bad.refused.length], [{}, 1]);
  assert(bad.refused[0]?.includes("must have eth0"), bad.refused[0]);
});

Deno.test("a successor of the same name is another pod, a mirror isn't", () => {
  const { metadata } = { metadata: { uid: "u1" } };
  assert(isPod({ metadata }, "u1"));
  assert(isPod({ metadata }, undefined));
  assert(!isPod({ metadata }, "u2"));
  const annotations = { "kubernetes.io/config.mirror": "hash" };
  assert(isPod({ metadata: { uid: "u3", annotations } }, "hash"));
});

Deno.test("an init container's ENI counts, and an annotation gives none", () => {
  const asking: V1Pod = {
    spec: {
      containers: [{ name: "main" }],
      initContainers: [{
        name: "init",
        resources: { limits: Object.fromEntries([["aliyun/eni", "1"]]) },
      }],
    },
  };
  assertEquals(readAsks(asking, { mode: "VPC" }).asks, { wantsEni: true });
  // Seed 000: the form of before isn't served any more.
  const annotated = pod([{}], { "k8s.aliyun.com/ENI": "true" });
  assertEquals(readAsks(annotated, { mode: "VPC" }), {
    asks: {},
    refused: [],
    ignored: [],
  });
});

Deno.test("pods of the host's network and those that say so are left alone", () => {
  const label = "k8s.aliyun.com/ignore-by-terway";
  const labelled = (value: string): V1Pod => ({
    metadata: { labels: Object.fromEntries([[label, value]]) },
  });
  assert(isIgnored({ spec: { hostNetwork: true, containers: [] } }));
  assert(isIgnored(labelled("true")));
  assert(!isIgnored(labelled("false")));
  assert(!isIgnored({}));
});

Deno.test("pods of a StatefulSet, and of kinds like it, keep their address", () => {
  const check = (kind: string, keeps?: true) => {
    const owned: V1Pod = {
      metadata: {
        ownerReferences: [
          { apiVersion: "apps/v1", kind, name: "db", uid: "u" },
        ],
      },
    };
    const rules = { mode: "VPC", statefulKinds: ["CloneSet"] } as const;
    assertEquals(readAsks(owned, rules).asks.keepsAddress, keeps);
  };
  const KEEPS = true;
  check("StatefulSet", KEEPS);
  check("cloneset", KEEPS);
  check("ReplicaSet");
});
