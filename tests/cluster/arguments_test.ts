import { assertEquals, assertThrows } from "@std/assert";
import { StageError } from "../stage/description.ts";
import { readCommand } from "./arguments.ts";
import { DEFAULT_CLUSTER_DIR } from "./description.ts";

const dir = DEFAULT_CLUSTER_DIR;

Deno.test("readCommand() begins two nodes in two zones without a network", () => {
  assertEquals(readCommand(["up"]), {
    name: "up",
    dir,
    nodeCount: 2,
    zoneCount: 2,
    network: "none",
    proxy: "nftables",
    families: "ipv4",
  });
});

Deno.test("readCommand() leaves kubectl's words to kubectl", () => {
  assertEquals(
    readCommand(["--dir", "/tmp/c", "kubectl", "get", "--dir", "-o=wide"]),
    { name: "kubectl", words: ["get", "--dir", "-o=wide"], dir: "/tmp/c" },
  );
});

Deno.test("readCommand() runs a shell on a machine unless told", () => {
  assertEquals(readCommand(["exec", "n1"]), {
    name: "exec",
    machine: "n1",
    command: ["/bin/sh"],
    dir,
  });
  assertEquals(readCommand(["exec", "cp", "--", "ip", "-d", "link"]), {
    name: "exec",
    machine: "cp",
    command: ["ip", "-d", "link"],
    dir,
  });
});

Deno.test("readCommand() refuses what it can't do, and says what it can", () => {
  const refused: readonly (readonly [string[], string])[] = [
    [["fly"], '"fly"'],
    [["up", "--nodes", "0"], "--nodes 0"],
    [["up", "--network", "moon"], "none, ptp, terway, terway-eni, terway-vpc"],
    [["up", "--moon"], "--moon"],
    [["up", "--families", "ipv6"], "ipv4, ipv4,ipv6"],
    [
      ["up", "--families", "ipv4,ipv6", "--network", "terway-vpc"],
      "--network terway-vpc",
    ],
    [["down", "now"], '"now"'],
    [["exec"], "machine"],
    [["kill", "n1"], "daemon"],
    [["--dir"], "folder"],
    [["--dir", "/run/cluster", "up"], "/run"],
  ];
  for (const [words, said] of refused) {
    assertThrows(() => readCommand(words), StageError, said);
  }
});
