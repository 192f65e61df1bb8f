import { assert, assertEquals } from "@std/assert";
import { Lab } from "./lab.ts";
import { listRoutes, RTN_UNREACHABLE } from "./route.ts";
import { listRules } from "./rule.ts";
import { dumpRules, findRoutes, firstRule } from "./search.ts";

/** A node with routes and rules of many forms. */
function scene(): Lab {
  const lab = new Lab();
  const { node } = lab;
  node.ip("link", "set", "eth1", "up");
  node.ip("address", "add", "10.0.0.10/24", "dev", "eth1");
  node.ip("-6", "address", "add", "fd00::10/64", "dev", "eth1", "nodad");
  for (
    const route of [
      "default via 10.0.0.253 dev eth1",
      "default via 10.0.0.253 dev eth1 table 1002 metric 7",
      "10.1.0.1/32 dev eth1 src 10.0.0.10",
      "10.1.0.2/32 dev lo table 1002",
      "unreachable 10.1.0.0/24 metric 65535",
      "10.1.0.0/24 dev eth1",
    ]
  ) node.ip(..."route add".split(" "), ...route.split(" "));
  node.ip("-6", "route", "add", "default", "via", "fd00::1", "dev", "eth1");
  node.ip("-6", "route", "add", "fd01::1/128", "dev", "eth1");
  for (
    const rule of [
      "priority 512 to 10.1.0.1 lookup main",
      "priority 512 to 10.1.0.0/24 lookup main",
      "priority 2048 from 10.1.0.1 lookup 1002",
      "priority 2048 from 10.1.0.1 lookup 1003",
      "priority 2048 from 10.1.0.1 oif eth1 lookup 1004",
      "priority 2048 from 10.1.0.1 fwmark 0x10/0x10 lookup 1005",
      "priority 1024 from 10.1.0.1 to 10.2.0.0/16 lookup main",
    ]
  ) node.ip(..."rule add".split(" "), ...rule.split(" "));
  node.ip("-6", "rule", "add", "priority", "512", "to", "fd01::1");
  return lab;
}

Deno.test("findRoutes() finds what a dump of everything shows", () => {
  using lab = scene();
  const { routes } = lab.node;
  const all = listRoutes(routes);
  for (const { destination, table, ifIndex, type } of all) {
    const wish = { destination, table };
    const same = all.filter((one) =>
      one.destination === destination && one.table === table
    );
    assertEquals(findRoutes(routes, wish), same);
    const narrow = ifIndex === 0 ? { ...wish, type } : { ...wish, ifIndex };
    assertEquals(
      findRoutes(routes, narrow),
      same.filter((one) =>
        ifIndex === 0 ? one.type === type : one.ifIndex === ifIndex
      ),
    );
  }
  const unreachable = { destination: "10.1.0.0/24", table: 254 };
  assertEquals(
    findRoutes(routes, { ...unreachable, type: RTN_UNREACHABLE })
      .map(({ metric }) => metric),
    [65_535],
  );
});

Deno.test("findRoutes() finds nothing in a table, on a link and by a family that isn't there", () => {
  using lab = scene();
  const { routes } = lab.node;
  const to = { destination: "0.0.0.0/0", table: 254 };
  assertEquals(findRoutes(routes, { ...to, table: 4_000 }), []);
  assertEquals(findRoutes(routes, { ...to, ifIndex: 4_000 }), []);
  assertEquals(findRoutes(routes, { destination: "::/0", table: 4_000 }), []);
  // The socket is as it was for libnl's own dumps.
  assert(listRoutes(routes).length > 0);
});

Deno.test("firstRule() finds of equal rules the one that decides", () => {
  using lab = scene();
  const { routes } = lab.node;
  const all = listRules(routes);
  for (const { table: _, family, ...match } of all) {
    const [first] = all.filter((one) =>
      one.family === family &&
      (["priority", "from", "to", "oif", "mark"] as const)
        .every((key) => one[key] === match[key])
    );
    const found = firstRule(dumpRules(routes, family), match);
    assertEquals(found?.table, first?.table, JSON.stringify(match));
  }
  const rules = dumpRules(routes, 4);
  assertEquals(
    firstRule(rules, { priority: 512, to: "10.1.0.2/32" }),
    undefined,
  );
  assertEquals(firstRule(rules, { priority: 512 }), undefined);
});
