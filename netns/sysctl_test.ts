import { assertEquals, assertThrows } from "@std/assert";
import { NetlinkError } from "./errno.ts";
import { Lab } from "./lab.ts";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const KEY = "net/ipv6/conf/eth1/accept_ra";

Deno.test("writeSysctl() and readSysctl() work in the namespace that they are given", () => {
  using lab = new Lab();
  const { namespace, run } = lab.node;
  writeSysctl({ key: KEY, value: "0" }, namespace);
  assertEquals(readSysctl(KEY, namespace), "0");
  assertEquals(run.call(lab.node, "sysctl", "-n", KEY).trim(), "0");
  assertEquals(readSysctl(KEY), undefined);
});

Deno.test("a setting that isn't there is undefined, and can't be written", () => {
  using lab = new Lab();
  const { namespace } = lab.node;
  const key = "net/ipv6/conf/never/accept_ra";
  assertEquals(readSysctl(key, namespace), undefined);
  const error = assertThrows(
    () => writeSysctl({ key, value: "0" }, namespace),
    NetlinkError,
  );
  assertEquals([error.op, error.errno], [`sysctl ${key}=0`, "ENOENT"]);
});

Deno.test("a value that the kernel doesn't take is its refusal", () => {
  using lab = new Lab();
  const error = assertThrows(
    () => writeSysctl({ key: KEY, value: "much" }, lab.node.namespace),
    NetlinkError,
  );
  assertEquals(error.errno, "EINVAL");
});

Deno.test("only settings of the network can be named", () => {
  for (const key of ["kernel/panic", "net/../kernel/panic", "net", "/net/a"]) {
    assertThrows(() => readSysctl(key), SyntaxError, key);
  }
});
