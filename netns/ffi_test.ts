import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { NetlinkError } from "./errno.ts";
import { bytesAt, check, cString, livingObjectCount, Owned } from "./ffi.ts";

Deno.test("cString() ends with a NUL and refuses one inside", () => {
  assertEquals([...cString("lo")], [108, 111, 0]);
  assertThrows(() => cString("l\0o"), RangeError, "NUL");
});

Deno.test("bytesAt() copies, and gives nothing for null", () => {
  const source = new Uint8Array([1, 2, 3]);
  const copy = bytesAt(Deno.UnsafePointer.of(source), 3);
  source[0] = 9;
  assertEquals([...copy], [1, 2, 3]);
  assertEquals(bytesAt(null, 3).length, 0);
});

Deno.test("check() passes what isn't negative and names libnl's code", () => {
  assertEquals(check("ip link show", 3), 3);
  const error = assertThrows(
    () => check("ip link show", -31),
    NetlinkError,
    "Cannot run `ip link show`: ENODEV (No such device)",
  );
  assertEquals(error.errno, "ENODEV");
});

Deno.test("Owned frees its object once and refuses to be used afterwards", () => {
  const before = livingObjectCount();
  let freedCount = 0;
  const pointer = Deno.UnsafePointer.of(new Uint8Array(1));
  const owned = new Owned(pointer, () => freedCount++);
  assertEquals(livingObjectCount(), before + 1);
  owned[Symbol.dispose]();
  owned[Symbol.dispose]();
  assertEquals([freedCount, livingObjectCount()], [1, before]);
  assertThrows(() => owned.pointer, ReferenceError);
});

Deno.test("Owned refuses null as out of memory", () => {
  const error = assertThrows(() => new Owned(null, () => {}), NetlinkError);
  assertEquals(error.errno, "ENOMEM");
});

Deno.test("libnlRoute() names the packages when the library is missing", async () => {
  // In a mount namespace of its own, where an empty file hides the library.
  const script = `
    library=$(ldconfig -p | awk '/libnl-route-3.so.200 / { print $NF; exit }')
    mount --bind /dev/null "$library" &&
    exec "$0" eval 'import { libnlRoute } from "${new URL(
    "./ffi.ts",
    import.meta.url,
  )}";
      try { libnlRoute(); } catch (error) { console.log(error.name, error.library, error.message); }'`;
  const output = await new Deno.Command("unshare", {
    args: ["--mount", "sh", "-c", script, Deno.execPath()],
    cwd: import.meta.dirname ?? ".",
  }).output();
  const said = new TextDecoder().decode(output.stdout);
  assertStringIncludes(
    said,
    "LibraryError libnl-route-3.so.200 Cannot open libnl-route-3.so.200: " +
      "install libnl-route-3-200 (Debian) or libnl3 (RPM)",
  );
});
