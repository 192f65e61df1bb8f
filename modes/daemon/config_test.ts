import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError, decodeConfig } from "./config.ts";

function problems(text: string): string[] {
  const error = assertThrows(() => decodeConfig(text, "eni_conf"), ConfigError);
  return error.problems.map((p) => `${p.path}|${p.rule}|${p.value}`);
}

Deno.test("decodeConfig() fills defaults", () => {
  assertEquals(decodeConfig("{}", "eni_conf"), {
    config: {
      vSwitches: {},
      eniTags: {},
      maxPoolCount: 5,
      minPoolCount: 0,
      clusterId: "default",
      mtu: 1500,
    },
    warnings: [],
  });
});

Deno.test("decodeConfig() takes a zone's vSwitches as a string or a list", () => {
  const { config } = decodeConfig(
    `{"vswitches":{"a":"vsw-1","b":["vsw-2","vsw-3"]},"security_group":"sg-1"}`,
    "eni_conf",
  );
  assertEquals(config.vSwitches, { a: ["vsw-1"], b: ["vsw-2", "vsw-3"] });
  assertEquals(config.securityGroupIds, ["sg-1"]);
});

Deno.test("decodeConfig() tells all problems at once, with path and value", () => {
  assertEquals(
    problems(
      `{"version":"2","max_pool_size":-1,"vswitches":{"a":[""]},"nosuch":1}`,
    ),
    [
      `version|must be 1|"2"`,
      `vswitches.a[0]|must have a length of at least 1|""`,
      `max_pool_size|must be at least 0|-1`,
      `nosuch|is no key of this configuration|`,
    ],
  );
});

Deno.test("decodeConfig() refuses a minimum above the maximum", () => {
  assertEquals(problems(`{"min_pool_size":9}`), [
    "min_pool_size|must not exceed max_pool_size, which is 5|9",
  ]);
});

Deno.test("decodeConfig() refuses half a pair of credentials and doesn't print it", () => {
  const error = assertThrows(
    () => decodeConfig(`{"access_key":"LTAIsecret"}`, "eni_conf"),
    ConfigError,
  );
  assertEquals(error.message.indexOf("LTAIsecret"), -1);
});

Deno.test("decodeConfig() warns of keys without effect", () => {
  assertEquals(
    decodeConfig(`{"prefix":"eth"}`, "eni_conf").warnings,
    ["eni_conf: prefix has no effect any more"],
  );
});

Deno.test("decodeConfig() says where JSON ends to be JSON", () => {
  assertEquals(problems(`{"version": }`).length, 1);
});
