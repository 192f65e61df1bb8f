import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Bandwidth } from "../../netns/bandwidth.ts";
import { decodeBandwidth } from "./bandwidth.ts";

/** What containerd and CRI-O put where nobody asked for a burst. */
const CONTAINERD_BURST = 2 ** 32 - 1;
const CRIO_BURST = (2 ** 32 - 1) * 8 - 1;

function good(runtimeConfig: unknown, expected: Bandwidth | undefined): void {
  assertEquals(decodeBandwidth(runtimeConfig), {
    ...(expected === undefined ? {} : { bandwidth: expected }),
    problems: [],
  });
}

function bad(runtimeConfig: unknown, expected: readonly string[]): void {
  assertEquals(decodeBandwidth(runtimeConfig).problems, expected);
}

function annotated(annotations: Readonly<Record<string, unknown>>): unknown {
  return { "io.kubernetes.cri.pod-annotations": annotations };
}

Deno.test("decodeBandwidth() finds no limit where none is given", () => {
  for (const none of [undefined, null, {}, { bandwidth: null }]) {
    good(none, undefined);
  }
  good({ portMappings: [] }, undefined);
  good({ bandwidth: { ingressRate: 0, ingressBurst: 0 } }, undefined);
  good(annotated({ "example.com/a": "b" }), undefined);
});

Deno.test("decodeBandwidth() reads rates, and bursts that somebody chose", () => {
  good({ bandwidth: { ingressRate: 1e3, egressRate: 1e15 } }, {
    ingressBitsPerSec: 1e3,
    egressBitsPerSec: 1e15,
  });
  good({ bandwidth: { egressRate: 10e6, egressBurst: 800_000 } }, {
    egressBitsPerSec: 10e6,
    egressBurstBits: 800_000,
  });
});

Deno.test("decodeBandwidth() takes a runtime's greatest burst for none", () => {
  for (const ingressBurst of [2 ** 31 - 1, CONTAINERD_BURST, CRIO_BURST]) {
    good({ bandwidth: { ingressRate: 10e6, ingressBurst } }, {
      ingressBitsPerSec: 10e6,
    });
  }
});

Deno.test("decodeBandwidth() names every bad number, its rule and its value", () => {
  const rule = "must be 0 (no limit), or whole bits per second from 1000 to " +
    "1000000000000000 (1k to 1P)";
  bad({ bandwidth: { ingressRate: 999, egressRate: 1e15 + 1 } }, [
    `runtimeConfig.bandwidth.ingressRate: ${rule}: it is 999`,
    `runtimeConfig.bandwidth.egressRate: ${rule}: it is 1000000000000001`,
  ]);
  bad({ bandwidth: { ingressRate: "10M", egressRate: -1 } }, [
    `runtimeConfig.bandwidth.ingressRate: ${rule}: it is "10M"`,
    `runtimeConfig.bandwidth.egressRate: ${rule}: it is -1`,
  ]);
  bad({ bandwidth: { ingressRate: 10e6, ingressBurst: -1, egressBurst: 8 } }, [
    "runtimeConfig.bandwidth.ingressBurst: must be a whole number of bits: " +
    "it is -1",
    "runtimeConfig.bandwidth.egressBurst: must have egressRate beside it: " +
    "it is 8",
  ]);
  bad({ bandwidth: [] }, [
    "runtimeConfig.bandwidth: must be an object: it is []",
  ]);
});

Deno.test("decodeBandwidth() reads the pod's annotations, rates given first", () => {
  const both = {
    "kubernetes.io/ingress-bandwidth": "10M",
    "kubernetes.io/egress-bandwidth": "1Gi",
  };
  good(annotated(both), {
    ingressBitsPerSec: 10e6,
    egressBitsPerSec: 2 ** 30,
  });
  const { "io.kubernetes.cri.pod-annotations": annotations } = annotated(
    both,
  ) as Record<string, unknown>;
  good({
    bandwidth: { ingressRate: 20e6 },
    "io.kubernetes.cri.pod-annotations": annotations,
  }, { ingressBitsPerSec: 20e6, egressBitsPerSec: 2 ** 30 });
});

Deno.test("decodeBandwidth() reads Go Terway's annotations as bytes of 1024", () => {
  for (const text of ["1m", "1M", "1MB", "1MiB", " 1m "]) {
    good(annotated({ "k8s.aliyun.com/ingress-bandwidth": text }), {
      ingressBitsPerSec: 8 * 2 ** 20,
    });
  }
  good(annotated({ "k8s.aliyun.com/egress-bandwidth": "1.5k" }), {
    egressBitsPerSec: 8 * 1536,
  });
  // Without a unit Go Terway ended with a panic.
  good(annotated({ "k8s.aliyun.com/egress-bandwidth": "125" }), {
    egressBitsPerSec: 1000,
  });
});

Deno.test("decodeBandwidth() lets Kubernetes' annotation win over Go Terway's", () => {
  good(
    annotated({
      "kubernetes.io/ingress-bandwidth": "10M",
      "k8s.aliyun.com/ingress-bandwidth": "nonsense",
    }),
    { ingressBitsPerSec: 10e6 },
  );
});

Deno.test("decodeBandwidth() names a bad annotation, its rule and its value", () => {
  const rule = "must be a quantity of bits per second from 1k to 1P, such as " +
    "10M";
  for (const text of ["10Mbit", "999", "1.1P", "-10M", "", "1K"]) {
    bad(annotated({ "kubernetes.io/ingress-bandwidth": text }), [
      `kubernetes.io/ingress-bandwidth: ${rule}: it is "${text}"`,
    ]);
  }
  bad(annotated({ "kubernetes.io/egress-bandwidth": 7 }), [
    `kubernetes.io/egress-bandwidth: ${rule}: it is 7`,
  ]);
  bad(annotated({ "k8s.aliyun.com/egress-bandwidth": "1x" }), [
    "k8s.aliyun.com/egress-bandwidth: must be bytes per second from 125 to " +
    '113T, such as 10M (of 1024 × 1024): it is "1x"',
  ]);
});

Deno.test("decodeBandwidth() never throws, and what it gives is in range", () => {
  const fields = fc.record({
    ingressRate: fc.anything(),
    ingressBurst: fc.anything(),
    egressRate: fc.oneof(fc.anything(), fc.integer({ max: 1e15 })),
    egressBurst: fc.oneof(fc.anything(), fc.integer()),
  }, { requiredKeys: [] });
  const config = fc.oneof(fc.anything(), fc.record({ bandwidth: fields }));
  fc.assert(fc.property(config, (config) => {
    const { bandwidth = {}, problems } = decodeBandwidth(config);
    if (problems.length > 0) return;
    for (
      const rate of [bandwidth.ingressBitsPerSec, bandwidth.egressBitsPerSec]
    ) {
      assert(rate === undefined || (rate >= 1e3 && rate <= 1e15));
    }
  }));
});
