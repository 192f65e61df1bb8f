import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import {
  addressesOf,
  type Attachment,
  hostLinkName,
  type Owner,
  ownerKey,
  vethMacs,
} from "./attachment.ts";

const WEB: Owner = {
  network: "terway",
  containerId: "c0ffee",
  ifName: "eth0",
};

const ATTACHMENT: Attachment = {
  recipe: "veth/1",
  owner: WEB,
  pod: { namespace: "default", name: "web-0" },
  netns: "/run/netns/web",
  ip: "10.0.0.20",
  eni: {
    id: "eni-1",
    mac: "00:16:3e:00:00:01",
    ifIndex: 2,
    gateway: "10.0.0.253",
    subnet: "10.0.0.0/24",
  },
  mtu: 1500,
};

const part = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,30}$/);
const anyOwner = fc.record({ network: part, containerId: part, ifName: part });

Deno.test("ownerKey() tells every two owners apart", () => {
  assertEquals(ownerKey(WEB), "terway/c0ffee/eth0");
  fc.assert(fc.property(anyOwner, anyOwner, (a, b) => {
    const same = a.network === b.network && a.ifName === b.ifName &&
      a.containerId === b.containerId;
    assertEquals(ownerKey(a) === ownerKey(b), same);
  }));
});

Deno.test("hostLinkName() fits into a link's name for every owner", () => {
  fc.assert(fc.property(anyOwner, (owner) => {
    assertMatch(hostLinkName(owner), /^cali[0-9a-f]{11}$/);
  }));
});

Deno.test("hostLinkName() differs for the successor of a pod of the same name", () => {
  const successor = { ...WEB, containerId: "c0ffef" };
  assertNotEquals(hostLinkName(WEB), hostLinkName(successor));
});

Deno.test("vethMacs() gives two local unicast addresses for every owner", () => {
  fc.assert(fc.property(anyOwner, (owner) => {
    const { host, pod } = vethMacs(owner);
    assertMatch(host, /^0e(:[0-9a-f]{2}){5}$/);
    assertMatch(pod, /^0a(:[0-9a-f]{2}){5}$/);
  }));
});

Deno.test("the names in the kernel stay as journals of older versions have them", () => {
  assertEquals(hostLinkName(WEB), "cali04d39ba6bad");
  assertEquals(vethMacs(WEB), {
    host: "0e:e5:97:a8:5c:31",
    pod: "0a:e5:97:a8:5c:31",
  });
});

Deno.test("addressesOf() reads a journal from before there were two", () => {
  assertEquals(addressesOf(ATTACHMENT), ["10.0.0.20"]);
  const ips = ["10.0.0.20", "fd00::20"];
  assertEquals(addressesOf({ ...ATTACHMENT, ips }), ips);
});
