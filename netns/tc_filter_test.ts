import { assert, assertEquals } from "@std/assert";
import { Lab, testWhere } from "./lab.ts";
import { probe } from "./probe.ts";
import { keysOf } from "./steer.ts";
import {
  addClsact,
  addFilter,
  deleteFilter,
  deleteIdleClsact,
  type FilterPlace,
  hasClsact,
  listFilters,
} from "./tc_filter.ts";

const { redirect } = probe();

function hangAndUnhang(): void {
  using lab = new Lab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const { ifIndex: toIndex } = lab.attach("eth2", "00:16:3e:00:00:02");
  const place: FilterPlace = {
    ...{ ifIndex, hook: "egress", priority: 40_000, protocol: 0x0800 },
  };
  const rule = (to: string) => ({
    keys: keysOf({ to }),
    actions: [{ kind: "mirred", toIndex }] as const,
  });
  assert(!hasClsact(routes, ifIndex));
  addClsact(routes, ifIndex);
  assert(hasClsact(routes, ifIndex));
  const other = ["filter", "add", "dev", "eth1", "egress", "prio", "7"];
  const match = ["protocol", "ip", "u32", "match", "ip", "dst", "10.9.0.0/16"];
  lab.node.run("tc", ...other, ...match, "flowid", "1:1");
  addFilter(routes, place, rule("172.21.0.0/20"));
  addFilter(routes, place, rule("169.254.20.10/32"));
  const seen = listFilters(routes, place);
  assertEquals(
    seen.map(({ keys, actions }) => ({ keys, actions })),
    [rule("172.21.0.0/20"), rule("169.254.20.10/32")],
  );
  const show = (): string =>
    lab.node.run("tc", "filter", "show", "dev", "eth1", "egress");
  assertEquals(show().match(/Ingress Redirect to device eth2/g)?.length, 2);
  for (const { handle } of seen) deleteFilter(routes, place, handle);
  assertEquals(listFilters(routes, place), []);
  // Somebody else's filter keeps the place where it hangs.
  deleteIdleClsact(routes, ifIndex);
  assert(hasClsact(routes, ifIndex));
  lab.node.run("tc", "filter", "delete", "dev", "eth1", "egress");
  deleteIdleClsact(routes, ifIndex);
  assert(!hasClsact(routes, ifIndex));
}

testWhere({
  needs: [redirect],
  name: "addFilter() hangs a filter where others may have theirs",
  fn: hangAndUnhang,
});
