import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { isOurAlias, linkAlias, readAlias, readCardAlias } from "./alias.ts";
import { hostLinkName, type Owner } from "./attachment.ts";

const OWNER: Owner = {
  network: "terway",
  containerId: "c0ffee".repeat(10),
  ifName: "eth0",
};

Deno.test("an alias tells whose a link is, and fits", () => {
  const word = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,250}$/);
  fc.assert(fc.property(word, word, word, (namespace, name, path) => {
    const of = {
      owner: OWNER,
      pod: { namespace, name },
      netns: `/run/netns/${path}`,
    };
    const alias = linkAlias(of);
    assert(new TextEncoder().encode(alias).length <= 255);
    const read = readAlias({ name: hostLinkName(OWNER), alias });
    assertEquals(read?.owner, OWNER);
    assert(read?.pod === undefined || read.pod.name === name);
    assert(read?.netns === undefined || read.netns === of.netns);
  }));
});

Deno.test("an alias is whole for a pod of usual size", () => {
  const of = {
    owner: OWNER,
    pod: { namespace: "kube-system", name: "coredns-7db6d8ff4d-2xk9p" },
    netns: "/run/netns/cni-1c3e6a3b-0b0e-2a8e-3e3f-1e5f0f1d2c3b",
  };
  const link = { name: hostLinkName(OWNER), alias: linkAlias(of) };
  assertEquals(readAlias(link), of);
});

Deno.test("a card's alias is read by the interface's name, and tells whose ADD made it", () => {
  const owner: Owner = { ...OWNER, ifName: "net1" };
  const of = { owner, netns: "/run/netns/web", beside: "eth0" };
  const alias = linkAlias(of);
  assertEquals(readCardAlias({ name: "net1", alias }), of);
  assertEquals(readCardAlias({ name: "eth0", alias }), undefined);
  assertEquals(readAlias({ name: "net1", alias }), undefined);
  assertEquals(readAlias({ name: hostLinkName(owner), alias }), of);
  assert(isOurAlias(alias) && !isOurAlias("uplink") && !isOurAlias(undefined));
});

Deno.test("what isn't our alias tells nothing", () => {
  const name = hostLinkName(OWNER);
  const good = linkAlias({ owner: OWNER });
  assertEquals(readAlias({ name, alias: good }), { owner: OWNER });
  assertEquals(readAlias({ name }), undefined);
  for (
    const alias of [
      "uplink",
      "terway",
      "terway a/b",
      "terway a/b/c/d",
      `${good} a/b /c more`,
      good.replace("eth0", "eth"),
    ]
  ) {
    assertEquals(readAlias({ name, alias }), undefined, alias);
  }
  assertEquals(readAlias({ name: "cali00000000000", alias: good }), undefined);
});
