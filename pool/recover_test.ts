import { assert, assertEquals } from "@std/assert";
import { openJournal } from "./journal.ts";
import { on, wishFor } from "./testing/rig.ts";

Deno.test("a lease of a lost journal is taken up, and nobody else gets its address", () =>
  on({ maxIdle: 5 }, async (rig) => {
    const lost = await rig.lease("a");
    await rig.keeper.stop();
    const { instanceId } = rig.stand;
    using journal = openJournal(":memory:", { instanceId });
    rig.keeper = rig.open({ journal });
    await rig.start();

    const { attach } = wishFor("a");
    const wish = { ownerKey: "a", ips: [lost.ip], attach };
    const found = await rig.within(
      rig.keeper.recover(wish, rig.deadline(5_000)),
      5_001,
    );
    assertEquals(found?.ip, lost.ip);
    assertEquals(found?.attachment, lost.attachment);
    assertEquals(journal.load().leases.map(({ ip }) => ip), [lost.ip]);
    assertEquals(rig.keeper.lease("a")?.eniId, lost.eniId);
    assertEquals(
      await rig.keeper.recover(wish, rig.deadline(5_000)),
      found,
      "twice is once",
    );

    const next = await rig.lease("b");
    assert(next.ip !== lost.ip);
    await rig.keeper.release("a");
    assertEquals(rig.keeper.status().slots.cooling, 1);
    await rig.keeper.stop();
  }));

Deno.test("only an address in quarantine is taken up", () =>
  on({ minIdle: 2 }, async (rig) => {
    const { ip } = await rig.lease("a");
    await rig.clock.advance(10_000);
    for (const one of [ip, "10.9.9.9"]) {
      const wish = { ...wishFor("b"), ips: [one] };
      assertEquals(
        await rig.keeper.recover(wish, rig.deadline(5_000)),
        undefined,
      );
    }
    assertEquals(rig.keeper.leases().length, 1);
  }));

Deno.test("a lease passes to another owner in one commit, and to nobody twice", () =>
  on({ maxIdle: 5 }, async (rig) => {
    const before = await rig.lease("a");
    const pass = (ownerKey: string, from: string) =>
      rig.within(
        rig.keeper.recover(
          { ...wishFor(ownerKey), ips: [before.ip], from },
          rig.deadline(5_000),
        ),
        5_001,
      );
    assertEquals(await pass("b", "nobody"), undefined);
    const passed = await pass("b", "a");
    assertEquals([passed?.ip, passed?.eniId], [before.ip, before.eniId]);
    assertEquals(
      rig.keeper.leases().map(({ ownerKey }) => ownerKey),
      ["b"],
    );
    assertEquals(await pass("c", "a"), undefined);
    assertEquals(
      await rig.keeper.release("a"),
      undefined,
      "a late release of the first owner frees nothing",
    );
    assertEquals(rig.keeper.status().slots.leased, 1);
    await rig.keeper.release("b");
    assertEquals(rig.keeper.status().slots.cooling, 1);
  }));
