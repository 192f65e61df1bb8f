import { assert, assertEquals } from "@std/assert";
import { INSTANCE_TYPES } from "./limits.ts";

Deno.test("a region knows at least 12 real types, each as the type can be", () => {
  const types = Object.entries(INSTANCE_TYPES);
  assert(types.length >= 12, `${types.length}`);
  for (const [name, limits] of types) {
    assert(/^ecs\.[a-z0-9-]+\.[a-z0-9]+$/.test(name), name);
    assert(limits.EniQuantity >= 1, name);
    assert(limits.EniPrivateIpAddressQuantity >= 1, name);
    assert(limits.EniTotalQuantity >= limits.EniQuantity, name);
  }
  const { EniQuantity, EniPrivateIpAddressQuantity } =
    INSTANCE_TYPES["ecs.g7.xlarge"] ?? {};
  assertEquals([EniQuantity, EniPrivateIpAddressQuantity], [4, 15]);
});
