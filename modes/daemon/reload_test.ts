import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DaemonConfig, decodeConfig } from "./config.ts";
import { planReload } from "./reload.ts";

function decode(conf: object): DaemonConfig {
  return decodeConfig(JSON.stringify(conf), "eni_conf").config;
}

function outcome(old: object, next: object): [string[], string[]] {
  const { apply, refused } = planReload(decode(old), decode(next));
  return [
    apply.map(({ field, from, to }) =>
      `${field}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`
    ),
    refused.map(({ field }) => field),
  ];
}

Deno.test("planReload() applies what is safe, with old and new value", () => {
  const cases: readonly (readonly [object, object, string])[] = [
    [{}, { max_pool_size: 9 }, "maxPoolCount: 5 -> 9"],
    [{}, { min_pool_size: 1 }, "minPoolCount: 0 -> 1"],
    [
      { vswitches: { a: ["v", "w"] } },
      { vswitches: { a: ["w", "v"] } },
      'vSwitches: {"a":["v","w"]} -> {"a":["w","v"]}',
    ],
    [
      { security_group: "a" },
      { security_groups: ["a", "b"] },
      'securityGroupIds: ["a"] -> ["a","b"]',
    ],
    [{ security_group: "a" }, {}, 'securityGroupIds: ["a"] -> undefined'],
    [{}, { eni_tags: { k: "v" } }, 'eniTags: {} -> {"k":"v"}'],
    [{}, { hot_plug: "0" }, "hotPlug: true -> false"],
    [{}, { max_eni: 3 }, "maxEniCount: undefined -> 3"],
    [
      {},
      { eni_selection_policy: "least_ips" },
      'eniPolicy: "most_ips" -> "least_ips"',
    ],
    [{}, { ip_pool_sync_period: "1m" }, "poolSyncMs: 120000 -> 60000"],
    [
      {},
      { extra_routes: [{ dst: "10.9.0.0/16" }] },
      'extraRoutes: [] -> ["10.9.0.0/16"]',
    ],
  ];
  for (const [old, next, step] of cases) {
    assertEquals(outcome(old, next), [[step], []]);
  }
});

Deno.test("planReload() refuses what can't change, and says why", () => {
  const keys = { "access_key": "a", "access_secret": "s" };
  const cases: readonly (readonly [object, object, string])[] = [
    [{}, { region_id: "cn-a" }, "region"],
    [{}, keys, "accessKey"],
    [keys, { ...keys, access_secret: "t" }, "accessKey"],
    [{}, { cluster_id: "c" }, "clusterId"],
    [{}, { mtu: 9000 }, "mtu"],
    [{}, { service_cidr: "10.0.0.0/16" }, "serviceCidrs"],
    [{}, { prefix: "eth" }, "adoptPrefix"],
    [{}, { eni_tag_filter: { a: "b" } }, "adoptTags"],
    [{}, { disable_device_plugin: true }, "devicePlugin"],
  ];
  for (const [old, next, field] of cases) {
    assertEquals(outcome(old, next), [[], [field]]);
    const [refusal] = planReload(decode(old), decode(next)).refused;
    assert(refusal !== undefined && /restart/.test(refusal.why));
  }
});

Deno.test("planReload() sees no change in another order of keys or groups", () => {
  const old = {
    vswitches: { a: "v", b: "w" },
    "security_groups": ["a", "b"],
    "access_key": "k",
    "access_secret": "s",
    "ip_pool_sync_period": "2m",
  };
  const next = {
    ...old,
    vswitches: { b: ["w"], a: ["v"] },
    "security_groups": ["b", "a"],
    "ip_pool_sync_period": "120s",
  };
  assertEquals(outcome(old, next), [[], []]);
});

Deno.test("planReload() refuses again until what it refused is undone", () => {
  const old = decode({});
  const first = planReload(old, decode({ mtu: 9000, max_pool_size: 9 }));
  assertEquals([first.inForce.mtu, first.inForce.maxPoolCount], [undefined, 9]);
  const again = planReload(first.inForce, decode({ mtu: 9000 }));
  assertEquals(again.refused.map(({ field }) => field), ["mtu"]);
  const undone = planReload(again.inForce, old);
  assertEquals([undone.apply, undone.refused], [[], []]);
});

Deno.test("planReload() splits every change, and leads to what it says", () => {
  const conf = fc.record({
    max_pool_size: fc.integer({ min: 3, max: 9 }),
    min_pool_size: fc.integer({ min: 0, max: 3 }),
    mtu: fc.constantFrom(1500, 9000),
    security_group: fc.constantFrom("a", "b"),
    max_eni: fc.constantFrom(0, 4),
    idle_ip_reclaim_after: fc.constantFrom("10m", "20m"),
    cluster_id: fc.constantFrom("c", "d"),
  }, { requiredKeys: [] }).map(decode);
  fc.assert(fc.property(conf, conf, (old, next) => {
    const { apply, refused, inForce } = planReload(old, next);
    for (const { field, to } of apply) assertEquals(inForce[field], to);
    for (const { field } of refused) assertEquals(inForce[field], old[field]);
    const later = planReload(inForce, next);
    assertEquals(later.apply, []);
    assertEquals(later.refused, refused);
    assert(Object.isFrozen(inForce));
  }));
});
