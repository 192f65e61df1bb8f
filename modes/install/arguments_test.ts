import { assertEquals, assertThrows } from "@std/assert";
import { readArguments } from "./arguments.ts";

Deno.test("readArguments() has the defaults of every runtime", () => {
  assertEquals(readArguments([]), {
    binDir: "/opt/cni/bin",
    confDir: "/etc/cni/net.d",
    socket: "/run/terway/terway.sock",
    tombstoneDir: "/var/lib/terway/tombstones",
    cniVersion: "1.0.0",
    waitMs: 300_000,
    aim: "install",
    dryRun: false,
    help: false,
  });
  const { binDir, waitMs, aim, launcher } = readArguments([
    ...["--cni-bin-dir", "/b//", "--wait=0.5", "--launcher-only"],
    ...["--launcher", "l"],
  ]);
  assertEquals([binDir, waitMs, aim, launcher], ["/b", 500, "launcher", "l"]);
});

Deno.test("readArguments() tells all problems at once", () => {
  const error = assertThrows(
    () =>
      readArguments([
        ...["pos", "--foo", "--cni-bin-dir", "b", "--cni-conf-dir="],
        ...["--socket", "s", "--state-dir", "x", "--cni-version", "9"],
        ...["--wait", "-1", "--launcher=", "--uninstall", "--launcher-only"],
      ]),
    SyntaxError,
  );
  const named = [
    ...["pos", "--foo", "--cni-bin-dir", "--cni-conf-dir", "--socket"],
    ...["--state-dir", "--cni-version", "--wait", "--launcher must"],
    "--launcher-only and --uninstall",
  ];
  for (const name of named) {
    const lines = error.message.split("\n").filter((line) =>
      line.startsWith(name)
    );
    assertEquals(lines.length, 1, name);
  }
  const long = `/${"x".repeat(300)}`;
  const too = assertThrows(
    () => readArguments(["--socket", long, "--state-dir", long]),
    SyntaxError,
  );
  assertEquals(too.message.split("\n").length, 2);
});
