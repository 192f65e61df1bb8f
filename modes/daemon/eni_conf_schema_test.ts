import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, type DaemonConfig, decodeConfig } from "./config.ts";
import { KEYS } from "./eni_conf_schema.ts";
import { LEGACY, UNBUILT_KEYS, UNREAD } from "./eni_conf_support.ts";

/** A key, a value that it takes, what of it is seen, and one it refuses. */
interface Case {
  readonly good: unknown;
  readonly seen: Partial<DaemonConfig>;
  readonly bad: unknown;
  readonly rule: string;
  /** What must stand beside it. */
  readonly beside?: Readonly<Record<string, unknown>>;
}

const NUMBER = "must be a number without quotes";
const SWITCH = "must be true or false without quotes";
const ID = "must be an id: 1 to 64 letters, digits, - . or _";
const DURATION = `must be a duration such as "10m" or "1h30m"`;

const CASES: Readonly<Record<string, Case>> = Object.freeze({
  version: { good: "1", seen: {}, bad: 1, rule: `must be "1"` },
  region_id: {
    good: "cn-hangzhou",
    seen: { region: "cn-hangzhou" },
    bad: "",
    rule: ID,
  },
  access_key: {
    good: "LTAI1",
    beside: { access_secret: "s" },
    seen: {},
    bad: "replace your access key id",
    rule: "must be 1 to 128 characters without blanks",
  },
  access_secret: {
    good: "s",
    beside: { access_key: "k" },
    seen: {},
    bad: 5,
    rule: "must be a text: put it into quotes",
  },
  credential_path: {
    good: "/var/addon/token-config",
    seen: { credentialPath: "/var/addon/token-config" },
    bad: "token-config",
    rule: "must be an absolute path",
  },
  resource_group_id: {
    good: "rg-1",
    seen: { resourceGroupId: "rg-1" },
    bad: ["rg-1"],
    rule: "must be a text",
  },
  service_cidr: {
    good: "172.21.0.0/20,fd00::/108",
    seen: { serviceCidrs: { v4: "172.21.0.0/20", v6: "fd00::/108" } },
    bad: "172.21.0.1/20",
    rule: "must have no host bits: 172.21.0.0/20 is the prefix",
  },
  vswitches: {
    good: { a: "vsw-1", b: ["vsw-2"] },
    seen: { vSwitches: { a: ["vsw-1"], b: ["vsw-2"] } },
    bad: ["vsw-1"],
    rule: "must be an object of keys and values",
  },
  vswitch_selection_policy: {
    good: "most",
    seen: { vSwitchPolicy: "most" },
    bad: "least",
    rule: `must be "ordered" or "random" or "most"`,
  },
  security_group: {
    good: "sg-1",
    beside: { security_groups: ["sg-2", "sg-1"] },
    seen: { securityGroupIds: ["sg-1", "sg-2"] },
    bad: "your sg",
    rule: ID,
  },
  security_groups: {
    good: ["a", "b", "c", "d", "e"],
    seen: { securityGroupIds: ["a", "b", "c", "d", "e"] },
    beside: { security_group: "a" },
    bad: ["b", "c", "d", "e", "f"],
    rule: "must be at most 5 together with security_group",
  },
  eni_tags: {
    good: { team: "net" },
    seen: { eniTags: { team: "net" } },
    bad: Object.fromEntries(
      Array.from({ length: 17 }, (_, i) => [`k${i}`, ""]),
    ),
    rule: "must have 0 to 16 tags",
  },
  eni_tag_filter: {
    good: { mine: "" },
    seen: { adoptTags: { mine: "" } },
    bad: {},
    rule: "must have 1 to 20 tags",
  },
  eni_tag_block_list: {
    good: [{ key: "a", value: "b" }],
    seen: { blockTags: [{ key: "a", value: "b" }] },
    bad: { a: "b" },
    rule: "must be a list",
  },
  prefix: {
    good: "eth",
    seen: { adoptPrefix: "eth" },
    bad: "a/b",
    rule: "must be what links' names begin with: 1 to 15 letters, digits, " +
      "- . or _",
  },
  hot_plug: {
    good: "0",
    seen: { hotPlug: false },
    bad: "no",
    rule: "must be true or false",
  },
  max_pool_size: {
    good: 1000,
    seen: { maxPoolCount: 1000 },
    bad: 1001,
    rule: "must be at most 1000",
  },
  min_pool_size: {
    good: 5,
    seen: { minPoolCount: 5 },
    bad: 6,
    rule: "must not exceed max_pool_size",
  },
  min_eni: {
    good: 2,
    beside: { max_eni: 2 },
    seen: { minEniCount: 2, maxEniCount: 2 },
    bad: 3,
    rule: "must not exceed max_eni",
  },
  max_eni: {
    good: 64,
    seen: { maxEniCount: 64 },
    bad: 65,
    rule: "must be at most 64",
  },
  eni_cap_ratio: {
    good: 0.5,
    seen: { eniCapRatio: 0.5 },
    bad: 0,
    rule: "must be more than 0",
  },
  eni_cap_shift: {
    good: -1,
    seen: { eniCapShift: -1 },
    bad: 0.5,
    rule: "must be a whole number",
  },
  eni_selection_policy: {
    good: "least_ips",
    seen: { eniPolicy: "least_ips" },
    bad: "any",
    rule: `must be "most_ips" or "least_ips"`,
  },
  idle_ip_reclaim_after: {
    good: "1h30m",
    seen: {
      idleReclaim: {
        afterMs: 5_400_000,
        intervalMs: 600_000,
        batchCount: 5,
        jitter: 0.1,
      },
    },
    bad: 90,
    rule: DURATION,
  },
  idle_ip_reclaim_interval: {
    good: "5m",
    beside: { idle_ip_reclaim_after: "10m" },
    seen: {
      idleReclaim: {
        afterMs: 600_000,
        intervalMs: 300_000,
        batchCount: 5,
        jitter: 0.1,
      },
    },
    bad: "1s",
    rule: "must be from 10s to 24h",
  },
  idle_ip_reclaim_batch_size: {
    good: 100,
    seen: {},
    bad: 0,
    rule: "must be at least 1",
  },
  idle_ip_reclaim_jitter_factor: {
    good: "0.2",
    seen: {},
    bad: "half",
    rule: "must be a number from 0 to 1",
  },
  ip_warm_up_size: {
    good: 10,
    seen: { warmUpCount: 10 },
    bad: "10",
    rule: NUMBER,
  },
  ip_pool_sync_period: {
    good: "30s",
    seen: { poolSyncMs: 30_000 },
    bad: "30",
    rule: DURATION,
  },
  ip_stack: {
    good: "dual",
    seen: { ipStack: "dual" },
    bad: "ipv5",
    rule: `must be "ipv4" or "dual" or "ipv6"`,
  },
  ipam_type: {
    good: "",
    seen: { ipam: "default" },
    bad: "crd",
    rule: "isn't built yet",
  },
  enable_eni_trunking: {
    good: true,
    seen: { trunking: true },
    bad: "true",
    rule: SWITCH,
  },
  enable_erdma: {
    good: false,
    seen: { erdma: false },
    bad: "true",
    rule: SWITCH,
  },
  enable_ip_prefix: {
    good: true,
    seen: { prefixes: { minCount: 0 } },
    bad: "true",
    rule: SWITCH,
  },
  ipv4_prefix_count: { good: 7, seen: {}, bad: 51, rule: "must be at most 50" },
  ipv6_prefix_count: { good: 1, seen: {}, bad: 2, rule: "must be at most 1" },
  extra_routes: {
    good: [{ dst: "10.0.0.0/8" }, { dst: "fd07::/64" }, { dst: "10.0.0.0/8" }],
    seen: { extraRoutes: ["10.0.0.0/8", "fd07::/64"] },
    bad: "10.0.0.0/8",
    rule: "must be a list",
  },
  custom_stateful_workload_kinds: {
    good: ["CloneSet"],
    seen: { statefulKinds: ["cloneset"] },
    bad: "CloneSet",
    rule: "must be a list",
  },
  enable_patch_pod_ips: {
    good: false,
    seen: { patchesPodIps: false },
    bad: 1,
    rule: "must be true or false",
  },
  disable_device_plugin: {
    good: true,
    seen: { devicePlugin: false },
    bad: "true",
    rule: SWITCH,
  },
  kube_client_qps: {
    good: 2.5,
    seen: { kubeCallsPerSecond: 2.5 },
    bad: 0,
    rule: "must be more than 0",
  },
  kube_client_burst: {
    good: 20,
    seen: { kubeBurstCount: 20 },
    bad: 2000,
    rule: "must be at most 1000",
  },
  rate_limit: {
    good: {},
    seen: {},
    bad: [],
    rule: "must be an object of keys and values",
  },
  backoff_override: {
    good: { eni_ops: {} },
    seen: {},
    bad: "1s",
    rule: "must be an object of keys and values",
  },
  cluster_id: {
    good: "c1",
    seen: { clusterId: "c1" },
    bad: "",
    rule: "must have a length of at least 1",
  },
  fix_host: {
    good: true,
    seen: { fixHost: true },
    bad: "true",
    rule: SWITCH,
  },
  mtu: {
    good: 9000,
    seen: { mtu: 9000 },
    bad: 1279,
    rule: "must be at least 1280",
  },
});

