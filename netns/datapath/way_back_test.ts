import { assert, assertEquals } from "@std/assert";
import { comparePlan } from "../compare.ts";
import { Lab, testWhere } from "../lab.ts";
import { type Nft, type NftCommand, type NftObject, openNft } from "../nft.ts";
import { probe } from "../probe.ts";
import { command } from "../step.ts";
import {
  isWayBack,
  makeWayBack,
  removeWayBack,
  WAY_BACK_TABLE,
  wayBackCommands,
  wayBackPlan,
} from "./way_back.ts";

const needs = [probe().nft];

const LIST: NftCommand = { list: { ruleset: null } };

function rulesOf(nft: Nft): readonly Record<string, unknown>[] {
  return nft.run([LIST]).map((object: NftObject) => object["rule"])
    .filter((rule) => rule !== undefined) as Record<string, unknown>[];
}

Deno.test("wayBackPlan() leads marked packets by table main", () => {
  assertEquals(wayBackPlan([4, 6]).steps.map((step) => command(step)), [
    "ip rule add priority 1024 fwmark 0x10/0x10 lookup main",
    "ip rule add priority 1025 fwmark 0x4000/0x4000 lookup main",
    "ip -6 rule add priority 1024 fwmark 0x10/0x10 lookup main",
    "ip -6 rule add priority 1025 fwmark 0x4000/0x4000 lookup main",
  ]);
});

testWhere({
  needs,
  name: "makeWayBack() makes its table, again and again, and no other",
  fn: () => {
    using lab = new Lab();
    using nft = openNft(lab.node.routes.namespace);
    const other = { family: "ip", name: "another" };
    nft.run([{ add: { table: other } }]);
    assert(!isWayBack(nft.run([LIST])));
    nft.run(makeWayBack());
    nft.run(makeWayBack());
    assert(isWayBack(nft.run([LIST])));
    assertEquals(rulesOf(nft).length, 3);
    nft.run(removeWayBack());
    nft.run(removeWayBack());
    const left = nft.run([LIST]);
    assertEquals(left.length, 1);
    assertEquals((left[0]?.["table"] as { name: string }).name, other.name);
  },
});

testWhere({
  needs,
  name: "wayBackCommands() make what plan and table are",
  fn: () => {
    using lab = new Lab();
    const { node } = lab;
    using nft = openNft(node.routes.namespace);
    nft.run(makeWayBack());
    const made = node.run("nft", "list", "ruleset");
    nft.run(removeWayBack());
    node.run("sh", "-ec", wayBackCommands([4, 6]).join("\n"));
    assert(isWayBack(nft.run([LIST])));
    assertEquals(node.run("nft", "list", "ruleset"), made);
    assertEquals(comparePlan(wayBackPlan([4, 6]), node.routes), []);
  },
});

testWhere({
  needs,
  name: "isWayBack() misses a rule, a chain, and what was written over",
  fn: () => {
    using lab = new Lab();
    using nft = openNft(lab.node.routes.namespace);
    const { family, name: table } = WAY_BACK_TABLE;
    const damages: ((rule: Record<string, unknown>) => NftCommand[])[] = [
      ({ chain, handle }) => [
        { delete: { rule: { family, table, chain, handle } } },
      ],
      ({ chain }) => [{ flush: { chain: { family, table, name: chain } } }],
      ({ chain, handle }) => {
        const expr = [{ accept: null }];
        return [{ replace: { rule: { family, table, chain, handle, expr } } }];
      },
      ({ chain }) => {
        const expr = [{ accept: null }];
        return [{ add: { rule: { family, table, chain, expr } } }];
      },
    ];
    for (const damage of damages) {
      nft.run(makeWayBack());
      assert(isWayBack(nft.run([LIST])));
      const [rule] = rulesOf(nft);
      assert(rule !== undefined);
      nft.run(damage(rule));
      assert(!isWayBack(nft.run([LIST])));
    }
  },
});
