import { assertEquals } from "@std/assert";
import { ConfigError, showPath, showValue } from "./eni_conf_problem.ts";

Deno.test("ConfigError tells every problem in one line", () => {
  const error = new ConfigError("eni_conf", [
    { path: "mtu", rule: "must be a number", value: '"x"', source: "node" },
    { path: "", rule: "must not be empty", value: "" },
  ]);
  assertEquals(
    error.message,
    'Cannot use eni_conf: mtu must be a number, it is "x" (in node); ' +
      "must not be empty",
  );
});

Deno.test("showValue() hides secrets, and what looks like one", () => {
  const look = "LTAI5tAbCdEfGhIjKlMnOpQr";
  const cases: readonly (readonly [unknown, readonly PropertyKey[], string])[] =
    [
      [undefined, ["access_key"], ""],
      ["hush", ["access_key"], "***"],
      ["hush", ["access-secret", 0], "***"],
      [{ access_secret: "hush" }, ["mtu"], "***"],
      ["cn access_secret: hush", ["region_id"], "***"],
      [`cn ${look}`, ["region_id"], '"cn ***"'],
      ["vsw-bp1s5grzef87ikb5zz1px", ["a"], '"vsw-bp1s5grzef87ikb5zz1px"'],
      ["x".repeat(300), ["a"], `"${"x".repeat(199)}…`],
    ];
  for (const [value, path, shown] of cases) {
    assertEquals(showValue(value, path), shown);
  }
});

Deno.test("showPath() writes a path, but no key that holds a secret", () => {
  assertEquals(
    showPath(["vswitches", "cn-hangzhou-a", 1]),
    "vswitches.cn-hangzhou-a[1]",
  );
  assertEquals(showPath(["config", "access_secret"]), "config.access_secret");
  assertEquals(showPath(["eni_tags", "access_key:hush"]), "eni_tags.***");
});
