import { assertEquals } from "@std/assert";
import { ApiServer } from "../tests/emulators/kubernetes/server.ts";
import { openKubernetes } from "./client.ts";
import { EventRecorder } from "./events.ts";

const EVENTS = "/api/v1/events";

const POD = { kind: "Pod", name: "web", namespace: "shop", uid: "u-1" };

const FAILED = {
  type: "Warning",
  reason: "AllocIPFailed",
  message: "no address is free",
} as const;

async function withRecorder(
  test: (
    parts: {
      server: ApiServer;
      recorder: EventRecorder;
      clock: { nowMs: number };
      problems: string[];
    },
  ) => Promise<void>,
): Promise<void> {
  await using server = new ApiServer();
  const kubeconfig = await Deno.makeTempFile();
  await server.writeKubeconfig(kubeconfig);
  const clock = { nowMs: Date.parse("2026-01-01T00:00:00Z") };
  const problems: string[] = [];
  await using recorder = new EventRecorder(openKubernetes({ kubeconfig }), {
    component: "terway-daemon",
    host: "n1",
    nowMs: () => clock.nowMs,
    onProblem: ({ message }) => problems.push(message),
  });
  await test({ server, recorder, clock, problems });
  await Deno.remove(kubeconfig);
}

Deno.test("an event is about its pod, in the pod's namespace", () =>
  withRecorder(async ({ server, recorder }) => {
    recorder.record(POD, FAILED);
    await recorder[Symbol.asyncDispose]();
    const [event] = server.list(EVENTS);
    assertEquals(event?.metadata.namespace, "shop");
    assertEquals(event?.["involvedObject"], { ...POD, apiVersion: "v1" });
    assertEquals(event?.["reason"], "AllocIPFailed");
    assertEquals(event?.["source"], { component: "terway-daemon", host: "n1" });
  }));

Deno.test("the same event again is counted, and rarely written", () =>
  withRecorder(async ({ server, recorder, clock }) => {
    for (let count = 0; count < 5; count++) recorder.record(POD, FAILED);
    await recorder[Symbol.asyncDispose]();
    clock.nowMs += 11_000;
    recorder.record(POD, FAILED);
    await recorder[Symbol.asyncDispose]();
    const events = server.list(EVENTS);
    assertEquals(events.map((event) => event["count"]), [6]);
    assertEquals(server.calls.map(({ verb }) => verb), ["POST", "PATCH"]);
  }));

Deno.test("an event about a node lies in namespace default", () =>
  withRecorder(async ({ server, recorder }) => {
    const node = { kind: "Node", name: "n1", uid: "n1" };
    recorder.record(node, { type: "Normal", reason: "Up", message: "up" });
    await recorder[Symbol.asyncDispose]();
    assertEquals(server.list(EVENTS)[0]?.metadata.namespace, "default");
  }));

Deno.test("an event that can't be written is told, and hinders nobody", () =>
  withRecorder(async ({ server, recorder, problems }) => {
    server.front.slam();
    recorder.record(POD, FAILED);
    await recorder[Symbol.asyncDispose]();
    assertEquals(problems.length, 1);
  }));
