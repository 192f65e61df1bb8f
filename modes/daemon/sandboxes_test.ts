import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Sandboxes } from "./sandboxes.ts";

Deno.test("Sandboxes.run() keeps the order on one sandbox", async () => {
  const sandboxes = new Sandboxes();
  const seen: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = sandboxes.run("a", async () => {
    await gate.promise;
    seen.push("a1");
  });
  const second = sandboxes.run("a", () => Promise.resolve(seen.push("a2")));
  await sandboxes.run("b", () => Promise.resolve(seen.push("b1")));
  gate.resolve();
  await Promise.all([first, second]);
  assertEquals(seen, ["b1", "a1", "a2"]);
  assertEquals(sandboxes.count, 0);
});

Deno.test("Sandboxes.run() goes on after a failure", async () => {
  const sandboxes = new Sandboxes();
  const failing = sandboxes.run("a", () => Promise.reject(new Error("no")));
  const next = sandboxes.run("a", () => Promise.resolve(7));
  await assertRejects(() => failing, Error, "no");
  assertEquals(await next, 7);
  assertEquals(sandboxes.count, 0);
});

Deno.test("Sandboxes.run() refuses an endless queue", async () => {
  const sandboxes = new Sandboxes();
  const gate = Promise.withResolvers<void>();
  const all = Array.from(
    { length: 64 },
    () => sandboxes.run("a", () => gate.promise),
  );
  assertThrows(() => sandboxes.run("a", () => gate.promise), RangeError);
  gate.resolve();
  await Promise.all(all);
});
