import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { requireWithin, withServiceCidr } from "./cluster.ts";
import { decodeConfig } from "./config.ts";

const { config } = decodeConfig("{}", "eni_conf");

Deno.test("a configuration without service_cidr has the cluster's", async () => {
  const cluster = { serviceCidr: () => Promise.resolve("10.96.0.0/12") };
  const { serviceCidrs } = await withServiceCidr(config, cluster, "VPC");
  assertEquals(serviceCidrs, { v4: "10.96.0.0/12" });
  assertEquals(await withServiceCidr(config, undefined, "VPC"), config);
});

Deno.test("only pods that share ENIs do without the range of Services", async () => {
  const silent = { serviceCidr: () => Promise.resolve(undefined) };
  const away = { serviceCidr: () => Promise.reject(new Error("away")) };
  for (const cluster of [silent, away]) {
    assertEquals(await withServiceCidr(config, cluster, "ENIMultiIP"), config);
    await assertRejects(() => withServiceCidr(config, cluster, "VPC"));
  }
});

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
