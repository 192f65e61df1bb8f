import { assert, assertEquals, assertThrows } from "@std/assert";
import { tbfSizes } from "./bandwidth.ts";
import { NetlinkError } from "./errno.ts";
import { Lab, refusalOf, type Room, testWhere } from "./lab.ts";
import { addLink } from "./link_add.ts";
import { findLinkByName } from "./link.ts";
import { probe } from "./probe.ts";
import {
  burstBytesOf,
  deleteRootQdisc,
  isTbf,
  rootQdisc,
  setTbf,
} from "./qdisc.ts";
import { deleteRedirect, redirectTarget, setRedirect } from "./tc_redirect.ts";
import { needing, tcBody } from "./tc_message.ts";

const { tbf, redirect } = probe();
/** What `tc` says of a link's root: another opinion than our own. */
interface TcTbf {
  readonly kind: string;
  readonly handle: string;
  readonly options: { readonly rate: number; readonly burst: number };
}

function tcRoot(room: Room, link: string): TcTbf {
  const text = room.run("tc", "-j", "qdisc", "show", "dev", link, "root");
  return JSON.parse(text)[0];
}

function ifIndexOf(room: Room, name: string): number {
  const link = findLinkByName(room.routes, name);
  assert(link !== undefined, name);
  return link.ifIndex;
}

testWhere({
  name: "setTbf() gives a link the rate and burst that tc shows",
  needs: [tbf],
  fn: () => {
    using lab = new Lab();
    const { node, eni } = lab;
    for (const bitsPerSec of [1e3, 1e6, 10e6, 100e6, 1e9, 40e9, 1e12, 1e15]) {
      const sizes = tbfSizes(bitsPerSec, { mtu: 1500 });
      setTbf(node.routes, eni.ifIndex, sizes);
      const { kind, handle, options } = tcRoot(node, "eth1");
      assertEquals([kind, handle], ["tbf", "1:"]);
      assertEquals(options.rate, sizes.bytesPerSec);
      const seen = rootQdisc(node.routes, eni.ifIndex)?.tbf;
      assert(seen !== undefined && isTbf(seen, sizes), `${bitsPerSec}`);
      // To a tick, which is 64 ns.
      const tickBytes = 1 + sizes.bytesPerSec * 64e-9;
      const off = Math.abs(burstBytesOf(seen) - sizes.burstBytes);
      assert(off <= 2 * tickBytes, `${bitsPerSec}: ${off}`);
    }
  },
});

testWhere({
  name: "isTbf() tells a bucket of another rate, burst or limit",
  needs: [tbf],
  fn: () => {
    using lab = new Lab();
    const { routes } = lab.node;
    const { ifIndex } = lab.eni;
    const sizes = tbfSizes(100e6, { mtu: 1500 });
    setTbf(routes, ifIndex, sizes);
    const seen = rootQdisc(routes, ifIndex)?.tbf;
    assert(seen !== undefined && isTbf(seen, sizes));
    for (const key of ["bytesPerSec", "burstBytes", "limitBytes"] as const) {
      assert(!isTbf(seen, { ...sizes, [key]: sizes[key] + 100 }), key);
    }
  },
});

testWhere({
  name: "setTbf() changes a bucket in place: its counters go on",
  needs: [tbf],
  fn: () => {
    using lab = new Lab();
    const { node, eni } = lab;
    setTbf(node.routes, eni.ifIndex, tbfSizes(1e6, { mtu: 1500 }));
    node.ip("link", "set", "eth1", "up");
    node.ip("address", "add", "10.0.0.10/24", "dev", "eth1");
    node.ip("neighbour", "add", "10.0.0.9", "dev", "eth1", "lladdr", eni.mac);
    // Nobody answers; what counts is that it was sent.
    const ping = ["-c1", "-W0.1", "10.0.0.9"];
    assertThrows(() => node.run("ping", ...ping));
    const sent = (): number =>
      JSON.parse(node.run("tc", "-s", "-j", "qdisc", "show", "dev", "eth1"))[0]
        .packets;
    const before = sent();
    assert(before > 0);
    setTbf(node.routes, eni.ifIndex, tbfSizes(2e6, { mtu: 1500 }));
    assert(sent() >= before);
    assertEquals(tcRoot(node, "eth1").options.rate, 250_000);
  },
});

Deno.test("rootQdisc() finds no queue on a new veth, and whose a tc made", () => {
  using lab = new Lab();
  const { node, eni } = lab;
  assertEquals(rootQdisc(node.routes, eni.ifIndex), undefined);
  node.run(
    "tc",
    "qdisc",
    "add",
    "dev",
    "eth1",
    "root",
    "handle",
    "7:",
    "pfifo",
  );
  assertEquals(rootQdisc(node.routes, eni.ifIndex), {
    kind: "pfifo",
    handle: 0x70000,
  });
  deleteRootQdisc(node.routes, eni.ifIndex);
  assertEquals(rootQdisc(node.routes, eni.ifIndex), undefined);
  assertEquals(
    refusalOf(() => deleteRootQdisc(node.routes, eni.ifIndex)),
    "ENOENT",
  );
  assertEquals(refusalOf(() => rootQdisc(node.routes, 999)), "ENODEV");
});

testWhere({
  name:
    "setRedirect() sends all that comes in over another link, and can be changed",
  needs: [redirect],
  fn: () => {
    using lab = new Lab();
    const { node, eni } = lab;
    const { routes } = node;
    const { ifIndex } = eni;
    for (const name of ["ifb-a", "ifb-b"]) {
      addLink(routes, { name, kind: "ifb", up: true });
    }
    assertEquals(redirectTarget(routes, ifIndex), undefined);
    for (const name of ["ifb-a", "ifb-b", "ifb-b"]) {
      const toIndex = ifIndexOf(node, name);
      setRedirect(routes, ifIndex, toIndex);
      assertEquals(redirectTarget(routes, ifIndex), toIndex);
      const said = node.run("tc", "filter", "show", "dev", "eth1", "ingress");
      assertEquals(
        said.match(/Egress Redirect to device [\w-]+/g),
        [`Egress Redirect to device ${name}`],
      );
    }
    deleteRedirect(routes, ifIndex);
    assertEquals(redirectTarget(routes, ifIndex), undefined);
  },
});

Deno.test("needing() says which part the kernel lacks and how it gets it", () => {
  using lab = new Lab();
  const { node, eni } = lab;
  const { ifIndex } = eni;
  const error = assertThrows(
    () =>
      needing(
        () =>
          node.routes.exchange("tc qdisc replace dev eth1 root never", {
            type: 36,
            flags: 0x500,
            body: tcBody(
              { ifIndex, handle: 0x10000, parent: 0xffffffff },
              { kind: "never", options: [] },
            ),
          }),
        { part: "never", modules: "sch_never" },
      ),
    NetlinkError,
  );
  assertEquals(error.errno, "ENOENT");
  assertEquals(
    error.message,
    "Cannot run `tc qdisc replace dev eth1 root never`: ENOENT (this kernel " +
      "has no never, which limits a pod's bandwidth: load sch_never with " +
      "modprobe, or give the pod no limit; Specified qdisc kind is unknown)",
  );
});
