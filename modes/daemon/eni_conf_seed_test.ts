import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, decodeConfig } from "./config.ts";

/**
 * The ConfigMap of the first design of the ENI plugin, as it was published;
 * trailing blanks and all.
 */
const PUBLISHED = `kind: ConfigMap
apiVersion: v1
metadata:
  name: eni-config
  namespace: kube-system
data:
  eni_conf: |
    version: "1"
    config: 
      service_cidr: 10.1.0.0/16  //集群service的段
      prefix: "eth"  //可选，默认eth。如果ecs上已经存在eni网卡，指定已有网卡的前缀
      max_pool_size: 5  //可选，默认5。eni插件维护一个interface pool，提升分配eni的性能，同时避免频繁的调用阿里云api。可以指定池的大小。超过池子的最大值开始释放网卡
      min_pool_size: 2 //可选，默认2。地域池子的最小值异步补充网卡
      vswitches:   //可选，默认使用当前ecs的交换机。网卡必须属于同一个可用区下的交换机，当集群跨可用区时，每个可用区指定一个交换机。
        cn-hangzhou-a: switch-a 
        cn-hangzhou-b: switch-b
      security-group: security-group-001 //可选，eni网卡所属的安全组，可以不指定，默认使用eth0(\${prefix}0)相同的安全组
`;

/** The value of `eni_conf`, still indented as in the ConfigMap. */
const CUT = PUBLISHED.split("\n").slice(7, 17).join("\n");

async function digestOf(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}

function problemsOf(text: string): string[] {
  const error = assertThrows(() => decodeConfig(text, "eni_conf"), ConfigError);
  return error.problems.map((p) => `${p.path}|${p.rule.slice(0, 24)}`);
}

Deno.test("the published eni_conf is here byte for byte", async () => {
  assertEquals(
    await digestOf(CUT),
    "4090d5b2adb97f5373cc505c1cba6ab00faa0bf39e10afa0dfa42d4ff4d6f545",
  );
});

Deno.test("decodeConfig() loads the published eni_conf byte for byte", () => {
  const mounted = CUT.replaceAll(/^ {4}/gm, "") + "\n";
  for (const text of [CUT, mounted, mounted.replaceAll("\n", "\r\n")]) {
    const { config, warnings } = decodeConfig(text, "eni_conf");
    assertEquals(config.serviceCidrs, { v4: "10.1.0.0/16" });
    assertEquals(config.adoptPrefix, "eth");
    assertEquals([config.maxPoolCount, config.minPoolCount], [5, 2]);
    assertEquals(config.vSwitches, {
      "cn-hangzhou-a": ["switch-a"],
      "cn-hangzhou-b": ["switch-b"],
    });
    assertEquals(config.securityGroupIds, ["security-group-001"]);
    assertEquals(
      warnings.filter((each) => each.includes("annotation"))
        .map((each) => each.split(":")[1]),
      [3, 4, 5, 6, 7, 10].map((line) => ` line ${line}`),
    );
  }
});

Deno.test("decodeConfig() loads the JSON of the vSwitch documentation", () => {
  const { config, warnings } = decodeConfig(
    `{
"version": "1",
"max_pool_size": 25,
"min_pool_size": 10,
"vswitches": {"cn-shanghai-f":["vsw-AAA", "vsw-BBB"]},
"service_cidr": "172.21.0.0/20",
"security_group": "sg-CCC"
}`,
    "eni_conf",
  );
  assertEquals(config.vSwitches, { "cn-shanghai-f": ["vsw-AAA", "vsw-BBB"] });
  assertEquals([config.maxPoolCount, config.minPoolCount], [25, 10]);
  assertEquals(config.securityGroupIds, ["sg-CCC"]);
  assertEquals(warnings, []);
});

Deno.test("decodeConfig() refuses what the trunk documentation left out", () => {
  assertEquals(
    problemsOf(`{
  "min_pool_size": 0,
  "enable_eni_trunking": true,   <----- 启用 Trunk
  ...
}`),
    [
      "line 3, column 34|must not hold <-----, wh",
      "line 4, column 3|must not hold ..., which",
    ],
  );
});

Deno.test("decodeConfig() takes what the trunk documentation turns on", () => {
  const text = `{ "min_pool_size": 0, "enable_eni_trunking": true }`;
  assert(decodeConfig(text, "eni_conf").config.trunking);
});
