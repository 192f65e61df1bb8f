import { assertEquals, assertThrows } from "@std/assert";
import { requireStack } from "./stack.ts";

const four = { id: "vsw-4", cidr: "10.0.1.0/24" };
const six = { id: "vsw-6", cidr: "10.0.2.0/24", cidr6: "fd00:2::/64" };
const node = {
  type: "ecs.g7.large",
  limits: { ipv6PerEniCount: 6 },
  vSwitches: [four, six],
};

Deno.test("IPv4 alone asks nothing of a node", () => {
  const poor = { ...node, limits: { ipv6PerEniCount: 0 }, vSwitches: [four] };
  const { vSwitches, warnings } = requireStack("ipv4", poor);
  assertEquals([vSwitches, warnings], [[four], []]);
});

Deno.test("a vSwitch without IPv6 is left out, and told", () => {
  const { vSwitches, warnings } = requireStack("dual", node);
  assertEquals(vSwitches, [six]);
  assertEquals(warnings, [
    "no ENI is made on vsw-4 as ip_stack is dual and it has no IPv6 prefix: " +
    "turn IPv6 on for it in the VPC",
  ]);
});

Deno.test("a node that can't have IPv6 is told what to do", () => {
  assertThrows(
    () => requireStack("dual", { ...node, vSwitches: [four] }),
    Error,
    "no vSwitch of this node has an IPv6 prefix (vsw-4): turn IPv6 on",
  );
  assertThrows(
    () => requireStack("ipv6", { ...node, limits: { ipv6PerEniCount: 0 } }),
    Error,
    "instance type ecs.g7.large allows no IPv6 address",
  );
});
