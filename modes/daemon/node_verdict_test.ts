import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  judgeMaxPods,
  judgeServiceCidr,
  STARTUP_TAINT,
  withoutStartupTaint,
} from "./node_verdict.ts";

Deno.test("a Service outside service_cidr is named with it", () => {
  const check = (cidrs: string[], ips: string[], status?: string) => {
    const found = judgeServiceCidr(cidrs, ips);
    assertEquals(found?.status, status);
    for (const part of [...cidrs, ...ips]) {
      if (found !== undefined) assertStringIncludes(found.message, part);
    }
  };
  check(["172.21.0.0/20"], ["172.21.0.1"], "True");
  check(["172.21.0.0/20"], ["10.96.0.1"], "False");
  check(["172.21.0.0/20", "fd21::/112"], ["172.21.0.1", "fd21::1"], "True");
  check(["172.21.0.0/20"], ["172.21.0.1", "fd21::1"], "False");
  check([], ["172.21.0.1"]);
  check(["172.21.0.0/20"], []);
});

Deno.test("a kubelet that allows more pods than can be served is told the number", () => {
  const check = (allowed: number, includes?: string) => {
    const found = judgeMaxPods({ allowed, served: 45, hostPods: 6 });
    assertEquals(found === undefined, includes === undefined);
    assertStringIncludes(found ?? "", includes ?? "");
  };
  check(0); // a node that isn't known yet
  check(51);
  check(52, "--max-pods=51");
});

Deno.test("only the startup taint goes", () => {
  const other = { key: "node.kubernetes.io/not-ready" };
  assertEquals(withoutStartupTaint(undefined), undefined);
  assertEquals(withoutStartupTaint([other]), undefined);
  assertEquals(withoutStartupTaint([other, { key: STARTUP_TAINT }]), [other]);
});
