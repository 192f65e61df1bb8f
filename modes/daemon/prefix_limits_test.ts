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
    limits: { eniCount: 3, ipv4PerEniCount, ipv6PerEniCount: 6 },
    vSwitches: [{ id: "vsw-a", cidr: "10.0.1.0/24", cidr6: "fd00::/64" }],
  } as unknown as NodeFacts;
}

Deno.test("enable_ip_prefix makes each secondary address of a type sixteen", () => {
  const limits = limitsOf(config, nodeWith(6), "ENIMultiIP");
  const unitsPerEni = { 4: 6, 6: 6 };
  assertEquals(limits.prefixes, { perEniCount: 5, minCount: 3, unitsPerEni });
  assertEquals(limits.eniCount * limits.addressesPerEni, 2 * 81);
});

Deno.test("with IPv6 an ENI carries what one /80 of it has for pods", () => {
  const podsOn = (stack: string, perEniCount: number) =>
    limitsOf(
      decodeConfig(
        JSON.stringify({
          ip_stack: stack,
          enable_ip_prefix: true,
          ipv4_prefix_count: 3,
          ipv6_prefix_count: 1,
        }),
        "eni_conf",
      ).config,
      nodeWith(perEniCount),
      "ENIMultiIP",
    );
  assertEquals(podsOn("dual", 6).addressesPerEni, 81);
  assertEquals(podsOn("dual", 6).prefixes?.minCount, 3);
  assertEquals(podsOn("dual", 50).addressesPerEni, 241);
  assertEquals(podsOn("ipv6", 6).addressesPerEni, 256);
  assertEquals(podsOn("ipv6", 6).prefixes?.minCount, 1);
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
