import { assertEquals } from "@std/assert";
import { ensurePackages, findMissing } from "./packages.ts";

const SHELL = { name: "dash", why: "scripts", probe: "sh" };
const NONE = { name: "no-such-package", why: "nothing", probe: "no-such" };

Deno.test("what is there isn't missing, be it a program or a library", async () => {
  const library = { name: "libc6", why: "all", probe: "libc.so.6" };
  assertEquals(await findMissing([SHELL, library]), []);
  assertEquals(await findMissing([SHELL, NONE]), [NONE]);
});

Deno.test("nothing is said when nothing is missing", async () => {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  assertEquals(await ensurePackages([SHELL], { yes: true, say }), []);
  assertEquals(lines, []);
});
