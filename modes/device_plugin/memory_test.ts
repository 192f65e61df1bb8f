import { assertEquals } from "@std/assert";
import { recall, remember } from "./memory.ts";

Deno.test("recall() gives what was remembered of this node, and nothing else", async () => {
  const folder = await Deno.makeTempDir({ prefix: "terway-" });
  const path = `${folder}/last.json`;
  try {
    assertEquals(await recall(path, "n1"), undefined);
    await remember(path, { nodeName: "n1", count: 3 });
    assertEquals(await recall(path, "n1"), 3);
    assertEquals(await recall(path, "n2"), undefined);
    for (const text of ["", "{", "null", '{"nodeName":"n1","count":-1}']) {
      await Deno.writeTextFile(path, text);
      assertEquals(await recall(path, "n1"), undefined, text);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