Deno.test("every key takes what it should, and refuses what it shouldn't", () => {
  assertEquals(new Set(Object.keys(CASES)), KEYS);
  for (
    const [key, { good, beside, seen, bad, rule }] of Object.entries(CASES)
  ) {
    const text = JSON.stringify({ ...beside, [key]: good });
    const { config } = decodeConfig(text, key);
    const names = Object.keys(seen) as (keyof DaemonConfig)[];
    const found = Object.fromEntries(names.map((name) => [name, config[name]]));
    assertEquals(found, seen, text);
    const error = assertThrows(
      () => decodeConfig(JSON.stringify({ ...beside, [key]: bad }), key),
      ConfigError,
      undefined,
      key,
    );
    const [first] = error.problems;
    assertEquals(`${first?.path} ${first?.rule}`, `${key} ${rule}`);
  }
});

Deno.test("what isn't built or not read yet is a key, what is gone is none", () => {
  for (const key of [...UNREAD.keys(), ...UNBUILT_KEYS]) {
    assert(KEYS.has(key));
  }
  for (const key of LEGACY) assert(!KEYS.has(key));
});

Deno.test("decodeConfig() warns of each key that nothing reads, and says why", () => {
  assertEquals(UNREAD.size, 4);
  for (const [key, why] of UNREAD) {
    const { good, beside } = CASES[key] ?? {};
    const text = JSON.stringify({ ...beside, [key]: good });
    const { warnings } = decodeConfig(text, "x");
    const warning = `x: ${key} is checked, but has no effect: ${why}`;
    assert(warnings.includes(warning), key);
  }
  assertEquals(decodeConfig(`{"hot_plug":"true"}`, "x").warnings, []);
});

Deno.test("what is told to have no effect yet is read by no part of the daemon", async () => {
  const folder = new URL("./", import.meta.url);
  const texts: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!/\.ts$/.test(name) || /_test|^(config|eni_conf|reload)/.test(name)) {
      continue;
    }
    texts.push(await Deno.readTextFile(new URL(name, folder)));
  }
  const plain = decodeConfig("{}", "x").config;
  for (const key of UNREAD.keys()) {
    const { good, beside } = CASES[key] ?? {};
    const text = JSON.stringify({ ...beside, [key]: good });
    const names = Object.entries(decodeConfig(text, "x").config)
      .filter(([name, value]) =>
        JSON.stringify(value) !== JSON.stringify(Reflect.get(plain, name))
      ).map(([name]) => name);
    const readers = names.filter((name) =>
      texts.some((each) => new RegExp(`\\b[cC]onfig\\.${name}\\b`).test(each))
    );
    assertEquals(readers, [], `${key} has an effect: take it off UNREAD`);
  }
});
