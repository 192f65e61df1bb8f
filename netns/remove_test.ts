import { assert, assertEquals } from "@std/assert";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { dumpNamespace } from "./dump.ts";
import { Lab } from "./lab.ts";
import { findLinkByName } from "./link.ts";
import { removePlan } from "./remove.ts";
import { listRoutes } from "./route.ts";
import { listRules } from "./rule.ts";

const HOST_LINK = "cali73291bf21a5";

/** A lab whose ENI is ready. */
function openLab(): Lab {
  const lab = new Lab();
  applyPlan(lab.eniPlan(), lab.node.routes);
  return lab;
}

Deno.test("removePlan() leaves the node and the pod as they were", async () => {
  using lab = openLab();
  const pod = lab.pod();
  const { routes } = lab.node;
  const plan = lab.plan(pod);
  const before = [dumpNamespace(routes), dumpNamespace(pod.routes)];
  applyPlan(plan, routes);
  const { link, done } = removePlan(plan, routes);
  assertEquals(link, HOST_LINK);
  await done;
  assertEquals([dumpNamespace(routes), dumpNamespace(pod.routes)], before);
});

Deno.test("removePlan() has taken rules and routes away when it returns", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const plan = lab.plan(lab.pod());
  const before = listRules(routes);
  applyPlan(plan, routes);
  const { done } = removePlan(plan, routes);
  const left = listRoutes(routes, 254).filter(({ destination }) =>
    destination === "10.0.0.20/32"
  );
  assertEquals([listRules(routes), left], [before, []]);
  await done;
});

Deno.test("removePlan() succeeds when nothing or only a part is there", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const plan = lab.plan(lab.pod());
  const before = dumpNamespace(routes);
  assertEquals(removePlan(plan, routes).link, undefined);
  applyPlan(plan, routes);
  lab.node.ip("rule", "delete", "priority", "512");
  lab.node.ip("link", "delete", HOST_LINK);
  await removePlan(plan, routes).done;
  assertEquals(dumpNamespace(routes), before);
});

Deno.test("removePlan() takes the node's objects away when the pod is gone", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const pod = lab.pod();
  const plan = lab.plan(pod);
  const before = dumpNamespace(routes);
  applyPlan(plan, routes);
  pod[Symbol.dispose](); // the kernel takes the pair away, when it likes
  await removePlan(plan, routes).done;
  assertEquals(dumpNamespace(routes), before);
});

Deno.test("removePlan() takes the pair away when only the path of the pod is gone", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const plan = lab.plan(lab.pod());
  applyPlan(plan, routes);
  const elsewhere = { ...plan, netns: `${plan.netns}-gone` };
  await removePlan(elsewhere, routes).done;
  assertEquals(findLinkByName(routes, HOST_LINK), undefined);
});

Deno.test("removePlan() leaves a link of the same name and another MAC, and what lies on it", async () => {
  using lab = openLab();
  const { node } = lab;
  const { routes } = node;
  const words = `link add ${HOST_LINK} up type veth peer name other0`.split(
    " ",
  );
  node.ip(...words);
  node.ip("route", "add", "10.0.0.20/32", "dev", HOST_LINK);
  const before = dumpNamespace(routes);
  const { link, done } = removePlan(lab.plan(lab.pod()), routes);
  await done;
  assertEquals(link, undefined);
  assertEquals(dumpNamespace(routes), before);
});

Deno.test("removePlan() leaves somebody else's rule for the same address", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const plan = lab.plan(lab.pod());
  applyPlan(plan, routes);
  const words = "rule add priority 2048 from 10.0.0.20 lookup 1077".split(" ");
  lab.node.ip(...words);
  await removePlan(plan, routes).done;
  assert(listRules(routes).some(({ table }) => table === 1077));
});

Deno.test("removePlan() of an ENI takes address and table away, and leaves the link up", async () => {
  using lab = openLab();
  const { routes } = lab.node;
  const plan = lab.eniPlan();
  const { link, done } = removePlan(plan, routes);
  await done;
  assertEquals(link, undefined);
  const kinds = comparePlan(plan, routes).map(({ step }) => step.kind);
  assertEquals(kinds, ["address", "route"]);
  assert(findLinkByName(routes, "eth1")?.up);
});
