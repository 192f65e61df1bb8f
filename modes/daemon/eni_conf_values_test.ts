import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, decodeConfig } from "./config.ts";
import { duration, parseDurationMs } from "./eni_conf_values.ts";

function problems(conf: object): string[] {
  const error = assertThrows(
    () => decodeConfig(JSON.stringify(conf), "eni_conf"),
    ConfigError,
  );
  return error.problems.map((p) => `${p.path}|${p.rule}|${p.value}`);
}

Deno.test("parseDurationMs() reads what Go writes", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1_000],
    ["300ms", 300],
    ["1s500us", 1_001],
    ["2µs", 0],
    ["0s", 0],
    ["", undefined],
    ["0", undefined],
    ["90", undefined],
    ["-5m", undefined],
    ["5 m", undefined],
    ["5d", undefined],
    ["m", undefined],
    ["1h5", undefined],
  ];
  for (const [text, ms] of cases) assertEquals(parseDurationMs(text), ms, text);
});

Deno.test("duration() refuses bounds that are none", () => {
  assertThrows(() => duration("1", "2h"), RangeError, "Cannot bound");
});

Deno.test("hot_plug is read as older manifests write it", () => {
  for (const off of [false, "false", "0", 0]) {
    const text = JSON.stringify({ hot_plug: off });
    assert(!decodeConfig(text, "x").config.hotPlug, text);
  }
  for (const on of [true, "true", "1", 1]) {
    const text = JSON.stringify({ hot_plug: on });
    assert(decodeConfig(text, "x").config.hotPlug, text);
  }
});

Deno.test("service_cidr is an IPv4 prefix, or two of two families", () => {
  const both = "must be an IPv4 prefix, or one, a comma and an IPv6 prefix";
  const cases: readonly (readonly [string, string])[] = [
    ["fd00::/108", both],
    ["fd00::/108,10.0.0.0/16", both],
    ["10.0.0.0/16,10.1.0.0/16", both],
    ["10.0.0.0/16,fd00::/108,fd01::/108", both],
    ["10.0.0.0", "must be a prefix such as 10.1.0.0/16"],
    ["your service cidr", "must be a prefix such as 10.1.0.0/16"],
    ["10.0.0.0/16,", "must be a prefix such as 10.1.0.0/16"],
    [
      "10.0.0.0/16,fd00::1/108",
      "must have no host bits: fd00::/108 is the prefix",
    ],
  ];
  for (const [text, rule] of cases) {
    assertEquals(
      problems({ service_cidr: text }),
      [`service_cidr|${rule}|"${text}"`],
    );
  }
});

Deno.test("vSwitches stand under a zone, each once", () => {
  assertEquals(
    problems({
      vswitches: { a: [], b: ["v", "v"], c: 5, d: ["x y"], "": "v" },
    }),
    [
      "vswitches.a|must have a length of at least 1|[]",
      `vswitches.b|must not name an id twice|["v","v"]`,
      "vswitches.c|must be an id or a list of 1 to 50 ids|5",
      `vswitches.d[0]|must be an id: 1 to 64 letters, digits, - . or _|"x y"`,
      `vswitches.|must not be an empty key|"v"`,
    ],
  );
});

Deno.test("tags obey the rules of ECS, and ours aren't to be set", () => {
  const key = "must have 1 to 128 characters, not begin with aliyun or acs:, " +
    "nor hold http:// or https://";
  assertEquals(
    problems({
      eni_tags: {
        "acs:a": "",
        aliyun1: "",
        "": "",
        ["k".repeat(129)]: "",
        "see http://x": "",
        creator: "me",
        "terway/cluster": "c",
      },
    }).map((each) => each.replace(/^eni_tags\.k+/, "eni_tags.k")),
    [
      `eni_tags.acs:a|${key}|""`,
      `eni_tags.aliyun1|${key}|""`,
      `eni_tags.|${key}|""`,
      `eni_tags.k|${key}|""`,
      `eni_tags.see http://x|${key}|""`,
      `eni_tags.creator|must not be set: terway tells its own ENIs by it|"me"`,
      `eni_tags.terway/cluster|must not be set: terway tells its own ENIs by it|"c"`,
    ],
  );
  assertEquals(
    problems({ eni_tags: { a: "acs:x", b: "v".repeat(129), c: 1 } }).length,
    3,
  );
});

Deno.test("rate_limit and backoff_override change only what they name", () => {
  const { config } = decodeConfig(
    `rate_limit: { CreateNetworkInterface: 60 }
backoff_override: { eni_delete_confirm: { duration: 3s, steps: 9 } }`,
    "x",
  );
  assertEquals(config.callsPerMinute.CreateNetworkInterface, 60);
  assertEquals(config.callsPerMinute.DescribeVSwitches, 300);
  assertEquals(config.backoffs.eni_delete_confirm, {
    initialDelayMs: 1_000,
    pauseMs: 3_000,
    factor: 1.5,
    jitter: 0,
    stepCount: 9,
    maxPauseMs: 4_000,
  });
  assertEquals(
    problems({
      rate_limit: { Foo: 1, CreateNetworkInterface: 0 },
      backoff_override: { foo: {}, eni_ops: { duration: 5, Steps: 1 } },
    }),
    [
      "rate_limit.CreateNetworkInterface|must be at least 1|0",
      "rate_limit.Foo|is no key that is known here|",
      `backoff_override.eni_ops.duration|must be a duration such as "10m" or "1h30m"|5`,
      "backoff_override.eni_ops.Steps|is no key that is known here|",
      "backoff_override.foo|is no key that is known here|",
    ],
  );
});
