import { assertThrows } from "@std/assert";
import { requireWithin } from "./cluster.ts";

Deno.test("a pod CIDR must be of Network, when that is given", () => {
  requireWithin("172.30.1.0/24", "172.30.0.0/16");
  requireWithin("172.30.0.0/16", "172.30.0.0/16");
  requireWithin("10.0.0.0/24", undefined);
  for (const cidr of ["172.31.0.0/24", "172.16.0.0/12"]) {
    assertThrows(
      () => requireWithin(cidr, "172.30.0.0/16"),
      Error,
      `${cidr} as Network is 172.30.0.0/16`,
    );
  }
});
