import { assertEquals, assertThrows } from "@std/assert";
import { decodeRequest, RequestError, versionOf } from "./request.ts";

const CONF = { cniVersion: "1.0.0", name: "terway", type: "terway" };
const ENV = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/pod",
  CNI_IFNAME: "eth0",
};

function decode(env: Record<string, string>, conf: unknown) {
  const text = typeof conf === "string" ? conf : JSON.stringify(conf);
  return decodeRequest(
    new Map(Object.entries(env)),
    new TextEncoder().encode(text),
  );
}

function check(
  env: Record<string, string>,
  conf: unknown,
  expected: { code: number; includes: readonly string[] },
): void {
  const error = assertThrows(() => decode(env, conf), RequestError);
  assertEquals(error.code, expected.code);
  const text = `${error.message} ${error.details}`;
  for (const part of expected.includes) {
    assertEquals([part, text.includes(part)], [part, true], text);
  }
}

Deno.test("decodeRequest() gives an owner, a namespace and the pod's name", () => {
  const request = decode({
    ...ENV,
    CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p",
  }, { ...CONF, mtu: 1400 });
  assertEquals(request, {
    verb: "ADD",
    config: { cniVersion: "1.0.0", name: "terway", mtu: 1400 },
    owner: { network: "terway", containerId: "c1", ifName: "eth0" },
    netns: "/run/netns/pod",
    pod: { namespace: "ns", name: "p" },
  });
});

Deno.test("decodeRequest() takes the bandwidth of an ADD, and of no other verb", () => {
  const limited = (ingressRate: number) => ({
    ...CONF,
    runtimeConfig: { bandwidth: { ingressRate, ingressBurst: 2 ** 32 - 1 } },
  });
  assertEquals(decode(ENV, limited(10e6)).config.bandwidth, {
    ingressBitsPerSec: 10e6,
  });
  check(ENV, { ...limited(5), mtu: 1 }, {
    code: 7,
    includes: ["mtu", "runtimeConfig.bandwidth.ingressRate", "it is 5"],
  });
  // Or a pod whose ADD was refused could never go.
  for (const verb of ["DEL", "CHECK"]) {
    const { config } = decode({ ...ENV, CNI_COMMAND: verb }, limited(5));
    assertEquals(config.bandwidth, undefined);
  }
});

Deno.test("decodeRequest() takes prefixes of the node's stack, and says which are none", () => {
  const served = (...cidrs: unknown[]) => ({
    ...CONF,
    host_stack_cidrs: cidrs,
  });
  const two = ["169.254.20.10/32", "fd00:20::10/128"];
  assertEquals(decode(ENV, served(...two, ...two)).config.hostStackCidrs, two);
  check(ENV, served("169.254.20.10/32", "10.0.0.7/8", "x", 5, "0.0.0.0/0"), {
    code: 7,
    includes: [
      'host_stack_cidrs.1: must have no host bits: 10.0.0.0/8 is the prefix: it is "10.0.0.7/8"',
      'host_stack_cidrs.2: must be a prefix such as 10.1.0.0/16: it is "x"',
      "host_stack_cidrs.3: ",
      'host_stack_cidrs.4: must be longer than /0, which is the default route\'s: it is "0.0.0.0/0"',
    ],
  });
  const bad = { ...CONF, "host_stack_cidrs": 5 };
  const gone = decode({ ...ENV, CNI_COMMAND: "DEL" }, bad);
  assertEquals(gone.config.hostStackCidrs, undefined);
});

Deno.test("decodeRequest() reads how pods share an ENI, in any case of letters", () => {
  for (const text of ["IPVlan", "ipvlan", "IPVLAN"]) {
    const { config } = decode(ENV, { ...CONF, "eniip_virtual_type": text });
    assertEquals(config.virtualType, "ipvlan");
  }
  assertEquals(decode(ENV, CONF).config.virtualType, undefined);
  const wrong = { ...CONF, "eniip_virtual_type": "macvlan" };
  check(ENV, wrong, {
    code: 7,
    includes: ["eniip_virtual_type: must be Veth or IPVlan"],
  });
  // Or a pod could never go.
  decode({ ...ENV, CNI_COMMAND: "DEL" }, wrong);
});

Deno.test("decodeRequest() lets DEL come without a namespace", () => {
  const request = decode({ ...ENV, CNI_COMMAND: "DEL", CNI_NETNS: "" }, CONF);
  assertEquals(request.netns, undefined);
});

