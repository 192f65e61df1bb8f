import { assert, assertEquals } from "@std/assert";
import v8 from "node:v8";
import vm from "node:vm";
import { fill, on } from "./testing/rig.ts";

Deno.test("10,000 lease cycles leave journal, cloud and memory as they were", () =>
  on({ maxIdle: 12 }, async (rig) => {
    const cycle = async () => {
      await fill(rig, 10);
      for (let i = 0; i < 10; i++) await rig.keeper.release(`pod-${i}`);
      await rig.clock.advance(61_000);
      rig.news.length = 0;
    };
    for (let i = 0; i < 200; i++) await cycle();
    const changes = () => rig.calls.filter((one) => !one.startsWith("Desc"));
    const before = { bytes: heapBytes(), calls: changes().length };
    for (let i = 0; i < 800; i++) await cycle();
    const grownBytes = heapBytes() - before.bytes;
    assertEquals(changes().length, before.calls, "an idle stock needs no call");
    assertEquals(rig.keeper.leases(), []);
    const { enis, slots, leases } = rig.journal.load();
    assertEquals([enis.length, slots.length, leases.length], [2, 10, 0]);
    // 8,000 leases went by: 100 bytes left of each would be twice as much.
    assert(grownBytes < 400_000, `${grownBytes} bytes more`);
    Deno.stdout.writeSync(
      new TextEncoder().encode(`8,000 cycles: ${grownBytes} bytes of heap\n`),
    );
  }));

/** What is used after everything is collected that can be. */
function heapBytes(): number {
  v8.setFlagsFromString("--expose_gc");
  const collect = vm.runInNewContext("gc") as () => void;
  collect();
  return Deno.memoryUsage().heapUsed;
}
