import { assert, assertEquals, assertThrows } from "@std/assert";
import { getInetConf, setInetConf } from "./conf.ts";
import { NetlinkError } from "./errno.ts";
import { Lab, refusalOf } from "./lab.ts";
import {
  deleteLink,
  deleteLinkAside,
  findLinkByMac,
  findLinkByName,
  listLinks,
  setLink,
} from "./link.ts";
import { addLink, addVeth } from "./link_add.ts";
import { probe } from "./probe.ts";

const MISSING = 999;

Deno.test("addVeth() makes both ends with their MACs and MTUs, the other in its namespace", () => {
  using lab = new Lab();
  const pod = lab.pod();
  addVeth(lab.node.routes, {
    name: "cali1",
    mac: "0e:00:00:00:00:01",
    mtu: 1400,
    up: true,
    peer: {
      name: "eth0",
      mac: "0a:00:00:00:00:01",
      mtu: 1400,
      namespace: pod.namespace,
    },
  });
  const host = findLinkByName(lab.node.routes, "cali1");
  const peer = findLinkByName(pod.routes, "eth0");
  const { ifIndex: _host, ...hostRest } = host ?? {};
  const { ifIndex: _peer, ...peerRest } = peer ?? {};
  const common = { mtu: 1400, kind: "veth" };
  assertEquals(hostRest, {
    name: "cali1",
    mac: "0e:00:00:00:00:01",
    up: true,
    ...common,
  });
  assertEquals(peerRest, {
    name: "eth0",
    mac: "0a:00:00:00:00:01",
    up: false,
    ...common,
  });
});

Deno.test("addVeth() refuses a name that is taken at either end and makes nothing", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const end = { name: "a0", mac: "02:00:00:00:00:01" };
  const peer = { name: "a1", mac: "02:00:00:00:00:02" };
  const before = listLinks(routes);
  const check = (name: string, peerName: string): void =>
    assertEquals(
      refusalOf(() =>
        addVeth(routes, { ...end, name, peer: { ...peer, name: peerName } })
      ),
      "EEXIST",
    );
  check("eth1", "a1");
  check("a0", "eth1");
  assertEquals(listLinks(routes), before);
});

Deno.test("addVeth() refuses a name that libnl would cut", () => {
  using lab = new Lab();
  const peer = { name: "a1", mac: "02:00:00:00:00:02" };
  const check = (name: string): void => {
    const wish = { name, mac: "02:00:00:00:00:01", peer };
    assertThrows(() => addVeth(lab.node.routes, wish), RangeError, "15 bytes");
  };
  check("sixteen-bytes-it");
  check("");
});

Deno.test("findLinkByMac() finds a link, and listLinks() shows all", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  assertEquals(findLinkByMac(routes, "00:16:3e:00:00:01"), lab.eni);
  assertEquals(findLinkByMac(routes, "00:16:3e:00:00:99"), undefined);
  assertEquals(findLinkByName(routes, "never"), undefined);
  assertEquals(listLinks(routes).map(({ name }) => name), ["lo", "eth1"]);
});

Deno.test("setLink() changes what it is told and leaves the rest", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  setLink(routes, ifIndex, { up: true, mtu: 1400, alias: "eni-1" });
  assertEquals(findLinkByName(routes, "eth1"), {
    ...lab.eni,
    up: true,
    mtu: 1400,
    alias: "eni-1",
  });
  setLink(routes, ifIndex, { up: false, name: "eth9" });
  setLink(routes, ifIndex, { mac: "00:16:3e:00:00:09" });
  assertEquals(findLinkByName(routes, "eth9"), {
    ...lab.eni,
    name: "eth9",
    mac: "00:16:3e:00:00:09",
    mtu: 1400,
    alias: "eni-1",
  });
});

Deno.test("setLink() up leaves other flags alone", () => {
  using lab = new Lab();
  const { ifIndex } = lab.eni;
  setLink(lab.node.routes, ifIndex, { arp: false });
  setLink(lab.node.routes, ifIndex, { up: true });
  const shown = lab.node.ip("link", "show", "eth1");
  assert(/NOARP/.test(shown) && /\bUP\b/.test(shown), shown);
});

