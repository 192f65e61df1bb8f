import { assertEquals, assertThrows } from "@std/assert";
import { type Command, readCommand } from "./arguments.ts";
import { StageError } from "./description.ts";

function check(line: string, expected: Command): void {
  assertEquals(readCommand(line.split(" ").filter(Boolean)), expected);
}

function checkRefused(line: string, message: string): void {
  const words = line.split(" ").filter(Boolean);
  assertThrows(() => readCommand(words), StageError, message);
}

Deno.test("readCommand() reads every command", () => {
  const dir = "/run/terway-stage";
  check("", { name: "help", dir });
  check("up", { name: "up", dir, nodeCount: 2, zoneCount: 2 });
  check("up --nodes 3 --zones=1 --dir /tmp/x --config eni.json", {
    name: "up",
    dir: "/tmp/x",
    nodeCount: 3,
    zoneCount: 1,
    config: "eni.json",
  });
  check("down --dir /tmp/x", { name: "down", dir: "/tmp/x" });
  check("pod add web", { name: "pod add", dir, pod: "web" });
  check("pod add 7 --node n1", { name: "pod add", dir, pod: "7", node: "n1" });
  check("pod ls", { name: "pod ls", dir });
  check("pod del web", { name: "pod del", dir, pod: "web" });
  check("pod exec web", {
    name: "pod exec",
    dir,
    pod: "web",
    command: ["/bin/sh"],
  });
  check("pod exec web -- ping -c 1 10.0.0.7", {
    name: "pod exec",
    dir,
    pod: "web",
    command: ["ping", "-c", "1", "10.0.0.7"],
  });
  check("node exec n1 -- ip -d rule --dir x", {
    name: "node exec",
    dir,
    node: "n1",
    command: ["ip", "-d", "rule", "--dir", "x"],
  });
});

Deno.test("readCommand() says what it can't understand", () => {
  checkRefused("upp", 'Cannot understand "upp"');
  checkRefused("up now", 'Cannot understand "now" after "up"');
  checkRefused("up --node-count 3", "Cannot understand --node-count");
  checkRefused("up --nodes 0", "--nodes 0 as it must be 1 to 32");
  checkRefused("up --zones two", "--zones two as it must be 1 to 16");
  checkRefused("pod", 'Cannot understand "pod"');
  checkRefused("pod add", "without a pod's name");
  checkRefused("pod del a b", 'Cannot understand "b"');
  checkRefused("node ls", 'Cannot understand "node ls"');
});
