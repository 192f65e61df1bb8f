import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readArguments } from "./arguments.ts";

Deno.test("readArguments() fills defaults", () => {
  assertEquals(readArguments([]), {
    config: "/etc/eni/eni.conf",
    socket: "/run/terway/terway.sock",
    stateDir: "/var/lib/terway",
    mode: "ENIMultiIP",
    logLevel: "info",
    addDeadlineMs: 60_000,
    drain: false,
    help: false,
  });
});

Deno.test("readArguments() tells every problem at once", () => {
  const error = assertThrows(
    () =>
      readArguments([
        "extra",
        "--nosuch",
        "--log-level=loud",
        "--daemon-mode",
        "Bridge",
        "--add-deadline=99",
        "--socket=",
      ]),
    SyntaxError,
  );
  for (
    const part of ["--nosuch", "extra", "loud", "Bridge", '"99"', "--socket"]
  ) {
    assertStringIncludes(error.message, part);
  }
});

Deno.test("readArguments() leaves to terway install what is its own", () => {
  const { install } = readArguments(["--install", "--cni-bin-dir=/b"]);
  assertEquals(install, ["--cni-bin-dir", "/b"]);
  assertEquals(readArguments(["--install"]).install, []);
  assertThrows(
    () => readArguments(["--cni-bin-dir=/b"]),
    SyntaxError,
    "--install",
  );
});

Deno.test("readArguments() wants a pod CIDR in mode VPC, and only there", () => {
  const args = ["--daemon-mode=VPC", "--pod-cidr=172.30.1.0/24"];
  assertEquals(readArguments(args).podCidr, "172.30.1.0/24");
  for (
    const [wrong, part] of [
      [["--daemon-mode=VPC"], "--pod-cidr must be given"],
      [["--pod-cidr=172.30.1.0/24"], "no effect without --daemon-mode VPC"],
      [["--daemon-mode=VPC", "--pod-cidr=172.30.1.4/24"], "host bits"],
      [["--daemon-mode=VPC", "--pod-cidr=fd00::/64"], "IPv4 prefix"],
      [["--daemon-mode=VPC", "--pod-cidr=nonsense"], "nonsense"],
    ] as const
  ) {
    const { message } = assertThrows(() => readArguments(wrong), SyntaxError);
    assertStringIncludes(message, part);
  }
});

Deno.test("a node's name makes it one of a cluster, a namespace is at hand", () => {
  assertEquals(readArguments(["--node", "n1"]).cluster, {
    nodeName: "n1",
    namespace: "kube-system",
  });
  assertEquals(readArguments([]).cluster, undefined);
  assertThrows(
    () => readArguments(["--kubeconfig", "/k"]),
    SyntaxError,
    "--kubeconfig needs --node",
  );
});

Deno.test("health is served where it is told, and nowhere else", () => {
  assertEquals(readArguments(["--http", "[::1]:9479"]).http, {
    hostname: "::1",
    port: 9479,
  });
  assertEquals(readArguments([]).http, undefined);
  assertThrows(() => readArguments(["--http", "9479"]), SyntaxError, "--http");
});
