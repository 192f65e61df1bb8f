import { assert, assertThrows } from "@std/assert";
import { MUTANTS } from "./mutants.ts";
import { edited } from "./mutate.ts";

Deno.test("each mutant can still be made", async () => {
  for (const { edits } of MUTANTS) {
    const texts = new Map<string, string>();
    for (const edit of edits) {
      const url = new URL(`../../${edit.file}`, import.meta.url);
      const text = texts.get(edit.file) ?? await Deno.readTextFile(url);
      texts.set(edit.file, edited(text, edit));
    }
  }
  assert(MUTANTS.length >= 20);
});

Deno.test("edited() wants what it replaces to stand there once", () => {
  const edit = { file: "f", from: "a", to: "b" };
  assertThrows(() => edited("aa", edit), Error, "it does 2 times");
  assertThrows(() => edited("c", edit), Error, "it does 0 times");
});
