import { assertEquals, assertThrows } from "@std/assert";
import { PoolError } from "./error.ts";
import { type Journal, openJournal } from "./journal.ts";
import { Members } from "./members.ts";
import { Written } from "./written.ts";

function wish(ownerKey: string, ip: string) {
  return {
    ...{ ownerKey, ip, eniId: "eni-m", ip6: `fd00::${ip.at(-1)}` },
    ...{ recipe: "vlan/1", attachment: { vlanId: 7 } },
  };
}

function open(): Journal {
  return openJournal(":memory:", { instanceId: "i-1" });
}

Deno.test("a member's lease outlives the process, and no card hears of it", () => {
  using journal = open();
  const lease = new Members(journal).claim(wish("terway/c1/eth0", "10.1.0.9"));
  const next = new Members(journal);
  assertEquals(next.leases(), [lease]);
  assertEquals(new Written(journal).load(0).enis.size, 0);
  // The same owner gets the same again.
  assertEquals(next.claim(wish("terway/c1/eth0", "10.1.0.8")), lease);
  assertEquals(next.release("terway/c1/eth0"), lease);
  assertEquals(next.release("terway/c1/eth0"), undefined);
  const { leases, slots } = journal.load();
  assertEquals([leases, slots, new Members(journal).leases()], [[], [], []]);
});

Deno.test("a kept address waits for the sandbox that had it", () => {
  using journal = open();
  const members = new Members(journal);
  members.claim(wish("terway/old/eth0", "10.1.0.9"));
  assertThrows(
    () => members.claim(wish("terway/new/eth0", "10.1.0.9")),
    PoolError,
    "terway/old/eth0 has it still",
  );
  members.release("terway/old/eth0");
  assertEquals(
    members.claim(wish("terway/new/eth0", "10.1.0.9")).ip,
    "10.1.0.9",
  );
});
