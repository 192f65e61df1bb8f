import { assertEquals } from "@std/assert";
import { undoWrites } from "./preflight_fix.ts";

const forwarding = (link: string): string => `net/ipv4/conf/${link}/forwarding`;

Deno.test("undoWrites() puts back what one setting changed besides, and leaves later links alone", () => {
  const writes = undoWrites({
    mend: {
      kind: "setting",
      key: "net/ipv4/ip_forward",
      was: "0",
      value: "1",
    },
    sides: {
      [forwarding("eth0")]: "0",
      [forwarding("eth1")]: "1",
      [forwarding("gone")]: "1",
    },
    atMs: 0,
  }, {
    [forwarding("eth0")]: "1",
    [forwarding("eth1")]: "1",
    [forwarding("later")]: "1",
  });
  assertEquals(writes, [
    { key: "net/ipv4/ip_forward", value: "0" },
    { key: forwarding("eth0"), value: "0" },
    { key: forwarding("eth1"), value: "1" },
    { key: forwarding("later"), value: "1" },
  ]);
});
