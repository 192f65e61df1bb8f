import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { livingObjectCount } from "./ffi.ts";
import { fromError, toError } from "./kernel_wire.ts";
import { Lab, testWhere } from "./lab.ts";
import {
  legacyTables,
  type NftCommand,
  NftError,
  type NftObject,
  openNft,
} from "./nft.ts";
import { type Capability, probe } from "./probe.ts";

const needs = [probe().nft];

const TABLE = { family: "ip", name: "filter" };
const CHAIN = {
  family: "ip",
  table: "filter",
  name: "FORWARD",
  type: "filter",
  hook: "forward",
  prio: 0,
};

const LIST: NftCommand = { list: { chains: null } };

/** What `chain` has of each listed object. */
function policies(objects: readonly NftObject[]): unknown[] {
  return objects.map(({ chain }) => (chain as { policy?: string }).policy);
}

testWhere({
  needs,
  name: "Nft.run() makes, lists and changes what the nft command shows",
  fn: () => {
    using lab = new Lab();
    using nft = openNft(lab.node.namespace);
    assertEquals(nft.run([LIST]), []);
    const made = nft.run([
      { add: { table: TABLE } },
      { add: { chain: { ...CHAIN, policy: "drop" } } },
    ]);
    assertEquals(made, []);
    assertStringIncludes(
      lab.node.run("nft", "list", "ruleset"),
      "type filter hook forward priority filter; policy drop;",
    );
    assertEquals(policies(nft.run([LIST])), ["drop"]);
    // The command that preflight tells people.
    lab.node.run("nft", "chain ip filter FORWARD { policy accept ; }");
    assertEquals(policies(nft.run([LIST])), ["accept"]);
    nft.run([{ add: { chain: { ...CHAIN, policy: "drop" } } }]);
    assertEquals(policies(nft.run([LIST])), ["drop"]);
    const both = nft.run([{ list: { tables: null } }, LIST]);
    assertEquals(both.flatMap(Object.keys), ["table", "chain"]);
  },
});

testWhere({
  needs,
  name: "Nft.run() leaves nothing of a run that is refused, and works on",
  fn: () => {
    using lab = new Lab();
    using nft = openNft(lab.node.namespace);
    const gone = { delete: { table: { family: "ip", name: "never" } } };
    const error = assertThrows(
      () => nft.run([{ add: { table: TABLE } }, gone]),
      NftError,
      "Cannot carry nft commands out: Could not process rule: No such file",
    );
    assertEquals(error.kind, "refused");
    assertStringIncludes(error.message, '"never"');
    const unknown = assertThrows(() => nft.run([{ frob: 1 }]), NftError);
    assertEquals(unknown.kind, "refused");
    assertEquals(nft.run([{ list: { tables: null } }]), []);
  },
});

testWhere({
  needs,
  name: "openNft() serves its namespace and no other, and frees what it took",
  fn: () => {
    using lab = new Lab();
    const before = livingObjectCount();
    for (let i = 0; i < 3; i++) {
      using node = openNft(lab.node.namespace);
      using vpc = openNft(lab.vpc.namespace);
      node.run([{ add: { table: TABLE } }]);
      assertEquals(vpc.run([{ list: { tables: null } }]), []);
      node.run([{ delete: { table: TABLE } }]);
    }
    assertEquals(livingObjectCount(), before);
  },
});

testWhere({
  needs,
  name: "a rule by a link's index means the link of its own namespace",
  fn: () => {
    using lab = new Lab();
    using nft = openNft(lab.node.namespace);
    const meta = { meta: { key: "iif" } };
    const match = { match: { op: "==", left: meta, right: "eth1" } };
    const at = { family: "ip", table: "filter", chain: "FORWARD" };
    nft.run([
      { add: { table: TABLE } },
      { add: { chain: CHAIN } },
      { add: { rule: { ...at, expr: [match, { accept: null }] } } },
    ]);
    assertStringIncludes(lab.node.run("nft", "list", "ruleset"), 'iif "eth1"');
  },
});

/** Whether a table of the older filter can be made here. */
const legacy = attempt(() => {
  using lab = new Lab();
  lab.node.run("iptables-legacy", "-t", "filter", "-L");
});

testWhere({
  needs: [legacy],
  name: "legacyTables() names what is in use, and nothing before",
  fn: () => {
    using lab = new Lab();
    const { node } = lab;
    assertEquals(legacyTables(node.namespace), { v4: [], v6: [] });
    node.run("iptables-legacy", "-t", "filter", "-L");
    assertEquals(legacyTables(node.namespace), { v4: ["filter"], v6: [] });
    assertEquals(legacyTables(lab.vpc.namespace), { v4: [], v6: [] });
  },
});

function attempt(work: () => void): Capability {
  try {
    work();
    return { can: true };
  } catch (error) {
    return { can: false, reason: String(error) };
  }
}

Deno.test("an NftError keeps its kind on its way from the kernel's thread", () => {
  const sent = new NftError("noKernel", "Cannot use nftables: none");
  const error = toError(structuredClone(fromError(sent)));
  assertInstanceOf(error, NftError);
  assertEquals([error.kind, error.message], [sent.kind, sent.message]);
});

/** Opens nftables in a process of its own; says what kind of error came. */
async function openElsewhere(
  ...wrap: readonly [string, ...string[]]
): Promise<string> {
  const [program, ...args] = wrap;
  const script = `
    import { openNft } from "${new URL("./nft.ts", import.meta.url)}";
    try { openNft(); console.log("open"); }
    catch (error) { console.log(error.name, error.kind, error.message); }`;
  const output = await new Deno.Command(program, {
    args: [...args, Deno.execPath(), "eval", script],
    cwd: import.meta.dirname ?? ".",
  }).output();
  return new TextDecoder().decode(output.stdout).trim();
}

Deno.test("openNft() says `noLibrary`, and what to install, without the library", async () => {
  // In a mount namespace of its own, where an empty file hides the library.
  const hide = `
    library=$(ldconfig -p | awk '/libnftables.so.1/ { print $NF; exit }')
    { [ -z "$library" ] || mount --bind /dev/null "$library"; } && exec "$@"`;
  const said = await openElsewhere("unshare", "--mount", "sh", "-c", hide, "-");
  assertStringIncludes(
    said,
    "NftError noLibrary Cannot open libnftables.so.1: ",
  );
  assertStringIncludes(said, "install libnftables1 (Debian) or nftables (RPM)");
});

Deno.test("openNft() says `denied` to a process without CAP_NET_ADMIN", async () => {
  const drop = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"];
  const said = await openElsewhere("setpriv", ...drop);
  assert(
    said.startsWith("NftError denied") || said.startsWith("NftError noKernel"),
    said,
  );
});
