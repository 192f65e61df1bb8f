import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConflistError } from "./conflist.ts";
import { CONFLIST, plan, type Seen, type Step, type Wish } from "./plan.ts";

const WISH: Wish = {
  binDir: "/bin",
  confDir: "/net.d",
  socket: "/run/terway/terway.sock",
  tombstoneDir: "/var/lib/terway/tombstones",
  cniVersion: "1.0.0",
  aim: "install",
};

/** Both folders as texts by path; a program's text is what it is. */
type Disk = ReadonlyMap<string, string>;

const WANTED = "our plugin, this version";

function disk(files: Readonly<Record<string, string>>): Disk {
  return new Map(Object.entries(files));
}

function look(files: Disk): Seen {
  const under = (folder: string): [string, string][] =>
    [...files].filter(([path]) => path.startsWith(folder + "/"))
      .map(([path, text]) => [path.slice(folder.length + 1), text]);
  const program = files.get("/bin/terway");
  return {
    folders: ["/bin", "/net.d"],
    programs: under("/bin").map(([name]) => name),
    plugin: program === undefined
      ? "absent"
      : program === WANTED
      ? "wanted"
      : program.startsWith("our")
      ? "ours"
      : "foreign",
    configs: new Map(under("/net.d")),
    isServing: true,
  };
}

/** What the steps do to a disk. */
function carryOut(files: Disk, steps: readonly Step[]): Disk {
  const after = new Map(files);
  const take = (path: string): string => {
    const text = after.get(path);
    assert(text !== undefined, `${path} isn't there`);
    return text;
  };
  for (const step of steps) {
    if (step.kind === "plugin") after.set(step.path, WANTED);
    if (step.kind === "write") after.set(step.path, step.text);
    if (step.kind === "keep") after.set(step.to, take(step.from));
    if (step.kind === "remove") after.delete(step.path);
    if (step.kind === "move") {
      after.set(step.to, take(step.from));
      after.delete(step.from);
    }
  }
  return after;
}

function settle(files: Disk, wish: Wish = WISH): Disk {
  return carryOut(files, plan(look(files), wish).steps);
}

/** What a runtime takes: the first configuration by name. */
function inForce(files: Disk): string | undefined {
  return [...files.keys()].sort().find((path) =>
    /^\/net\.d\/.*\.(conf|conflist|json)$/.test(path)
  );
}

const plugins = fc.subarray(["terway", "portmap", "tuning", "bandwidth"], {
  minLength: 1,
}).map((types) => types.map((type) => ({ type })));

const list = fc.record({
  name: fc.constantFrom("terway", "terway-chainer", "bridge"),
  plugins,
}).map((tree) => JSON.stringify(tree));

const single = fc.constantFrom("terway", "eni", "bridge")
  .map((type) => JSON.stringify({ name: "n", type }));

const disks: fc.Arbitrary<Disk> = fc.record({
  "/bin/terway": fc.constantFrom(WANTED, "our older plugin", "another's"),
  "/bin/portmap": fc.constant("theirs"),
  "/bin/.terway.terway-draft": fc.constant("half a plug"),
  "/net.d/10-terway.conflist": list,
  "/net.d/.10-terway.conflist.terway-draft": fc.constant("{"),
  "/net.d/10-eni.conf": fc.oneof(single, fc.constant("not JSON")),
  "/net.d/10-terway.conf": single,
  "/net.d/05-terway.conflist": list,
  "/net.d/00-multus.conf": fc.constant('{"type":"multus"}'),
  "/net.d/99-loopback.conf": fc.constant('{"type":"loopback"}'),
}, { requiredKeys: [] }).map(disk);

