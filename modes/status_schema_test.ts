import { assertEquals } from "@std/assert";
import { statusJsonSchema, statusProblems } from "./status_schema.ts";

Deno.test("statusProblems() names keys that are missing or wrong", () => {
  const problems = statusProblems({ schema: 2, pid: "x" });
  assertEquals(problems.slice(0, 2).map((line) => line.split(":")[0]), [
    "schema",
    "pid",
  ]);
});

Deno.test("statusJsonSchema() is an object's schema with every part", () => {
  const { type, required } = statusJsonSchema() as {
    type: string;
    required: string[];
  };
  assertEquals(type, "object");
  assertEquals(required, [
    "schema",
    "pid",
    "version",
    "memory",
    "node",
    "daemonMode",
    "pool",
    "leases",
  ]);
});