Deno.test("setLink() moves a link into a namespace under another name", () => {
  using lab = new Lab();
  const pod = lab.pod();
  const { namespace } = pod;
  setLink(lab.node.routes, lab.eni.ifIndex, { namespace, name: "eth0" });
  assertEquals(findLinkByName(lab.node.routes, "eth1"), undefined);
  assertEquals(findLinkByName(pod.routes, "eth0")?.mac, lab.eni.mac);
});

Deno.test("setLink() says what the kernel refuses, in its own words", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  assertEquals(
    refusalOf(() => setLink(routes, MISSING, { up: true })),
    "ENODEV",
  );
  assertEquals(
    refusalOf(() => setLink(routes, lab.eni.ifIndex, { name: "lo" })),
    "EEXIST",
  );
  const error = assertThrows(
    () => setLink(routes, lab.eni.ifIndex, { mtu: 20 }),
    NetlinkError,
  );
  assertEquals(error.errno, "EINVAL");
  assertEquals(error.op, `ip link set dev #${lab.eni.ifIndex} mtu 20`);
  assertEquals(error.detail, "mtu less than device minimum");
});

Deno.test("deleteLink() takes both ends away, once", () => {
  using lab = new Lab();
  const { ifIndex } = lab.eni;
  deleteLink(lab.node.routes, ifIndex);
  assertEquals(findLinkByName(lab.vpc.routes, "vpc-eth1"), undefined);
  assertEquals(refusalOf(() => deleteLink(lab.node.routes, ifIndex)), "ENODEV");
});

Deno.test("deleteLinkAside() leaves this thread free, and rejects for a link that is gone", async () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  let turnCount = 0;
  const timer = setInterval(() => turnCount++, 1);
  await deleteLinkAside(routes, ifIndex);
  clearInterval(timer);
  assertEquals(findLinkByName(routes, "eth1"), undefined);
  assert(turnCount > 0, "no timer fired while the link was being deleted");
  const error = await deleteLinkAside(routes, ifIndex).catch((error) => error);
  assertEquals(error.errno, "ENODEV");
});

Deno.test("setInetConf() sets by netlink what sysctl shows", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const { ifIndex } = lab.eni;
  const conf = { forwarding: 1, proxyArp: 1, rpFilter: 2, acceptLocal: 1 };
  setInetConf(routes, ifIndex, conf);
  assertEquals(getInetConf(routes, ifIndex), conf);
  assertEquals(getInetConf(routes, "eth1"), conf);
  const shown = lab.node.run(
    "sysctl",
    "-n",
    ...["forwarding", "proxy_arp", "rp_filter", "accept_local"]
      .map((key) => `net.ipv4.conf.eth1.${key}`),
  );
  assertEquals(shown.trim().split("\n"), ["1", "1", "2", "1"]);
  setInetConf(routes, ifIndex, { rpFilter: 0 });
  assertEquals(getInetConf(routes, ifIndex), { ...conf, rpFilter: 0 });
  assertEquals(getInetConf(routes, "never"), undefined);
});

const { links } = probe();
for (const kind of ["vlan", "ipvlan", "ifb"] as const) {
  const capability = links[kind];
  const suffix = capability.can ? "" : ` (skipped: ${capability.reason})`;
  Deno.test({
    name: `addLink() makes a link of kind ${kind}${suffix}`,
    ignore: !capability.can,
    fn() {
      using lab = new Lab();
      const { routes } = lab.node;
      const parent = kind === "ifb" ? {} : { parent: lab.eni.ifIndex };
      addLink(routes, { name: "new0", kind, vlanId: 7, ...parent });
      assertEquals(findLinkByName(routes, "new0")?.kind, kind);
    },
  });
}

Deno.test("addLink() names a kind that the kernel hasn't", () => {
  using lab = new Lab();
  assertEquals(
    refusalOf(() => addLink(lab.node.routes, { name: "new0", kind: "never" })),
    "EOPNOTSUPP",
  );
});
