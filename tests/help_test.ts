/**
 * What the executable says of itself.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

async function terway(...args: string[]): Promise<Deno.CommandOutput> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, ...args],
    stdin: "null",
  });
  return await command.output();
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("terway --help names every mode, and each has a --help", async () => {
  const source = await Deno.readTextFile(MAIN);
  const modes = [...source.matchAll(/\["([a-z-]+)", \(\) => import/g)]
    .map((match) => match[1] ?? "");
  assert(modes.length >= 5);
  const usage = text((await terway("--help")).stdout);
  for (const mode of modes) {
    assert(new RegExp(`^  ${mode} +\\S`, "m").test(usage), mode);
    if (mode === "cni") continue;
    const { code, stdout } = await terway(mode, "--help");
    assertEquals(code, 0, mode);
    assertStringIncludes(text(stdout), `terway ${mode}`);
  }
});

Deno.test("a mode that isn't there is refused with the usage", async () => {
  for (const name of ["nonsense", "constructor", "toString", ""]) {
    const { code, stdout, stderr } = await terway(name);
    assertEquals([code, text(stdout)], [2, ""], name);
    assertStringIncludes(text(stderr), "usage: terway MODE", name);
  }
});
