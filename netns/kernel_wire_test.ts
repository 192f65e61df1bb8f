import { assertEquals, assertInstanceOf } from "@std/assert";
import { NetlinkError } from "./errno.ts";
import { LibraryError } from "./ffi.ts";
import { fromError, toError } from "./kernel_wire.ts";
import { NamespaceError } from "./namespace.ts";
import { TakenError } from "./places.ts";

/** Sends an error across, as `postMessage` does. */
function cross(error: unknown): Error {
  return toError(structuredClone(fromError(error)));
}

Deno.test("toError() gives every class back with its fields, message and cause", () => {
  const cause = new NetlinkError({ op: "open /x", errno: "ENOENT" });
  const errors = [
    new NetlinkError({ op: "ip link add a", errno: "EEXIST" }),
    new NetlinkError({ op: "ip link add a", errno: "EPERM", detail: "No" }),
    new NamespaceError("missing", "/x", { cause }),
    new TakenError("link eth0", "a veth"),
    new LibraryError("libnl-3.so.200", "Cannot open libnl-3.so.200"),
    new RangeError("too long"),
    new SyntaxError("no MAC"),
    new TypeError("no pod"),
  ];
  for (const error of errors) {
    const arrived = cross(error);
    assertEquals(arrived.constructor, error.constructor);
    assertEquals(arrived.message, error.message);
    assertEquals({ ...arrived }, { ...error });
    assertEquals(
      (arrived.cause as Error | undefined)?.message,
      (error.cause as Error | undefined)?.message,
    );
  }
});

Deno.test("toError() gives a plain error for what isn't known", () => {
  class Odd extends Error {}
  assertInstanceOf(cross(new Odd("odd")), Error);
  assertEquals(cross(new Odd("odd")).message, "odd");
  assertEquals(cross("a text").message, "a text");
});
