import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ConflistError,
  type ConflistWish,
  isOurList,
  makeConflist,
  pluginTypes,
  readConflist,
  saysTheSame,
  type Tree,
} from "./conflist.ts";

const WISH: ConflistWish = {
  cniVersion: "1.0.0",
  socket: "/run/terway/terway.sock",
  tombstoneDir: "/var/lib/terway/tombstones",
  hasPortmap: true,
};

const OURS = {
  type: "terway",
  capabilities: { bandwidth: true, portMappings: true },
};

const PORTMAP = { type: "portmap", capabilities: { portMappings: true } };

function list(tree: unknown) {
  return readConflist("f", JSON.stringify(tree));
}

function merged(plugins: readonly unknown[], more: Tree = {}): Tree {
  const earlier = { cniVersion: "0.4.0", name: "terway", plugins, ...more };
  return makeConflist(WISH, list(earlier));
}

Deno.test("makeConflist() makes a list for pods with bandwidth and hostPort", () => {
  assertEquals(makeConflist(WISH), {
    cniVersion: "1.0.0",
    name: "terway",
    plugins: [OURS, PORTMAP],
  });
  assertEquals(makeConflist({ ...WISH, hasPortmap: false })["plugins"], [OURS]);
});

Deno.test("makeConflist() tells the relay what isn't the default", () => {
  const wish = { ...WISH, socket: "/s", tombstoneDir: "/t", hasPortmap: false };
  const told = { ...OURS, "daemon_socket": "/s", "tombstone_dir": "/t" };
  assertEquals(makeConflist(wish)["plugins"], [told]);
  assertEquals(merged([told])["plugins"], [OURS]);
});

Deno.test("makeConflist() keeps what a user chained, in its order", () => {
  const tuning = { type: "tuning", sysctl: { "net.core.somaxconn": "500" } };
  assertEquals(merged([tuning, OURS, { type: "x" }], { disableCheck: true }), {
    cniVersion: "1.0.0",
    name: "terway",
    plugins: [tuning, OURS, { type: "x" }],
    disableCheck: true,
  });
  const own = { mtu: 1400, ...OURS };
  assertEquals(merged([own, { type: "x" }, OURS])["plugins"], [
    own,
    { type: "x" },
  ]);
  const capabilities = { bandwidth: false, portMappings: false, x: true };
  const quiet = { type: "terway", capabilities };
  assertEquals(merged([quiet])["plugins"], [quiet]);
});

Deno.test("makeConflist() leaves shaping to a bandwidth plugin in the chain", () => {
  const shaper = { type: "bandwidth", capabilities: { bandwidth: true } };
  assertEquals(merged([OURS, shaper])["plugins"], [
    { type: "terway", capabilities: { portMappings: true } },
    shaper,
  ]);
});

Deno.test("readConflist() tells every mistake with its place", () => {
  const check = (text: string, problems: readonly string[]): void => {
    const error = assertThrows(
      () => readConflist("/etc/f", text),
      ConflistError,
    );
    assertEquals(error.problems, problems);
  };
  check('{\n  "name": "terway"\n  "plugins": []\n}', [
    `/etc/f: line 3, column 3: this isn't JSON: at "plugins": []`,
  ]);
  check("", [
    "/etc/f: line 1, column 1: this isn't JSON: the text ends too early",
  ]);
  check("[]", ["/etc/f: must be an object: it is []"]);
  check('{"plugins": []}', [
    "/etc/f: name must be a text: it is absent",
    "/etc/f: plugins must be a list of at least one: it is []",
  ]);
  check('{"name": "terway", "plugins": [3, {"type": ""}, {"type": "x"}]}', [
    "/etc/f: plugins[0] must be an object: it is 3",
    '/etc/f: plugins[1].type must be a text: it is ""',
  ]);
});

Deno.test("isOurList() wants our plugin under our network's name", () => {
  const ours = ([name, type]: string[]): boolean =>
    isOurList(list({ name, plugins: [{ type }] }));
  const lists = [["terway", "terway"], ["terway-chainer", "terway"], [
    "terway",
    "bridge",
  ]];
  assertEquals(lists.map(ours), [true, false, false]);
});

Deno.test("pluginTypes() reads lists and single plugins, and forgives the rest", () => {
  assertEquals(pluginTypes('{"type": "terway"}'), ["terway"]);
  assertEquals(pluginTypes('{"plugins": [{"type": "a"}, 3, {}]}'), ["a"]);
  for (const text of ["", "{", "[]", "3", "{}"]) {
    assertEquals(pluginTypes(text), []);
  }
});

Deno.test("saysTheSame() passes over order and layout", () => {
  assert(saysTheSame({ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }));
  assert(!saysTheSame({ a: [1, 2] }, { a: [2, 1] }));
});
