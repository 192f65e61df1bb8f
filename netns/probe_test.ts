import { assert, assertEquals } from "@std/assert";
import { Lab } from "./lab.ts";
import { LINK_KINDS, type LinkKind, probe } from "./probe.ts";

/** How `ip` makes a link of a kind: another opinion than our own. */
const WORDS: Readonly<Record<LinkKind, string>> = {
  veth: "link add a0 type veth peer name a1",
  vlan: "link add a0 link eth1 type vlan id 2",
  ipvlan: "link add a0 link eth1 type ipvlan",
  ifb: "link add a0 type ifb",
};

for (const kind of LINK_KINDS) {
  Deno.test(`probe() says of ${kind} what iproute2 finds`, () => {
    const capability = probe().links[kind];
    using lab = new Lab();
    let can = true;
    try {
      lab.node.ip(...WORDS[kind].split(" "));
    } catch {
      can = false;
    }
    assertEquals(capability.can, can);
    assert(capability.can || capability.reason.includes(kind));
  });
}

/** How `tc` does it; `ifb0` is there when it can be. */
const TC_WORDS = {
  tbf: ["qdisc replace dev eth1 root tbf rate 1mbit burst 5000b limit 9000b"],
  redirect: [
    "qdisc replace dev eth1 clsact",
    "filter replace dev eth1 ingress u32 match u32 0 0 " +
    "action mirred egress redirect dev ifb0",
  ],
} as const;

for (const part of ["tbf", "redirect"] as const) {
  Deno.test(`probe() says of bandwidth by ${part} what iproute2 finds`, () => {
    const capability = probe()[part];
    using lab = new Lab();
    let can = true;
    try {
      if (part === "redirect") {
        lab.node.ip("link", "add", "ifb0", "type", "ifb");
      }
      for (const words of TC_WORDS[part]) {
        lab.node.run("tc", ...words.split(" "));
      }
    } catch {
      can = false;
    }
    assertEquals(capability.can, can);
  });
}

Deno.test("probe() leaves nothing behind", () => {
  const folder = Deno.makeTempDirSync();
  probe(folder);
  assertEquals([...Deno.readDirSync(folder)], []);
  Deno.removeSync(folder);
});

Deno.test("probe() says why a process without rights can do nothing", async () => {
  const folder = await Deno.makeTempDir();
  const script = `
    import { probe } from "${new URL("./probe.ts", import.meta.url)}";
    console.log(JSON.stringify(probe("${folder}")));`;
  const output = await new Deno.Command("setpriv", {
    args: [
      "--bounding-set=-sys_admin",
      "--inh-caps=-sys_admin",
      Deno.execPath(),
      "eval",
      script,
    ],
    cwd: import.meta.dirname ?? ".",
  }).output();
  const { namespaces, links } = JSON.parse(
    new TextDecoder().decode(output.stdout),
  );
  await Deno.remove(folder);
  assertEquals(namespaces.can, links.veth.can);
  assert(!namespaces.can && namespaces.reason.includes("EPERM"), namespaces);
});
