import { assertEquals, assertRejects } from "@std/assert";
import { openKernel } from "./kernel.ts";
import { Lab, testWhere } from "./lab.ts";
import { NftError } from "./nft.ts";
import { probe } from "./probe.ts";

const IP_FORWARD = "net/ipv4/ip_forward";

Deno.test("Kernel.host reads and writes the node's settings, not this thread's", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const { host } = kernel;
  lab.vpc.run("sysctl", "-w", "net.ipv4.ip_forward=0");
  await host.writeSettings([
    { key: "net/ipv4/conf/never/rp_filter", value: "1" },
    { key: IP_FORWARD, value: "1" },
  ]);
  const seen = await host.readSettings([IP_FORWARD, "net/ipv4/conf/never/x"]);
  assertEquals([...seen], [[IP_FORWARD, "1"]]);
  const shown = (room: "node" | "vpc"): string =>
    lab[room].run("sysctl", "-n", "net.ipv4.ip_forward").trim();
  assertEquals([shown("node"), shown("vpc")], ["1", "0"]);
  assertEquals(await host.legacyTables(), { v4: [], v6: [] });
});

testWhere({
  needs: [probe().nft],
  name: "Kernel.host.nft() works on the node, and tells what was refused",
  fn: async () => {
    using lab = new Lab();
    await using kernel = await openKernel({ netns: lab.node.path });
    const table = { family: "inet", name: "a" };
    await kernel.host.nft([{ add: { table } }]);
    assertEquals(lab.node.run("nft", "list", "tables"), "table inet a\n");
    const error = await assertRejects(
      () => kernel.host.nft([{ delete: { table: { ...table, name: "b" } } }]),
      NftError,
    );
    assertEquals(error.kind, "refused");
  },
});
