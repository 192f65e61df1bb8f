import { assert, assertEquals } from "@std/assert";
import { ApiServer } from "../../tests/emulators/kubernetes/server.ts";
import type { Log } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import { openCluster } from "./kubernetes.ts";

const [PODS, NODES, EVENTS, CONFIGS] = [
  "/api/v1/pods",
  "/api/v1/nodes",
  "/api/v1/events",
  "/api/v1/configmaps",
];

const SILENT: Log = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
};

const WEB = { namespace: "shop", name: "web", uid: "u-1" };

function configMap(
  name: string,
  conf: unknown,
): Parameters<ApiServer["put"]>[1] {
  return {
    metadata: { name, namespace: "kube-system" },
    data: Object.fromEntries([["eni_conf", JSON.stringify(conf)]]),
  };
}

function node(labels: Record<string, string>): Parameters<ApiServer["put"]>[1] {
  return { metadata: { name: "n1", labels } };
}

function web(
  uid: string,
  annotations: Record<string, string> = {},
): Parameters<ApiServer["put"]>[1] {
  const { name, namespace } = WEB;
  return {
    metadata: { name, namespace, uid, annotations },
    spec: { nodeName: "n1", containers: [] },
  };
}

async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!await isSo()) {
    assert(Date.now() < endMs, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function withCluster(
  test: (server: ApiServer, cluster: Cluster) => Promise<void>,
): Promise<void> {
  await using server = new ApiServer();
  server.put(NODES, node({}));
  server.put(CONFIGS, configMap("eni-config", { version: "1" }));
  const dir = await Deno.makeTempDir();
  try {
    const kubeconfig = `${dir}/kubeconfig`;
    await server.writeKubeconfig(kubeconfig);
    await using cluster = await openCluster({
      nodeName: "n1",
      namespace: "kube-system",
      kubeconfig,
      places: { path: "/etc/eni/eni.conf" },
      stateDir: dir,
      mode: "VPC",
      log: SILENT,
    });
    await test(server, cluster);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function textOf(path: string | undefined): Promise<string | undefined> {
  return await Deno.readTextFile(path ?? "").catch(() => undefined);
}

Deno.test("eni-config and the overlay that the node's label names are files, and live", () =>
  withCluster(async (server, { places }) => {
    assertEquals(await textOf(places.path), '{"version":"1"}');
    server.put(CONFIGS, configMap("eni-config", { version: "2" }));
    await until(
      "the change is there",
      async () => await textOf(places.path) === '{"version":"2"}',
    );
    server.put(CONFIGS, configMap("mine", { mtu: 8500 }));
    server.put(NODES, node({ "terway-config": "mine" }));
    await until(
      "the overlay is there",
      async () => await textOf(places.overlayPath) === '{"mtu":8500}',
    );
    server.put(NODES, node({}));
    await until(
      "the overlay is gone",
      async () => await textOf(places.overlayPath) === undefined,
    );
    server.remove(CONFIGS, "eni-config", "kube-system");
    server.put(NODES, node({ "terway-config": "mine" }));
    await until(
      "the overlay is there again",
      async () => await textOf(places.overlayPath) !== undefined,
    );
    assertEquals(await textOf(places.path), '{"version":"2"}');
  }));

Deno.test("a pod asks by its object, also when it came a moment ago", () =>
  withCluster(async (server, { pods }) => {
    server.put(PODS, web("u-1", { "kubernetes.io/ingress-bandwidth": "10M" }));
    assertEquals(await pods.asksOf(WEB), {
      bandwidth: { ingressBitsPerSec: 10_000_000 },
    });
    // A successor of the same name asks for itself.
    server.put(PODS, web("u-2"));
    assertEquals(await pods.asksOf({ ...WEB, uid: "u-2" }), {});
    assertEquals(await pods.asksOf({ ...WEB, name: "static" }), {});
  }));

Deno.test("while the API server is away known pods go on, others say what they wait for", () =>
  withCluster(async (server, { pods, problem }) => {
    server.put(PODS, web("u-1", { "kubernetes.io/ingress-bandwidth": "10M" }));
    await pods.asksOf(WEB);
    // The copy must have it, not only the answer to a question.
    await until("the pod is known", async () => {
      const before = server.calls.length;
      await pods.asksOf(WEB);
      return server.calls.length === before;
    });
    server.front.slam();
    await until("it is noticed", () => problem() !== undefined);
    const asks = await pods.asksOf(WEB);
    assertEquals(asks.bandwidth, { ingressBitsPerSec: 10_000_000 });
    const { hindrance } = await pods.asksOf({ ...WEB, name: "new" });
    assert(hindrance?.mayPass);
    assert(hindrance?.message.includes("waiting for the API server"));
  }));

Deno.test("a pod that asks for two ENIs is refused, with an event", () =>
  withCluster(async (server, { pods }) => {
    const limits = Object.fromEntries([["aliyun/eni", "2"]]);
    const containers = [{ name: "main", resources: { limits } }];
    server.put(PODS, {
      ...web("u-1"),
      spec: { nodeName: "n1", containers },
    });
    const { hindrance } = await pods.asksOf(WEB);
    assert(hindrance !== undefined && !hindrance.mayPass);
    await until("the event", () => server.list(EVENTS).length === 1);
    const [event] = server.list(EVENTS);
    assertEquals(event?.["reason"], "ResourceInvalid");
  }));

Deno.test("what a pod got is its annotation and its event", () =>
  withCluster(async (server, { pods }) => {
    server.put(PODS, web("u-1"));
    pods.attached(WEB, { ips: ["10.1.0.3"], eniId: "eni-1", tookMs: 4.2 });
    pods.refused(WEB, "no address is free");
    const reasons = (): unknown[] =>
      server.list(EVENTS).map((event) => event["reason"]);
    await until("both events", () => reasons().length === 2);
    assertEquals(reasons(), ["AllocIPSucceed", "AllocIPFailed"]);
    const annotations = (): unknown =>
      server.list(PODS)[0]?.metadata["annotations"];
    await until("the annotation", () =>
      JSON.stringify(annotations()) ===
        '{"k8s.aliyun.com/pod-ips":"10.1.0.3"}');
  }));

Deno.test("the cluster tells the range of Services and the node's pod CIDR", () =>
  withCluster(async (server, cluster) => {
    assertEquals(await cluster.serviceCidr(), undefined);
    server.put("/apis/networking.k8s.io/v1/servicecidrs", {
      metadata: { name: "kubernetes" },
      spec: { cidrs: ["172.21.0.0/20"] },
    });
    assertEquals(await cluster.serviceCidr(), "172.21.0.0/20");
    const podCidr = cluster.podCidr();
    server.put(NODES, {
      ...node({}),
      spec: { podCIDRs: ["fd44::/64", "172.30.1.0/24"] },
    });
    assertEquals(await podCidr, "172.30.1.0/24");
  }));

const POD_ENIS = "/apis/network.alibabacloud.com/v1beta1/podenis";

Deno.test("a pod's ENI is awaited by a watch, and given up with what is missing", () =>
  withCluster(async (server, { pods }) => {
    const { namespace, name } = WEB;
    const put = (phase: string) =>
      server.put(POD_ENIS, {
        metadata: { name, namespace },
        spec: { allocation: { eni: { id: "eni-m" }, ipv4: "10.9.0.4" } },
        status: {
          status: phase,
          instanceID: "i-1",
          trunkENIID: "eni-t",
          eniInfos: { "eni-m": { vid: 7 } },
        },
      });
    const node = { instanceId: "i-1" };
    put("Binding");
    const found = pods.memberOf(WEB, node, AbortSignal.timeout(10_000));
    await until(
      "it is watched",
      () =>
        server.calls.some(({ verb, path }) =>
          verb === "WATCH" && path.endsWith("/shop/podenis")
        ),
    );
    put("Bind");
    assertEquals(await found, {
      member: {
        eniId: "eni-m",
        trunkId: "eni-t",
        vlanId: 7,
        ip4: "10.9.0.4",
      },
    });
    put("Unbind");
    const late = await pods.memberOf(WEB, node, AbortSignal.timeout(300));
    assert("hindrance" in late);
    assertEquals(late.hindrance.problems, ["it is Unbind, not Bind"]);
    const nobody = { ...WEB, name: "nobody" };
    const none = await pods.memberOf(nobody, node, AbortSignal.timeout(300));
    assert("hindrance" in none && none.hindrance.mayPass);
  }));