Deno.test("decodeRequest() refuses what the spec refuses, with its codes", () => {
  check({ ...ENV, CNI_COMMAND: "FROB" }, CONF, {
    code: 4,
    includes: ["CNI_COMMAND", "FROB"],
  });
  check(ENV, "{", { code: 6, includes: ["JSON"] });
  check(ENV, "[]", { code: 6, includes: ["object"] });
  check(ENV, "", { code: 6, includes: ["JSON"] });
  check(ENV, { ...CONF, cniVersion: "0.2.0" }, {
    code: 1,
    includes: ["0.2.0", "1.1.0"],
  });
  check(ENV, { name: "terway" }, { code: 1, includes: ["absent"] });
  check(ENV, { cniVersion: "1.0.0" }, { code: 7, includes: ["name"] });
  check(ENV, { ...CONF, name: "a/b", mtu: 1 }, {
    code: 7,
    includes: ["name: must start", "mtu"],
  });
  check({ ...ENV, CNI_ARGS: "nonsense" }, CONF, {
    code: 4,
    includes: ["CNI_ARGS", "nonsense"],
  });
});

Deno.test("decodeRequest() names every variable that is wrong, at once", () => {
  check(
    { CNI_COMMAND: "ADD", CNI_CONTAINERID: "../x", CNI_IFNAME: "a/b" },
    CONF,
    {
      code: 4,
      includes: [
        "CNI_CONTAINERID must start",
        '"../x"',
        "CNI_NETNS must be given",
        "CNI_IFNAME",
      ],
    },
  );
  check({ ...ENV, CNI_IFNAME: "sixteen-letters-" }, CONF, {
    code: 4,
    includes: ["CNI_IFNAME", "15 bytes"],
  });
  check({ ...ENV, CNI_NETNS: "pod" }, CONF, {
    code: 4,
    includes: ["CNI_NETNS must be an absolute path"],
  });
});

Deno.test("decodeRequest() knows since when there is a verb", () => {
  check({ ...ENV, CNI_COMMAND: "CHECK" }, { ...CONF, cniVersion: "0.3.1" }, {
    code: 1,
    includes: ["CHECK needs cniVersion 0.4.0"],
  });
  check({ CNI_COMMAND: "STATUS" }, CONF, { code: 1, includes: ["1.1.0"] });
});

Deno.test("decodeRequest() reads GC's attachments in both spellings", () => {
  const valid = [{ containerID: "c1", ifname: "eth0" }];
  for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"]) {
    const request = decode({ CNI_COMMAND: "GC" }, {
      ...CONF,
      cniVersion: "1.1.0",
      [key]: valid,
    });
    assertEquals(request.config.validAttachments, valid);
  }
});

Deno.test("decodeRequest() keeps whoever is on one of GC's two lists", () => {
  const gc = (lists: Record<string, unknown>) =>
    decode({ CNI_COMMAND: "GC" }, { ...CONF, cniVersion: "1.1.0", ...lists })
      .config.validAttachments;
  const [one, two] = ["c1", "c2"].map((containerID) => ({ containerID }));
  const lists = {
    "cni.dev/valid-attachments": [one],
    "cni.dev/attachments": [two],
  };
  assertEquals(gc(lists)?.map(({ containerID }) => containerID), ["c1", "c2"]);
  assertEquals(gc({ "cni.dev/attachments": null }), []);
  assertEquals(gc({}), undefined);
});

Deno.test("decodeRequest() reads a prevResult, and tells all that is wrong", () => {
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "eth0", sandbox: "/run/netns/x", more: 1 }],
    ips: [{ address: "10.0.0.7/32", interface: 0 }],
    routes: null,
  };
  const { config } = decode(ENV, { ...CONF, prevResult });
  assertEquals(config.prevResult?.interfaces, prevResult.interfaces);
  assertEquals(config.prevResult?.routes, []);
  check(ENV, {
    ...CONF,
    prevResult: {
      cniVersion: "9.9.9",
      interfaces: [{}],
      ips: [{ address: "10.0.0.7" }],
      routes: [{ dst: "all" }],
    },
  }, {
    code: 7,
    includes: ["cniVersion", "interfaces.0.name", "ips.0.address", "routes.0"],
  });
  const ips = [{ address: "10.0.0.7/32", interface: 3 }];
  check(ENV, { ...CONF, prevResult: { ips } }, {
    code: 7,
    includes: ["prevResult.ips.0.interface: must be one of the 0"],
  });
});

Deno.test("decodeRequest() lets DEL come with whatever ADD would refuse", () => {
  const env = { ...ENV, CNI_COMMAND: "DEL", CNI_ARGS: "nonsense" };
  const { owner } = decode(env, { ...CONF, mtu: 1, prevResult: "nonsense" });
  assertEquals(owner?.network, "terway");
});

Deno.test("versionOf() finds a version in whatever comes", () => {
  const of = (text: string) => versionOf(new TextEncoder().encode(text));
  assertEquals(of(`{"cniVersion":"0.4.0","name":7}`), "0.4.0");
  assertEquals(of(`{"cniVersion":"9.9.9"}`), "1.0.0");
  assertEquals(of("garbage"), "1.0.0");
  assertEquals(of("null"), "1.0.0");
});
