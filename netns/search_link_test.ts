import { assert, assertEquals } from "@std/assert";
import { listAddresses } from "./address.ts";
import { Lab } from "./lab.ts";
import { listNeighbours } from "./neighbour.ts";
import { findNeighbour, hasAddress } from "./search_link.ts";

const NO_LINK = 9_999;

/** A node with addresses and neighbours of many forms. */
function scene(): Lab {
  const lab = new Lab();
  const { node } = lab;
  for (
    const words of [
      "link set eth1 up",
      "address add 10.0.0.10/24 dev eth1",
      "address add 10.0.0.11/32 dev eth1",
      "address add 10.9.0.1 peer 10.9.0.2/32 dev eth1",
      "address add fd00::10/64 dev eth1 nodad",
      "address add fd00::11 peer fd00::12/128 dev eth1 nodad",
      "neighbour add 10.0.0.1 lladdr 0e:00:00:00:00:01 dev eth1",
      "neighbour add 10.0.0.2 lladdr 0e:00:00:00:00:02 dev eth1 nud stale",
      "neighbour add fd00::1 lladdr 0e:00:00:00:00:03 dev eth1",
    ]
  ) node.ip(...words.split(" "));
  return lab;
}

Deno.test("hasAddress() finds what a dump of everything shows", () => {
  using lab = scene();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const all = listAddresses(routes);
  for (const seen of all) {
    assert(hasAddress(routes, seen.ifIndex, seen.cidr), seen.cidr);
  }
  assertEquals(all.filter((seen) => seen.ifIndex === ifIndex).length, 6);
});

Deno.test("hasAddress() takes no other link, length or address", () => {
  using lab = scene();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const others = ["10.0.0.10/25", "10.0.0.12/24", "fd00::10/128", "::1/128"];
  for (const cidr of others) assert(!hasAddress(routes, ifIndex, cidr), cidr);
  assert(!hasAddress(routes, NO_LINK, "10.0.0.10/24"));
});

Deno.test("findNeighbour() finds what a dump of everything shows", () => {
  using lab = scene();
  const { routes } = lab.node;
  const all = listNeighbours(routes);
  for (const seen of all) {
    assertEquals(findNeighbour(routes, seen.ifIndex, seen.ip), seen);
  }
  assert(all.length >= 3);
});

Deno.test("findNeighbour() finds nothing where nothing is", () => {
  using lab = scene();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  assertEquals(findNeighbour(routes, ifIndex, "10.0.0.3"), undefined);
  assertEquals(findNeighbour(routes, ifIndex, "fd00::3"), undefined);
  assertEquals(findNeighbour(routes, NO_LINK, "10.0.0.1"), undefined);
});
