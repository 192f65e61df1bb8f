/**
 * What must never happen, as tests: who may import whom, and what may stand in
 * a file. ARCHITECTURE.md tells why.
 */
import { assert, assertEquals } from "@std/assert";
import {
  functionsOf,
  type Import,
  importsOf,
  readSources,
  type Source,
} from "./tidy/source.ts";
import { STATUS_DOC, statusDoc, statusKeys } from "./status_doc.ts";

const sources = await readSources();
const modules = sources.filter(({ path }) => path.endsWith(".ts"));
const imports = modules.flatMap(importsOf);

/** Tests beside the code may look further than the code itself. */
const ownImports = imports.filter(({ from }) => !isTest(from));

/** The adapters of clouds: folders of pool/. */
const ADAPTERS = ["pool/alibaba/", "pool/qingcloud/"];

/** The one file of netns/ that everybody may use: addresses, as plain data. */
const LEAF = "netns/ip.ts";

/** The only files that may name something outside the repository, and why. */
const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ["deploy/compile.ts", "looks for an optional base binary"],
]);

const SELF = "tests/tidy_test.ts";

/** Asserts that no import breaks a rule, and shows those that do. */
function forbid(
  among: readonly Import[],
  breaks: (each: Import) => boolean,
): void {
  const offenders = among.filter(breaks).map(({ from, to }) =>
    `${from} imports ${to}`
  );
  assertEquals(offenders, []);
}

/** Asserts that no file matches, and shows the lines that do. */
function forbidText(
  among: readonly Source[],
  pattern: RegExp,
): void {
  const offenders = among.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, at) =>
      pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : []
    )
  );
  assertEquals(offenders, []);
}

/** A test, or what tests of a folder share. */
function isTest(path: string): boolean {
  return path.endsWith("_test.ts") || path.includes("/testing/");
}

function isLocal(path: string): boolean {
  return path.endsWith(".ts") || path.endsWith(".json");
}

