import { assertEquals, assertThrows } from "@std/assert";
import { stampLauncher } from "./stamp.ts";

const SLOT_BYTES = 16 + 108 + 256 + 16;

/** A program as far as stamping goes: a slot between other bytes. */
function program(slotCount = 1): Uint8Array {
  const slot = new Uint8Array(SLOT_BYTES).fill(0x7f);
  slot.set(new TextEncoder().encode("TERWAY-SLOT-0001"));
  const around = new TextEncoder().encode("TERWAY1\nTERWAY-SLOT-");
  return new Uint8Array([
    ...around,
    ...Array.from({ length: slotCount }, () => [...slot]).flat(),
    ...around,
  ]);
}

Deno.test("stampLauncher() fills the slot and nothing else", () => {
  const before = program();
  const after = stampLauncher(before, {
    socket: "/run/a.sock",
    tombstoneDir: "/var/t",
    replyTimeoutMs: 500,
  });
  assertEquals(before, program());
  const text = new TextDecoder().decode(after).replaceAll("\0", "");
  assertEquals(
    text,
    "TERWAY1\nTERWAY-SLOT-TERWAY-SLOT-0001/run/a.sock/var/t500TERWAY1\n" +
      "TERWAY-SLOT-",
  );
  assertEquals(after.length, before.length);
  assertEquals(
    stampLauncher(after, {}),
    stampLauncher(before, {
      socket: "/run/terway/terway.sock",
      tombstoneDir: "/var/lib/terway/tombstones",
    }),
  );
});

Deno.test("stampLauncher() refuses what a launcher can't hold", () => {
  stampLauncher(program(), { socket: "/" + "x".repeat(106) });
  for (
    const stamp of [
      { socket: "/" + "x".repeat(107) },
      { socket: "terway.sock" },
      { socket: '/a"b' },
      { tombstoneDir: "/\\" },
      { tombstoneDir: "/ä" },
      { replyTimeoutMs: 0 },
      { replyTimeoutMs: 1.5 },
    ]
  ) {
    assertThrows(() => stampLauncher(program(), stamp), RangeError);
  }
  for (const slotCount of [0, 2]) {
    assertThrows(() => stampLauncher(program(slotCount), {}), TypeError);
  }
});
