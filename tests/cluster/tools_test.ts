import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  buildArguments,
  CLUSTER_TOOLS,
  CONFORMANCE_TOOLS,
  contentHash,
  stagingModules,
  type Tool,
  wrapperOf,
} from "./tools.ts";

const GO_MOD = `module k8s.io/kubernetes

require (
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
)
`;

function toolNamed(name: string): Tool {
  const all = [...CLUSTER_TOOLS, ...CONFORMANCE_TOOLS];
  const tool = all.find((tool) => tool.name === name);
  assert(tool !== undefined, name);
  return tool;
}

Deno.test("wrapperOf() replaces staging modules by what was published", () => {
  assertEquals(stagingModules(GO_MOD), ["k8s.io/api", "k8s.io/client-go"]);
  const text = wrapperOf(toolNamed("kubelet").module, GO_MOD);
  assert(text.includes("require k8s.io/kubernetes v1.34.4"), text);
  assert(text.includes("replace k8s.io/api => k8s.io/api v0.34.4"), text);
});

Deno.test("wrapperOf() asks for any other module as it is", () => {
  const text = wrapperOf(toolNamed("etcd").module, "");
  assert(text.includes("require go.etcd.io/etcd/server/v3 v3.6.16"), text);
  assert(!text.includes("replace"), text);
});

Deno.test("a kubelet is stamped with its version, a test is compiled", () => {
  const kubelet = buildArguments(toolNamed("kubelet"), "/out").join(" ");
  assert(kubelet.includes("version.gitVersion=v1.34.4"), kubelet);
  assertEquals(
    buildArguments(toolNamed("e2e.test"), "/out").slice(0, 2),
    ["test", "-c"],
  );
});

Deno.test("contentHash() changes with the version and the compiler", async () => {
  const tool = toolNamed("etcd");
  const other = { ...tool, module: { ...tool.module, version: "v3.6.17" } };
  const hash = await contentHash(tool, "go1.26");
  assertEquals(await contentHash(tool, "go1.26"), hash);
  assertNotEquals(await contentHash(other, "go1.26"), hash);
  assertNotEquals(await contentHash(tool, "go1.27"), hash);
});