/** The folders that `path` lies in: `modes/cni/main.ts` gives `modes/cni/`. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

Deno.test("main.ts imports modes and nothing else", () => {
  const own = ownImports.filter(({ from }) => from === "main.ts");
  assert(own.length > 0);
  forbid(own, ({ to }) => !to.startsWith("modes/") && to !== "deno.json");
});

Deno.test("pool/, netns/ and k8s/ import only themselves and the leaf", () => {
  const layers = ["pool/", "netns/", "k8s/"];
  for (const layer of layers) {
    forbid(
      ownImports.filter(({ from }) => from.startsWith(layer)),
      ({ to }) => isLocal(to) && !to.startsWith(layer) && to !== LEAF,
    );
  }
});

Deno.test("a mode never imports another mode", () => {
  forbid(
    ownImports.filter(({ from }) => /^modes\/\w+\//.test(from)),
    ({ from, to }) =>
      /^modes\/\w+\//.test(to) && !to.startsWith(folderOf(from)),
  );
});

Deno.test("modes/ imports pool/, netns/, k8s/, modes/ and its version", () => {
  forbid(
    ownImports.filter(({ from }) => from.startsWith("modes/")),
    ({ to }) =>
      isLocal(to) && to !== "deno.json" &&
      !/^(modes|pool|netns|k8s)\//.test(to),
  );
});

Deno.test("modes/cni loads nothing: no package, no node: module", () => {
  forbid(
    ownImports.filter(({ from }) =>
      from.startsWith("modes/cni/") || from === "modes/wire.ts"
    ),
    ({ to }) => !to.startsWith("modes/cni/") && to !== "modes/wire.ts",
  );
});

Deno.test("a cloud's adapter sees the contract and itself", () => {
  for (const adapter of ADAPTERS) {
    forbid(
      ownImports.filter(({ from }) => from.startsWith(adapter)),
      ({ to }) =>
        isLocal(to) && !to.startsWith(adapter) && to !== "pool/cloud.ts" &&
        to !== LEAF,
    );
  }
});

Deno.test("only pool/clouds.ts sees the adapters", () => {
  const isInside = (from: string): boolean =>
    ADAPTERS.some((adapter) => from.startsWith(adapter));
  forbid(
    ownImports.filter(({ from }) =>
      from !== "pool/clouds.ts" && !isInside(from) && !from.startsWith("tests/")
    ),
    ({ to }) => ADAPTERS.some((adapter) => to.startsWith(adapter)),
  );
});

Deno.test("no code imports tests/, and tests beside it only the emulators", () => {
  const outside = imports.filter(({ from }) => !from.startsWith("tests/"));
  forbid(
    outside,
    ({ from, to }) =>
      to.startsWith("tests/") &&
      !(isTest(from) && to.startsWith("tests/emulators/")),
  );
});

Deno.test("packages are named in deno.json, and only there", () => {
  forbid(imports, ({ to }) => /^(npm|jsr|https?):/.test(to));
});

Deno.test("only netns/ffi.ts opens libraries", () => {
  const others = modules.filter(({ path }) =>
    path !== "netns/ffi.ts" && path !== SELF
  );
  forbidText(others, /^(?!\s*(\*|\/\/)).*\bDeno\.dlopen\(/);
});

Deno.test("a file is one idea: at most 400 lines, a function 60", () => {
  const code = sources.filter(({ path }) => /\.(ts|c|h)$/.test(path));
  const lengths = code.map(({ path, text }) => ({
    path,
    lineCount: text.split("\n").length - 1,
  }));
  const median = lengths.map(({ lineCount }) => lineCount)
    .sort((a, b) => a - b)[lengths.length >> 1];
  assertEquals(
    lengths.filter(({ lineCount }) => lineCount > 400),
    [],
    `the median is ${median}`,
  );
  const functions = modules.flatMap((source) =>
    functionsOf(source).map((each) => ({ path: source.path, ...each }))
  );
  assertEquals(functions.filter(({ lineCount }) => lineCount > 60), []);
});

Deno.test("a module says what it is", () => {
  const silent = modules.filter(({ path, text }) =>
    !path.endsWith("_test.ts") && !text.includes("@module")
  );
  assertEquals(silent.map(({ path }) => path), []);
});

Deno.test("an unfinished thing names its issue", () => {
  const all = sources.filter(({ path }) => path !== SELF);
  forbidText(all, /\b(TODO(?!\(#\d+\))|FIXME|XXX)\b/);
});

Deno.test("nobody silences the linter without saying why", () => {
  const all = modules.filter(({ path }) => path !== SELF);
  forbidText(all, /deno-lint-ignore(-file)?(?! [\w-]+( [\w-]+)* -- \w)/);
  forbidText(all, /^\s*\/\/ deno-lint-ignore.*\bno-console\b/);
});

Deno.test("no file names a place outside the repository", () => {
  const others = sources.filter(({ path }) =>
    !OUTSIDE.has(path) && path !== SELF
  );
  forbidText(others, /(^|[\s"'`(=:])\/(work|home|root|Users)\//);
  forbidText(others, /\.\.\/shared\b/);
});

Deno.test("no file names a registry's host, or who typed it", () => {
  const others = sources.filter(({ path }) => path !== SELF);
  forbidText(others, /registry\.npmjs\.org|dl\.deno\.land|\bnpm\.jsr\.io\b/);
  forbidText(others, /\b(claude|anthropic|chatgpt|copilot)\b/i);
});

Deno.test("the README speaks both languages", () => {
  const has = (name: string): boolean =>
    sources.some(({ path }) => path === name);
  assertEquals(has("README.zh-CN.md"), has("README.md"));
});

Deno.test("docs/status.md is what the form says", async () => {
  assertEquals(
    await Deno.readTextFile(STATUS_DOC),
    statusDoc(),
    "run deno run -A tests/status_doc.ts --write",
  );
});

Deno.test("each key of the status says what it tells", () => {
  const silent = statusKeys().filter(({ meaning }) => meaning === "");
  assertEquals(silent.map(({ path }) => path), []);
});
