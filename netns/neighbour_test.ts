import { assertEquals, assertThrows } from "@std/assert";
import { Lab, refusalOf } from "./lab.ts";
import { setLink } from "./link.ts";
import {
  addNeighbour,
  addProxyNeighbour,
  deleteNeighbour,
  listNeighbours,
  replaceNeighbour,
} from "./neighbour.ts";

/** A lab whose ENI is up. */
function openLab(): Lab {
  const lab = new Lab();
  setLink(lab.node.routes, lab.eni.ifIndex, { up: true });
  return lab;
}

for (const ip of ["169.254.1.1", "fe80::1"]) {
  Deno.test(`addNeighbour() and deleteNeighbour() work with ${ip}`, () => {
    using lab = openLab();
    const { routes } = lab.node;
    const { ifIndex } = lab.eni;
    const mac = "ee:ff:ff:ff:ff:ff";
    const seen = (): unknown[] =>
      listNeighbours(routes).filter((entry) => entry.ip === ip);
    addNeighbour(routes, { ifIndex, ip, mac });
    assertEquals(seen(), [{ ifIndex, ip, mac, permanent: true }]);
    assertEquals(
      refusalOf(() => addNeighbour(routes, { ifIndex, ip, mac })),
      "EEXIST",
    );
    const other = "ee:ff:ff:ff:ff:fe";
    replaceNeighbour(routes, { ifIndex, ip, mac: other });
    assertEquals(seen(), [{ ifIndex, ip, mac: other, permanent: true }]);
    deleteNeighbour(routes, { ifIndex, ip });
    assertEquals(seen(), []);
    assertEquals(
      refusalOf(() => deleteNeighbour(routes, { ifIndex, ip })),
      "ENOENT",
    );
  });
}

Deno.test("addNeighbour() refuses what is no MAC", () => {
  using lab = openLab();
  const { ifIndex } = lab.eni;
  const neighbour = { ifIndex, ip: "169.254.1.1", mac: "EE:FF" };
  assertThrows(() => addNeighbour(lab.node.routes, neighbour), SyntaxError);
});

Deno.test("addProxyNeighbour() is what iproute2 shows as proxy", () => {
  using lab = openLab();
  const { ifIndex } = lab.eni;
  addProxyNeighbour(lab.node.routes, { ifIndex, ip: "fd00::9" });
  const shown = lab.node.ip("-6", "neighbour", "show", "proxy");
  assertEquals(shown.trim().split(" ").slice(0, 3), ["fd00::9", "dev", "eth1"]);
});
