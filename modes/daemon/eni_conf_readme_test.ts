import { assertEquals } from "@std/assert";
import { KEYS } from "./eni_conf_schema.ts";
import { LEGACY, UNREAD } from "./eni_conf_support.ts";

/** Both say the same. */
const READMES = ["README.md", "README.zh-CN.md"];

/** What stands in the first column of the table of keys. */
async function keysOf(
  readme: string,
): Promise<{ text: string; keys: Set<string>; marked: Set<string> }> {
  const url = new URL(`../../${readme}`, import.meta.url);
  const text = await Deno.readTextFile(url);
  const from = text.indexOf("\n| `version` |");
  const cells = text.slice(from, text.indexOf("\n\n", from))
    .split("\n")
    .map((row) => row.split("|")[1] ?? "");
  const found = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`( ○)?/g)]);
  return {
    text,
    keys: new Set(found.map(([, key = ""]) => key)),
    marked: new Set(
      found.filter(([, , mark]) => mark !== undefined).map(([, key = ""]) =>
        key
      ),
    ),
  };
}

Deno.test("the READMEs have every key, and mark those that nothing reads yet", async () => {
  for (const readme of READMES) {
    const { text, keys, marked } = await keysOf(readme);
    assertEquals(keys, new Set(KEYS), readme);
    assertEquals(marked, new Set(UNREAD.keys()), readme);
    for (const key of LEGACY) {
      assertEquals(text.match(`\`${key}\``)?.length, 1, `${readme}: ${key}`);
    }
  }
});
