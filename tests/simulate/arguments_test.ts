import { assertEquals, assertThrows } from "@std/assert";
import {
  type Command,
  keepList,
  readCommand,
  UsageError,
} from "./arguments.ts";

function check(line: string, expected: Command): void {
  assertEquals(readCommand(line.split(" ").filter(Boolean)), expected);
}

function checkRefused(line: string, message: string): void {
  const words = line.split(" ").filter(Boolean);
  assertThrows(() => readCommand(words), UsageError, message);
}

const ONE: Extract<Command, { name: "one" }> = {
  name: "one",
  seed: 1,
  stepCount: 200,
  keep: undefined,
  without: [],
  isQuiet: false,
  shrinks: true,
};

Deno.test("readCommand() reads one life and many", () => {
  check("--help", { name: "help" });
  check("--crash-points", { name: "crash points", scenario: "" });
  check("--crash-points --scenario late", {
    name: "crash points",
    scenario: "late",
  });
  check("", ONE);
  check("--seed 7 --steps 30", { ...ONE, seed: 7, stepCount: 30 });
  check("--keep 3,17-19 --without slow,kill --quiet --no-shrink", {
    ...ONE,
    keep: new Set([3, 17, 18, 19]),
    without: ["slow", "kill"],
    isQuiet: true,
    shrinks: false,
  });
  const many = { stepCount: 200, without: [], shrinks: true };
  const name = "many";
  check("--seeds 5..9", { name, firstSeed: 5, lastSeed: 9, ...many });
  check("--seed 5 --count 2", { name, firstSeed: 5, lastSeed: 6, ...many });
  check("--count 3", { name, firstSeed: 1, lastSeed: 3, ...many });
});

Deno.test("readCommand() says what it can't understand", () => {
  checkRefused("again", "Cannot understand again");
  checkRefused("--sed 3", "Cannot understand --sed");
  checkRefused("--seed x", "--seed x as it must be 0 to 4294967295");
  checkRefused("--seed=-1", "--seed -1 as it must be");
  checkRefused("--steps 0", "--steps 0 as it must be 1 to 1000000");
  checkRefused("--seeds 9", "--seeds 9 as it must be A..B");
  checkRefused("--seeds 9..3", "--seeds 3 as it must be 9 to 4294967295");
  checkRefused("--seeds 1..2 --count 3", "--seeds with --seed or --count");
  checkRefused("--count 2 --keep 3", "--keep with many seeds");
  checkRefused("--keep 300", "--keep 300 as it must be 0 to 199");
  checkRefused("--scenario late", "--scenario without --crash-points");
  checkRefused("--without rain", "--without rain as it must be one of");
});

Deno.test("keepList() writes what --keep reads", () => {
  assertEquals(keepList([]), "");
  assertEquals(keepList([3, 17, 18, 19, 30]), "3,17-19,30");
});
