import { assertEquals } from "@std/assert";
import { Lab, refusalOf } from "./lab.ts";
import { addRule, deleteRule, listRules } from "./rule.ts";

const RULES = [
  { priority: 512, to: "10.0.0.20/32", table: 254, family: 4 },
  { priority: 2048, from: "10.0.0.20/32", table: 1002, family: 4 },
  { priority: 2048, from: "fd00::20/128", table: 1002, family: 6 },
  {
    priority: 3000,
    from: "10.0.0.0/8",
    to: "10.1.0.0/16",
    table: 9,
    family: 4,
  },
  { priority: 3001, table: 1002, family: 6 },
  { priority: 1024, mark: 0x10, table: 254, family: 4 },
] as const;

Deno.test("addRule() and deleteRule() work with every form", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const before = listRules(routes);
  for (const rule of RULES) {
    addRule(routes, rule);
    const seen = listRules(routes).filter(({ priority, family }) =>
      priority === rule.priority && family === rule.family
    );
    assertEquals(seen, [rule]);
    assertEquals(refusalOf(() => addRule(routes, rule)), "EEXIST");
    assertEquals(
      refusalOf(() => deleteRule(routes, { ...rule, table: 77 })),
      "ENOENT",
    );
  }
  for (const rule of RULES) {
    deleteRule(routes, rule);
    assertEquals(refusalOf(() => deleteRule(routes, rule)), "ENOENT");
  }
  assertEquals(listRules(routes), before);
});

Deno.test("listRules() gives the rules of a family in the order of their use", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  addRule(routes, { priority: 2048, from: "10.0.0.9/32", table: 5 });
  addRule(routes, { priority: 512, to: "10.0.0.9/32", table: 254 });
  addRule(routes, { priority: 2048, from: "10.0.0.9/32", table: 4 });
  const seen = listRules(routes).filter(({ family }) => family === 4)
    .map(({ priority, table }) => [priority, table]);
  assertEquals(seen.slice(1, 4), [[512, 254], [2048, 5], [2048, 4]]);
});
