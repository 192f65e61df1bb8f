import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type Command, readCommand, UsageError, usageOf } from "./arguments.ts";

const PARTS = ["add", "pool"];

function check(line: string, expected: Command): void {
  const words = line.split(" ").filter(Boolean);
  assertEquals(readCommand(words, PARTS), expected);
}

function checkRefused(line: string, message: string): void {
  const words = line.split(" ").filter(Boolean);
  assertThrows(() => readCommand(words, PARTS), UsageError, message);
}

Deno.test("readCommand() reads parts, rounds and the wish for JSON", () => {
  check("", { name: "measure", roundCount: 60, isJson: false });
  check("--json --rounds 7 --only pool,add", {
    name: "measure",
    only: ["pool", "add"],
    roundCount: 7,
    isJson: true,
  });
});

Deno.test("readCommand() measures nothing when it is asked for help", () => {
  check("--help", { name: "help" });
  check("-h --rounds 2", { name: "help" });
});

Deno.test("readCommand() says what it can't understand", () => {
  checkRefused("--round 3", "Cannot understand --round");
  checkRefused("add", "Cannot understand add");
  checkRefused("-x", "Cannot understand -x");
  checkRefused("--rounds 0", "--rounds 0 as it must be 1 to 10000");
  checkRefused("--rounds=-1", "--rounds -1 as it must be");
  checkRefused("--rounds 1.5", "--rounds 1.5 as it must be");
  checkRefused("--rounds 10001", "--rounds 10001 as it must be");
  checkRefused("--rounds=", "--rounds  as it must be");
  checkRefused("--only ad", 'there is no part "ad": there are add, pool');
  checkRefused("--only add,", 'there is no part ""');
  checkRefused("--only=", 'there is no part ""');
});

Deno.test("usageOf() names each part", () => {
  const usage = usageOf([{ name: "pool", title: "the pool's own work" }]);
  assertStringIncludes(usage, "  pool              the pool's own work\n");
});
