/**
 * Whatever the order of applying, damaging and removing, the kernel holds what
 * was asked for last, and nothing else.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { dumpNamespace } from "./dump.ts";
import { Lab, refusalOf } from "./lab.ts";
import { deleteLink, listLinks } from "./link.ts";
import { removePlan } from "./remove.ts";
import { deleteRule } from "./rule.ts";
import type { RouteSocket } from "./socket.ts";
import type { Plan } from "./step.ts";

const POD_COUNT = 3;

/** Takes a pod's link or one of its rules away, behind the plan's back. */
function cut(verb: "cutLink" | "cutRule", plan: Plan, host: RouteSocket): void {
  for (const step of plan.steps) {
    if (verb === "cutLink" && step.kind === "veth") {
      const link = listLinks(host).find(({ mac }) => mac === step.host.mac);
      if (link !== undefined) deleteLink(host, link.ifIndex);
    }
    if (verb === "cutRule" && step.kind === "rule") {
      refusalOf(() => deleteRule(host, step)); // it may be gone
      return;
    }
  }
}

/** Checks that the kernel holds a wanted plan, or nothing of it. */
function check(plan: Plan, host: RouteSocket, wanted: boolean): void {
  if (wanted) applyPlan(plan, host); // the sweep
  const differences = comparePlan(plan, host);
  assertEquals(differences.length, wanted ? 0 : plan.steps.length);
}

Deno.test("applyPlan() and removePlan() in any order leave exactly what was asked for last", async () => {
  using lab = new Lab();
  const host = lab.node.routes;
  applyPlan(lab.eniPlan(), host);
  const empty = dumpNamespace(host);
  const plans = Array.from(
    { length: POD_COUNT },
    (_, i) => lab.plan(lab.pod(), i),
  );
  const operation = fc.record({
    verb: fc.constantFrom("apply", "remove", "cutLink", "cutRule"),
    plan: fc.constantFrom(...plans),
  });
  const operations = fc.array(operation, { maxLength: 10 });
  const holds = fc.asyncProperty(operations, async (operations) => {
    const wanted = new Set<Plan>();
    for (const { verb, plan } of operations) {
      if (verb === "apply") applyPlan(plan, host);
      else if (verb === "remove") await removePlan(plan, host).done;
      else cut(verb, plan, host);
      if (verb === "apply") wanted.add(plan);
      if (verb === "remove") wanted.delete(plan);
    }
    for (const plan of plans) check(plan, host, wanted.has(plan));
    await Promise.all(plans.map((plan) => removePlan(plan, host).done));
    assertEquals(dumpNamespace(host), empty);
  });
  await fc.assert(holds, { numRuns: 20 });
});
