import { assertEquals } from "@std/assert";
import { Lab, refusalOf } from "./lab.ts";
import { setLink } from "./link.ts";
import { addRoute, deleteRoute, listRoutes, replaceRoute } from "./route.ts";

/** An index that no link has. */
const MISSING = 999;

/** A lab whose ENI is up. */
function openLab(): Lab {
  const lab = new Lab();
  setLink(lab.node.routes, lab.eni.ifIndex, { up: true });
  return lab;
}

Deno.test("addRoute() makes what iproute2 shows", () => {
  using lab = openLab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const check = (
    route: { destination: string; gateway?: string; table?: number },
    args: readonly string[],
    expected: string,
  ): void => {
    const onlink = route.gateway !== undefined;
    addRoute(routes, { ifIndex, ...route, onlink });
    const [line] = lab.node.ip(...args).split("\n");
    assertEquals(line?.trim(), expected);
  };
  check(
    { destination: "10.0.0.20/32" },
    ["route", "show", "10.0.0.20"],
    "10.0.0.20 dev eth1 scope link",
  );
  check(
    { destination: "0.0.0.0/0", gateway: "10.0.0.253", table: 1002 },
    ["route", "show", "table", "1002"],
    "default via 10.0.0.253 dev eth1 onlink",
  );
  check(
    { destination: "fd00::20/128" },
    ["-6", "route", "show", "fd00::20"],
    "fd00::20 dev eth1 metric 1024 pref medium",
  );
  check(
    { destination: "::/0", gateway: "fe80::1", table: 1002 },
    ["-6", "route", "show", "table", "1002"],
    "default via fe80::1 dev eth1 metric 1024 onlink pref medium",
  );
});

Deno.test("addRoute() refuses what is there, and a gateway that isn't on the link", () => {
  using lab = openLab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const destination = "10.0.0.20/32";
  addRoute(routes, { ifIndex, destination });
  assertEquals(
    refusalOf(() => addRoute(routes, { ifIndex, destination })),
    "EEXIST",
  );
  const gateway = "10.9.9.9";
  assertEquals(
    refusalOf(() =>
      addRoute(routes, { ifIndex, destination: "10.9.0.0/16", gateway })
    ),
    "ENETUNREACH",
  );
  assertEquals(
    refusalOf(() =>
      addRoute(routes, { ifIndex: MISSING, destination: "10.8.0.0/16" })
    ),
    "ENODEV",
  );
});

Deno.test("replaceRoute() takes the place of the route to there", () => {
  using lab = openLab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const route = { ifIndex, destination: "0.0.0.0/0", table: 7, onlink: true };
  addRoute(routes, { ...route, gateway: "10.0.0.253" });
  replaceRoute(routes, { ...route, gateway: "10.0.0.252" });
  const gateways = listRoutes(routes, 7).map(({ gateway }) => gateway);
  assertEquals(gateways, ["10.0.0.252"]);
});

Deno.test("deleteRoute() deletes only a route of exactly this form", () => {
  using lab = openLab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const route = {
    ifIndex,
    destination: "0.0.0.0/0",
    gateway: "10.0.0.253",
    table: 1002,
    onlink: true,
  };
  addRoute(routes, route);
  const other = { ...route, gateway: "10.0.0.252" };
  assertEquals(refusalOf(() => deleteRoute(routes, other)), "ESRCH");
  assertEquals(
    refusalOf(() => deleteRoute(routes, { ...route, table: 1003 })),
    "ESRCH",
  );
  assertEquals(
    refusalOf(() => deleteRoute(routes, { ...route, ifIndex: 1 })),
    "ESRCH",
  );
  assertEquals(listRoutes(routes, 1002).length, 1);
  deleteRoute(routes, route);
  assertEquals(listRoutes(routes, 1002), []);
  assertEquals(refusalOf(() => deleteRoute(routes, route)), "ESRCH");
});

Deno.test("deleteRoute() leaves a route that a network manager made", () => {
  using lab = openLab();
  const { routes } = lab.node;
  const words = "route add 10.0.0.20 dev eth1 scope link proto dhcp".split(" ");
  lab.node.ip(...words);
  const route = { ifIndex: lab.eni.ifIndex, destination: "10.0.0.20/32" };
  assertEquals(refusalOf(() => deleteRoute(routes, route)), "ESRCH");
});
