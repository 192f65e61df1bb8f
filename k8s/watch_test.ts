import { assert, assertEquals } from "@std/assert";
import { ApiServer } from "../tests/emulators/kubernetes/server.ts";
import { type Kubernetes, openKubernetes } from "./client.ts";
import { podsOfNode, type V1Pod } from "./objects.ts";
import { type Change, Informer } from "./watch.ts";

const PODS = "/api/v1/pods";

/** Seconds are what a node may be blind for; a test waits no longer. */
const SOON_MS = 10_000;

function pod(name: string, nodeName = "n1", label = "a"): {
  metadata: { name: string; namespace: string; labels: { is: string } };
  spec: { nodeName: string };
} {
  return {
    metadata: { name, namespace: "default", labels: { is: label } },
    spec: { nodeName },
  };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = Date.now() + SOON_MS;
  while (!isSo()) {
    assert(Date.now() < endMs, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function withServer(
  test: (
    server: ApiServer,
    kubernetes: Kubernetes,
  ) => Promise<void>,
): Promise<void> {
  await using server = new ApiServer();
  const kubeconfig = await Deno.makeTempFile();
  try {
    await server.writeKubeconfig(kubeconfig);
    await test(server, openKubernetes({ kubeconfig }));
  } finally {
    await Deno.remove(kubeconfig);
  }
}

function names(informer: Informer<V1Pod>): string[] {
  return informer.list().map(({ metadata }) => metadata?.name ?? "").sort();
}

Deno.test("an informer knows the pods of its node, and what becomes of them", () =>
  withServer(async (server, kubernetes) => {
    server.put(PODS, pod("a"));
    server.put(PODS, pod("other", "n2"));
    const changes: string[] = [];
    await using pods = new Informer(kubernetes, podsOfNode(kubernetes, "n1"), {
      onChange: ({ kind, object }: Change<V1Pod>) =>
        changes.push(`${kind} ${object.metadata?.name}`),
    });
    await pods.synced;
    assertEquals(names(pods), ["a"]);
    server.put(PODS, pod("b"));
    server.put(PODS, pod("a", "n1", "b"));
    server.remove(PODS, "b", "default");
    await until("b is gone", () => changes.includes("gone b"));
    assertEquals(changes, ["set a", "set b", "set a", "gone b"]);
    assertEquals(pods.get("a", "default")?.metadata?.labels, { is: "b" });
    assertEquals(pods.get("other", "default"), undefined);
  }));

Deno.test("when the API server is killed, every informer is whole again within seconds", () =>
  withServer(async (server, kubernetes) => {
    server.put(PODS, pod("a"));
    server.put(PODS, pod("b"));
    let problemCount = 0;
    const informers = Array.from(
      { length: 3 },
      () =>
        new Informer(kubernetes, podsOfNode(kubernetes, "n1"), {
          onProblem: () => problemCount++,
        }),
    );
    try {
      await Promise.all(informers.map((one) => one.synced));
      server.front.slam();
      await until(
        "each says that it is behind",
        () => informers.every(({ problem }) => problem !== undefined),
      );
      server.put(PODS, pod("c"));
      server.remove(PODS, "a", "default");
      assertEquals(informers.map(names), Array(3).fill(["a", "b"]));
      await server.front.open();
      await until(
        "each knows what happened meanwhile",
        () => informers.every((one) => names(one).join() === "b,c"),
      );
      assertEquals(
        informers.map(({ problem }) => problem),
        Array(3).fill(
          undefined,
        ),
      );
      assert(problemCount >= 3, `${problemCount}`);
    } finally {
      await Promise.all(informers.map((one) => one[Symbol.asyncDispose]()));
    }
  }));

Deno.test("an informer lists again when the server has forgotten what was", () =>
  withServer(async (server, kubernetes) => {
    server.put(PODS, pod("a"));
    const gone: string[] = [];
    await using pods = new Informer(kubernetes, podsOfNode(kubernetes, "n1"), {
      onChange: ({ kind, object }) => {
        if (kind === "gone") gone.push(object.metadata?.name ?? "");
      },
    });
    await pods.synced;
    server.front.slam();
    server.remove(PODS, "a", "default");
    server.put(PODS, pod("b"));
    server.forgetHistory();
    await server.front.open();
    await until("b is known", () => names(pods).join() === "b");
    assertEquals(gone, ["a"]);
  }));

Deno.test("an informer that begins without an API server waits for it", () =>
  withServer(async (server, kubernetes) => {
    server.front.slam();
    server.put(PODS, pod("a"));
    await using pods = new Informer(kubernetes, podsOfNode(kubernetes, "n1"));
    await until("it says why", () => pods.problem !== undefined);
    await server.front.open();
    await pods.synced;
    assertEquals(names(pods), ["a"]);
  }));

Deno.test("an informer ends at once, while it watches and while it waits", () =>
  withServer(async (server, kubernetes) => {
    const watching = new Informer(kubernetes, podsOfNode(kubernetes, "n1"));
    await watching.synced;
    await watching[Symbol.asyncDispose]();
    server.front.slam();
    const waiting = new Informer(kubernetes, podsOfNode(kubernetes, "n1"));
    await until("it waits", () => waiting.problem !== undefined);
    await waiting[Symbol.asyncDispose]();
    assertEquals(watching.problem, undefined);
  }));
