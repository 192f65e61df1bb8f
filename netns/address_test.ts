import { assert, assertEquals } from "@std/assert";
import {
  addAddress,
  deleteAddress,
  listAddresses,
  replaceAddress,
} from "./address.ts";
import { Lab, refusalOf } from "./lab.ts";
import { setLink } from "./link.ts";

/** An index that no link has. */
const MISSING = 999;

/** A lab whose ENI is up. */
function openLab(): Lab {
  const lab = new Lab();
  setLink(lab.node.routes, lab.eni.ifIndex, { up: true });
  return lab;
}

for (const cidr of ["10.0.0.10/32", "fd00::10/128"]) {
  Deno.test(`addAddress() and deleteAddress() work with ${cidr}`, () => {
    using lab = openLab();
    const { routes } = lab.node;
    const address = { ifIndex: lab.eni.ifIndex, cidr };
    const held = (): boolean =>
      listAddresses(routes).some((seen) =>
        seen.cidr === cidr && seen.ifIndex === address.ifIndex
      );
    addAddress(routes, address);
    assert(held());
    assertEquals(refusalOf(() => addAddress(routes, address)), "EEXIST");
    replaceAddress(routes, address);
    deleteAddress(routes, address);
    assert(!held());
    assertEquals(
      refusalOf(() => deleteAddress(routes, address)),
      "EADDRNOTAVAIL",
    );
    assertEquals(
      refusalOf(() => addAddress(routes, { ...address, ifIndex: MISSING })),
      "ENODEV",
    );
  });
}

Deno.test("addAddress() gives an IPv6 address that is usable at once", () => {
  using lab = openLab();
  const { ifIndex } = lab.eni;
  addAddress(lab.node.routes, { ifIndex, cidr: "fd00::10/128" });
  const shown = lab.node.ip("-6", "address", "show", "tentative");
  assert(!shown.includes("fd00::10"), shown);
});
