import { assertEquals, assertThrows } from "@std/assert";
import { decodeConfig } from "./config.ts";
import type { NodeFacts } from "./node.ts";
import { limitsOf } from "./pool.ts";

const { config } = decodeConfig(
  '{"enable_ip_prefix": true, "ipv4_prefix_count": 3}',
  "eni_conf",
);

function nodeWith(ipv4PerEniCount: number): NodeFacts {
  return {
    instance: { type: "ecs.g7.large" },
    limits: { eniCount: 3, ipv4PerEniCount, ipv6PerEniCount: 0 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.1.0/24" }],
  } as unknown as NodeFacts;
}

Deno.test("enable_ip_prefix makes each secondary address of a type sixteen", () => {
  const limits = limitsOf(config, nodeWith(6), "ENIMultiIP");
  assertEquals(limits.prefixes, { perEniCount: 5, minCount: 3 });
  assertEquals(limits.eniCount * limits.addressesPerEni, 2 * 81);
});

Deno.test("enable_ip_prefix is refused where it can't be, with what to do", () => {
  for (const mode of ["VPC", "ENIOnly"] as const) {
    assertThrows(
      () => limitsOf(config, nodeWith(6), mode),
      Error,
      `Cannot use enable_ip_prefix in mode ${mode}: a pod that has an ENI`,
    );
  }
  assertThrows(
    () => limitsOf(config, nodeWith(1), "ENIMultiIP"),
    Error,
    "instance type ecs.g7.large allows one address on an ENI",
  );
});
