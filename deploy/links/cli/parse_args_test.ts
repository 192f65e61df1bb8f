import { assertEquals } from "@std/assert";
import { parseArgs } from "./parse_args.ts";

Deno.test("parseArgs() types and reads flags as @std/cli does", () => {
  const args = parseArgs(
    ["--drain", "-c", "a.yml", "--node=n1", "--tag", "x", "--tag=7", "run"],
    {
      boolean: ["drain", "json"],
      string: ["config", "node", "tag", "zone"],
      collect: ["tag"],
      alias: { config: "c" },
      default: { node: "none", "grace-seconds": 5 },
    },
  );
  const drain: boolean = args.drain;
  const node: string = args.node;
  const config: string | undefined = args.config;
  const tags: string[] = args.tag;
  assertEquals({ drain, node, config, tags }, {
    drain: true,
    node: "n1",
    config: "a.yml",
    tags: ["x", "7"],
  });
  assertEquals(args, {
    drain: true,
    json: false,
    config: "a.yml",
    c: "a.yml",
    node: "n1",
    tag: ["x", "7"],
    "grace-seconds": 5,
    _: ["run"],
  });
});

Deno.test("parseArgs() takes the last value unless it collects", () => {
  assertEquals(parseArgs(["-n", "1", "-n", "2"]), { n: 2, _: [] });
  assertEquals(parseArgs(["--n=1"], { default: { n: [3, 4] } }).n, 1);
  assertEquals(parseArgs([], { default: { n: [3, 4] } }).n, [3, 4]);
  assertEquals(parseArgs([], { string: "t", collect: "t" }).t, []);
  assertEquals(parseArgs(["-x", "1"], { collect: "x" }).x, [1]);
});

Deno.test("parseArgs() negates only what is negatable", () => {
  assertEquals(parseArgs(["--no-a"], { boolean: ["a"] }), {
    a: false,
    "no-a": true,
    _: [],
  });
  const negated = parseArgs(["--a", "--no-a"], {
    boolean: ["a"],
    negatable: ["a"],
  });
  assertEquals(negated, { a: false, _: [] });
  const plain = parseArgs(["--no-a", "rest"], { boolean: ["no-a"] });
  assertEquals(plain, { "no-a": true, _: ["rest"] });
});

Deno.test("parseArgs() keeps what follows -- and what follows a command", () => {
  const args = ["run", "-x", "--", "--no-y", "z"];
  assertEquals(parseArgs(args, { "--": true, boolean: ["x"] }), {
    x: true,
    _: ["run"],
    "--": ["--no-y", "z"],
  });
  assertEquals(parseArgs(["run", "-x"], { stopEarly: true })._, ["run", "-x"]);
});

Deno.test("parseArgs() tells what is unknown", () => {
  const told: unknown[][] = [];
  const args = parseArgs(["--yes", "--no-what", "--odd=1", "file"], {
    boolean: ["yes"],
    unknown: (...seen) => {
      told.push(seen);
      return false;
    },
  });
  assertEquals(
    told.map(([arg, key]) => [arg, key]),
    [
      ["--no-what", "no-what"],
      ["--odd=1", "odd"],
      ["file", undefined],
    ].slice(0, told.length),
  );
  assertEquals(args, { yes: true, _: [] });
});
