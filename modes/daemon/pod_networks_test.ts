import { assertEquals, assertStringIncludes } from "@std/assert";
import { decodePodNetworks } from "./pod_networks.ts";

const REQUEST = "k8s.aliyun.com/pod-networks-request";

function decode(podNetworks: unknown): ReturnType<typeof decodePodNetworks> {
  return decodeText(JSON.stringify({ podNetworks }));
}

function decodeText(text: string): ReturnType<typeof decodePodNetworks> {
  return decodePodNetworks({ "k8s.aliyun.com/pod-networks": text });
}

function refused(podNetworks: unknown, ...expected: readonly string[]): void {
  const { interfaces, problems } = decode(podNetworks);
  assertEquals([interfaces, problems.length], [undefined, expected.length]);
  for (const [at, text] of expected.entries()) {
    assertStringIncludes(problems[at] ?? "", text);
  }
}

Deno.test("decodePodNetworks() puts eth0 first, and its default route is the pod's", () => {
  assertEquals(decode([{ interface: "net1" }, { interface: "eth0" }]), {
    interfaces: [
      { ifName: "eth0", isDefault: true, extraRoutes: [] },
      { ifName: "net1", isDefault: false, extraRoutes: [] },
    ],
    problems: [],
  });
});

Deno.test("decodePodNetworks() leads the default route and others by the interface that says so", () => {
  const { interfaces } = decode([
    { interface: "eth0" },
    {
      interface: "net1",
      defaultRoute: true,
      extraRoutes: [{ dst: "10.8.0.0/16" }],
    },
  ]);
  assertEquals(interfaces?.map(({ isDefault }) => isDefault), [false, true]);
  assertEquals(interfaces?.[1]?.extraRoutes, ["10.8.0.0/16"]);
});

Deno.test("decodePodNetworks() takes what Go writes for nothing", () => {
  const nothing = {
    vSwitchOptions: null,
    securityGroupIDs: [],
    vSwitchSelectOptions: {},
    eniOptions: { eniType: "Default" },
    allocationType: { type: "Elastic" },
    resourceGroupID: "",
    extraRoutes: null,
  };
  const { problems } = decode([{ interface: "eth0", ...nothing }]);
  assertEquals(problems, []);
  for (const text of ["{}", '{"podNetworks":null}', '{"podNetworks":[]}']) {
    assertEquals(decodeText(text), { problems: [] });
  }
  assertEquals(decodePodNetworks(undefined), { problems: [] });
});

Deno.test("decodePodNetworks() names path, rule and value of all that is wrong", () => {
  refused(
    [
      { interface: "a/b" },
      { interface: "veth1", defaultRoute: "yes" },
      { interface: "eth0", extraRoutes: [{ dst: "0.0.0.0/0" }] },
    ],
    'podNetworks[0].interface: must be a link name: 1 to 15 bytes without / : and white space: it is "a/b"',
    'podNetworks[1].interface: must not be ".", "..", "lo" or "veth1": it is "veth1"',
    'podNetworks[1].defaultRoute: must be true or false: it is "yes"',
    "podNetworks[2].extraRoutes[0].dst: must be longer than /0",
  );
  refused([{ interface: "net1" }], "podNetworks: must have eth0");
  refused(
    [{ interface: "eth0" }, { interface: "eth0" }],
    'podNetworks[1].interface: must be the only one of its name: it is "eth0"',
  );
  const two = { defaultRoute: true, extraRoutes: [{ dst: "10.8.0.0/16" }] };
  refused(
    [{ interface: "eth0", ...two }, { interface: "net1", ...two }],
    "podNetworks[1].defaultRoute: must be true of one interface at most",
    "podNetworks[1].extraRoutes[0].dst: must lead by one interface only",
  );
  refused([{ interface: "eth0", ip: "1" }], "podNetworks[0]: Unrecognized key");
});

Deno.test("decodePodNetworks() refuses what the node's pool can't promise", () => {
  refused(
    [{
      interface: "eth0",
      vSwitchOptions: ["vsw-1"],
      securityGroupIDs: ["sg-1"],
      eniOptions: { eniType: "Trunk" },
      allocationType: { type: "Fixed" },
    }],
    'vSwitchOptions: must be absent: interfaces of this node\'s pool have the vSwitches, security groups and cards of eni_conf: it is ["vsw-1"]',
    "securityGroupIDs: must be absent",
    "eniOptions: must be absent",
    "allocationType: must be of type Elastic",
  );
});

Deno.test("decodePodNetworks() refuses networks that only a controller can resolve", () => {
  const request = '[{"interfaceName":"eth0","network":"blue"}]';
  const { problems } = decodePodNetworks({ [REQUEST]: request });
  assertStringIncludes(problems[0] ?? "", "must be resolved by a controller");
  const byController = { [REQUEST]: request, "k8s.aliyun.com/pod-eni": "true" };
  assertEquals(decodePodNetworks(byController), { problems: [] });
});

Deno.test("decodePodNetworks() refuses what isn't JSON", () => {
  assertEquals(decodeText("eth0,net1").problems, [
    'k8s.aliyun.com/pod-networks: must be JSON: it is "eth0,net1"',
  ]);
});