Deno.test("plan() makes ours the network, and moves predecessors aside", () => {
  const before = disk({
    "/bin/terway": "the plugin of a predecessor",
    "/bin/portmap": "theirs",
    "/net.d/10-eni.conf": '{"name":"eni","type":"eni"}',
    "/net.d/10-terway.conf": '{"name":"terway","type":"terway"}',
    "/net.d/99-loopback.conf": '{"type":"loopback"}',
  });
  const after = settle(before);
  assertEquals(inForce(after), "/net.d/10-terway.conflist");
  assertEquals([...after.keys()].sort(), [
    "/bin/portmap",
    "/bin/terway",
    "/bin/terway.terway-saved",
    "/net.d/10-eni.conf.terway-saved",
    "/net.d/10-terway.conf.terway-saved",
    "/net.d/10-terway.conflist",
    "/net.d/99-loopback.conf",
  ]);
  const back = settle(after, { ...WISH, aim: "uninstall" });
  assertEquals(new Map([...back].sort()), new Map([...before].sort()));
});

Deno.test("plan() waits for the daemon before it writes a list", () => {
  const seen = { ...look(new Map()), folders: [], isServing: false };
  assertEquals(plan(seen, WISH).steps.map(({ kind }) => kind), [
    "folder",
    "folder",
    "plugin",
    "wait",
    "write",
  ]);
  const launcher = plan(seen, { ...WISH, aim: "launcher" });
  assertEquals(launcher.steps.map(({ kind }) => kind), ["folder", "plugin"]);
  const done = { ...look(settle(new Map())), isServing: false };
  assertEquals(plan(done, WISH).steps, []);
});

Deno.test("plan() touches nothing when our list can't be read", () => {
  const seen = look(disk({ "/net.d/10-terway.conflist": "{" }));
  for (const aim of ["install", "uninstall"] as const) {
    assertThrows(() => plan(seen, { ...WISH, aim }), ConflistError);
  }
});

Deno.test("plan() leaves another network alone, and says that it is first", () => {
  const files = disk({ "/net.d/00-multus.conf": '{"type":"multus"}' });
  const { steps, notes } = plan(look(files), WISH);
  assertEquals(notes.filter((note) => note.includes("00-multus")).length, 1);
  assert(carryOut(files, steps).has("/net.d/00-multus.conf"));
});

Deno.test("plan() keeps a chain that it takes away", () => {
  const chain = '{"name":"terway","plugins":[{"type":"terway"},{"type":"x"}]}';
  const files = disk({ "/net.d/10-terway.conflist": chain });
  const after = settle(files, { ...WISH, aim: "uninstall" });
  assertEquals([...after], [[`/net.d/${CONFLIST}.terway-removed`, chain]]);
});

Deno.test("plan() goes on from wherever an earlier run was killed", () => {
  fc.assert(fc.property(disks, fc.nat(), (before, cut) => {
    for (const aim of ["install", "uninstall"] as const) {
      const wish = { ...WISH, aim };
      const { steps } = plan(look(before), wish);
      const whole = carryOut(before, steps);
      const part = steps.slice(0, cut % (steps.length + 1));
      const again = settle(carryOut(before, part), wish);
      assertEquals([...again].sort(), [...whole].sort());
      assertEquals(plan(look(whole), wish).steps, []);
    }
  }));
});

Deno.test("plan() never leaves a node without a network in between", () => {
  fc.assert(fc.property(disks, fc.nat(), (before, cut) => {
    const { steps } = plan(look(before), WISH);
    const part = steps.slice(0, cut % (steps.length + 1));
    const after = carryOut(before, part);
    if (inForce(before) !== undefined) assert(inForce(after) !== undefined);
    const path = `/net.d/${CONFLIST}`;
    if (after.get(path) !== before.get(path)) {
      assertEquals(after.get("/bin/terway"), WANTED);
    }
  }));
});

Deno.test("plan() gives back what it found, but a list of ours", () => {
  fc.assert(fc.property(disks, (before) => {
    const after = settle(settle(before), { ...WISH, aim: "uninstall" });
    for (const [path, text] of before) {
      const isOurs = path.endsWith("-draft") || path === "/bin/terway" ||
        path === `/net.d/${CONFLIST}`;
      if (!isOurs) assertEquals(after.get(path), text);
    }
    assert([...after.values()].every((text) => text !== WANTED));
  }));
});
