import { assertEquals } from "@std/assert";
import { applyPlan } from "./apply.ts";
import type { Ip } from "./ip.ts";
import { Lab } from "./lab.ts";
import { removeNamespace } from "./namespace.ts";
import { removePlan } from "./remove.ts";
import { findSpeakers } from "./speaker.ts";

const othersTurn = (): Promise<void> => Promise.resolve();

/** Who speaks for the addresses, as `ip by`, of this lab alone. */
async function speakers(lab: Lab, ...ips: Ip[]): Promise<string[]> {
  const host = lab.node.routes;
  const found = await findSpeakers(ips, { host, pairedOnly: true, othersTurn });
  return [...new Set(found.map(({ ip, by }) => `${ip} ${by}`))].sort();
}

Deno.test("findSpeakers() names all that stands for a pod, and nothing once it is removed", async () => {
  using lab = new Lab();
  const host = lab.node.routes;
  applyPlan(lab.eniPlan(undefined, [4, 6]), host);
  const plan = lab.plan(lab.pod(), 0, [4, 6]);
  const ips = ["10.0.0.20", "10.0.0.21", "fd00::20", "fd00::21"];
  assertEquals(await speakers(lab, ...ips), []);
  applyPlan(plan, host);
  assertEquals(await speakers(lab, ...ips), [
    "10.0.0.20 pod",
    "10.0.0.20 route",
    "10.0.0.20 rule",
    "fd00::20 pod",
    "fd00::20 route",
    "fd00::20 rule",
  ]);
  await removePlan(plan, host).done;
  assertEquals(await speakers(lab, ...ips), []);
});

Deno.test("findSpeakers() finds a pod whose rules and routes are lost", async () => {
  using lab = new Lab();
  const { node } = lab;
  applyPlan(lab.eniPlan(), node.routes);
  const pod = lab.pod();
  applyPlan(lab.plan(pod), node.routes);
  node.ip("rule", "flush");
  node.ip("route", "flush", "table", "main");
  assertEquals(await speakers(lab, "10.0.0.20"), ["10.0.0.20 pod"]);
  const found = await findSpeakers(["10.0.0.20"], {
    host: node.routes,
    pairedOnly: true,
    othersTurn,
  });
  assertEquals(found.map(({ who }) => who), [pod.path]);
});

Deno.test("findSpeakers() finds a pod without a path, by its processes", async () => {
  using lab = new Lab();
  const { node } = lab;
  applyPlan(lab.eniPlan(), node.routes);
  const pod = lab.pod();
  applyPlan(lab.plan(pod), node.routes);
  await using child = new Deno.Command("nsenter", {
    args: [`--net=${pod.path}`, "sh", "-c", "echo ready; exec sleep 60"],
    stdout: "piped",
  }).spawn();
  await child.stdout[Symbol.asyncIterator]().next();
  removeNamespace(pod.path);
  assertEquals(await speakers(lab, "10.0.0.20"), [
    "10.0.0.20 pod",
    "10.0.0.20 route",
    "10.0.0.20 rule",
  ]);
  child.kill();
});

Deno.test("findSpeakers() hears a link of the node, and no other node's pods", async () => {
  using lab = new Lab();
  using other = new Lab();
  applyPlan(other.eniPlan(), other.node.routes);
  applyPlan(other.plan(other.pod()), other.node.routes);
  assertEquals(await speakers(lab, "10.0.0.20"), []);
  lab.node.ip("address", "add", "10.0.0.20/24", "dev", "eth1");
  const found = await speakers(lab, "10.0.0.20");
  assertEquals(found, ["10.0.0.20 link", "10.0.0.20 route"]);
});
