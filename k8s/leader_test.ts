import { assert, assertEquals } from "@std/assert";
import { ApiServer } from "../tests/emulators/kubernetes/server.ts";
import { type Kubernetes, openKubernetes } from "./client.ts";
import { lead } from "./leader.ts";

const LEASES = "/apis/coordination.k8s.io/v1/leases";

/** Who leads, one after another; two at once would be seen. */
class Work {
  readonly terms: string[] = [];
  leader = "";

  doneBy(name: string): (signal: AbortSignal) => Promise<void> {
    return async (signal) => {
      assertEquals(this.leader, "", `${name} begins while another leads`);
      this.leader = name;
      this.terms.push(name);
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      this.leader = "";
    };
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!isSo()) {
    assert(Date.now() < endMs, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function candidate(
  kubernetes: Kubernetes,
  identity: string,
  work: Work,
): { stop: () => Promise<void> } {
  const stop = new AbortController();
  const done = lead(kubernetes, {
    namespace: "kube-system",
    name: "terway-controller",
    identity,
    durationMs: 1_000,
    periodMs: 20,
    signal: stop.signal,
  }, work.doneBy(identity));
  return {
    stop: () => {
      stop.abort();
      return done;
    },
  };
}

async function open(server: ApiServer): Promise<Kubernetes> {
  const kubeconfig = await Deno.makeTempFile();
  await server.writeKubeconfig(kubeconfig);
  const kubernetes = openKubernetes({ kubeconfig, deadlineMs: 500 });
  await Deno.remove(kubeconfig);
  return kubernetes;
}

Deno.test("one of two leads; when it goes in peace, the other does at once", async () => {
  await using server = new ApiServer();
  const kubernetes = await open(server);
  const work = new Work();
  const a = candidate(kubernetes, "a", work);
  await until("a leads", () => work.leader === "a");
  const b = candidate(kubernetes, "b", work);
  await until(
    "b has asked",
    () => server.calls.filter(({ verb }) => verb === "GET").length > 5,
  );
  await a.stop();
  await until("b leads", () => work.leader === "b");
  assertEquals(work.terms, ["a", "b"]);
  const [lease] = server.list(LEASES);
  assertEquals(
    (lease?.["spec"] as { leaseTransitions: number }).leaseTransitions,
    1,
  );
  await b.stop();
});

Deno.test("a leader that can't renew stops before its time is over", async () => {
  await using server = new ApiServer();
  const work = new Work();
  const a = candidate(await open(server), "a", work);
  await until("a leads", () => work.leader === "a");
  const startMs = performance.now();
  server.front.slam();
  await until("a leads no more", () => work.leader === "");
  assert(performance.now() - startMs < 2_000);
  await server.front.open();
  await until("a leads again", () => work.leader === "a");
  await a.stop();
});
