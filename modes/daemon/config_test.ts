import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ConfigError,
  type ConfigSource,
  decodeConfig,
  decodeConfigs,
} from "./config.ts";
import { CALLS_PER_MINUTE } from "./eni_conf_rates.ts";

function problems(text: string): string[] {
  const error = assertThrows(() => decodeConfig(text, "eni_conf"), ConfigError);
  return error.problems.map((p) => `${p.path}|${p.rule}|${p.value}`);
}

function layered(...texts: readonly string[]): ConfigSource[] {
  return texts.map((text, index) => ({
    name: ["all", "node"][index] ?? "",
    text,
  }));
}

Deno.test("decodeConfig() fills defaults", () => {
  const { config, warnings } = decodeConfig("{}", "eni_conf");
  const { backoffs, ...rest } = config;
  assertEquals(warnings, []);
  assertEquals(backoffs.eni_create, {
    initialDelayMs: 0,
    pauseMs: 10_000,
    factor: 2,
    jitter: 0.3,
    stepCount: 2,
    maxPauseMs: 3_600_000,
  });
  assertEquals(rest, {
    vSwitches: {},
    vSwitchPolicy: "ordered",
    eniTags: {},
    blockTags: [
      { key: "creator", value: "alibabacloud-erdma-controller" },
      { key: "terway.alibabacloud.com/excluded", value: "true" },
    ],
    hotPlug: true,
    maxPoolCount: 5,
    minPoolCount: 0,
    minEniCount: 0,
    eniCapRatio: 1,
    eniCapShift: 0,
    eniPolicy: "most_ips",
    warmUpCount: 0,
    poolSyncMs: 120_000,
    ipStack: "ipv4",
    ipam: "default",
    trunking: false,
    erdma: false,
    extraRoutes: [],
    statefulKinds: [],
    patchesPodIps: true,
    devicePlugin: true,
    kubeCallsPerSecond: 5,
    kubeBurstCount: 10,
    callsPerMinute: CALLS_PER_MINUTE,
    clusterId: "default",
    fixHost: false,
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

Deno.test("decodeConfig() gives what nobody can change", () => {
  const { config } = decodeConfig(`{"vswitches":{"a":["vsw-1"]}}`, "eni_conf");
  const ids = config.vSwitches["a"] as string[];
  assertThrows(() => ids.push("vsw-2"), TypeError);
});

Deno.test("decodeConfig() tells all problems at once, with path and value", () => {
  assertEquals(
    problems(
      `{"version":"2","max_pool_size":-1,"vswitches":{"a":[""]},"nosuch":1,
      "min_pool_size":3,"access_key":"a","ipam_type":"crd"}`,
    ),
    [
      `nosuch|is no key of this configuration|`,
      `version|must be "1"|"2"`,
      `vswitches.a[0]|must be an id: 1 to 64 letters, digits, - . or _|""`,
      `max_pool_size|must be at least 0|-1`,
      `min_pool_size|must not exceed max_pool_size|3`,
      `access_secret|must be given too, as half a pair of credentials is no use|`,
      `ipam_type|isn't built yet|"crd"`,
    ],
  );
});

Deno.test("decodeConfig() names what a person would write", () => {
  assertEquals(problems(`{"max-pool-size": 5, "Prefix": "eth"}`), [
    "max-pool-size|is no key of this configuration: write max_pool_size|",
    "Prefix|is no key of this configuration: write prefix|",
  ]);
});

Deno.test("decodeConfig() reads the form with config:, by its own paths", () => {
  assertEquals(
    problems(`
version: "2"
mtu: 1500
config:
  max_pool_size: x
  security_group: sg-1
  security-group: sg-2
  config: {}
`),
    [
      "mtu|must stand inside config|",
      "config.security-group|stands as config.security_group too|",
      "config.config|is no key of this configuration|",
      `version|must be "1"|"2"`,
      `config.max_pool_size|must be a number without quotes|"x"`,
    ],
  );
  assertEquals(problems(`config: "access_secret: hush"`), [
    "config|must be an object of keys and values|",
  ]);
  assertEquals(decodeConfig("config:\n", "x").config.maxPoolCount, 5);
});

Deno.test("decodeConfig() never tells a secret", () => {
  const texts = [
    `{"access_key":"LTAIhush"}`,
    `{"access_key":"hush","access_secret":["hush"]}`,
    `{"access_secret":{"a":{"b":"hush"}}}`,
    `{"config":{"access_secret":"hush hush"}}`,
    `{"mtu":{"access_secret":"hush"}}`,
    `{"access_secret:hush":1}`,
    `config: "access_secret: hush"`,
    `region_id: 'cn\naccess_secret: hush\nmtu: 1500'`,
    `eni_tags: { "access_secret:hush": 5 }`,
    `vswitches: { a: { "access_secret:hush": 5 } }`,
  ];
  for (const text of texts) {
    const error = assertThrows(() => decodeConfig(text, "x"), ConfigError);
    const told = error.message + JSON.stringify(error.problems);
    assert(!told.includes("hush"), told);
  }
  const { config } = decodeConfig(
    `{"access_key":"id","access_secret":"hush"}`,
    "x",
  );
  assertEquals(config.accessKey?.secret, "hush");
  const shown = Deno.inspect(config) + JSON.stringify(config) +
    String(config.accessKey);
  assert(!shown.includes("hush"));
});

Deno.test("decodeConfig() warns of keys without effect", () => {
  assertEquals(
    decodeConfig(
      `{"enable_eip_pool":"true","idle_ip_reclaim_batch_size":5}`,
      "eni_conf",
    ).warnings,
    [
      "eni_conf: enable_eip_pool has no effect any more",
      "eni_conf: idle_ip_reclaim_batch_size has no effect without " +
      "idle_ip_reclaim_after",
    ],
  );
});

Deno.test("decodeConfig() says where JSON ends to be JSON", () => {
  assertEquals(problems(`{"version": "1" "mtu": 1500}`).length, 1);
  assertEquals(problems(`{"version": "1"`).length, 1);
});

Deno.test("decodeConfigs() lays a node's keys over the cluster's", () => {
  const { config } = decodeConfigs(layered(
    `{"vswitches":{"a":["vsw-1","vsw-2"],"b":"vsw-3"},"max_pool_size":25,
      "min_pool_size":10,"security_group":"sg-1"}`,
    `config:
  vswitches: { a: vsw-9, b: null }
  max_pool_size: 12
  security-group: sg-2`,
  ));
  assertEquals(config.vSwitches, { a: ["vsw-9"] });
  assertEquals([config.maxPoolCount, config.minPoolCount], [12, 10]);
  assertEquals(config.securityGroupIds, ["sg-2"]);
});

Deno.test("decodeConfigs() says which source a problem stands in", () => {
  const error = assertThrows(
    () =>
      decodeConfigs(layered(
        `{"mtu":1,"min_pool_size":9,"nosuch":1}`,
        `{"max_pool_size":3,"vswitches":{"a":5},"typo":null}`,
      )),
    ConfigError,
    "Cannot use all with node: ",
  );
  assertEquals(error.problems.map((p) => `${p.path} ${p.source}`), [
    "nosuch all",
    "typo node",
    "vswitches.a node",
    "mtu all",
    "min_pool_size all",
  ]);
});

Deno.test("decodeConfigs() doesn't guess at the sum when a part can't be read", () => {
  const error = assertThrows(
    () => decodeConfigs(layered(`{"min_pool_size":9}`, `{"max_pool_size":`)),
    ConfigError,
  );
  assertEquals(error.problems.map(({ source }) => source), ["node"]);
});
