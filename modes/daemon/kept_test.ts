import { assertEquals } from "@std/assert";
import type { Lease } from "../../pool/state.ts";
import { expired, isKept, KEEP_MS, keeperOf } from "./kept.ts";

const OWNER = { network: "terway", containerId: "c1", ifName: "eth0" };

function lease(attachment: Readonly<Record<string, unknown>>): Lease {
  const { ownerKey = "terway/c1/eth0", ...rest } = attachment;
  return {
    ownerKey,
    attachment: { owner: OWNER, recipe: "veth/1", ...rest },
  } as unknown as Lease;
}

Deno.test("only a named pod of a kind that stays is kept, and no card is", () => {
  const pod = { namespace: "shop", name: "db-0" };
  const key = "~kept/terway/shop/db-0/eth0";
  const check = (more: Record<string, unknown>, expected?: string) =>
    assertEquals(keeperOf(lease(more)), expected);
  check({ pod, keepsAddress: true }, key);
  check({ pod, keepsAddress: true, recipe: "vpc/1" }, key);
  check({ pod });
  check({ keepsAddress: true });
  check({ pod, keepsAddress: true, recipe: "exclusive/1" });
});

Deno.test("what is kept ends with its time, and when a clock was turned back", () => {
  const kept = (name: string, keptUntilMs?: number) =>
    lease({
      ownerKey: `~kept/terway/shop/${name}/eth0`,
      ...keptUntilMs !== undefined && { keptUntilMs },
    });
  const nowMs = 1_000_000;
  const leases = [
    lease({}),
    kept("over", nowMs),
    kept("soon", nowMs + 1),
    kept("untimed"),
    kept("far", nowMs + KEEP_MS + 1),
  ];
  assertEquals(leases.filter(isKept).length, 4);
  assertEquals(
    expired(leases, nowMs).map((key) => key.split("/")[3]),
    ["over", "untimed", "far"],
  );
});
