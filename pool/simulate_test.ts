import { assertEquals } from "@std/assert";
import { simulate } from "./testing/simulation.ts";

Deno.test("whatever happens to a node, its pool keeps its promises", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    await simulate({ seed, stepCount: 150 });
  }
});

Deno.test("the same seed gives the same life", async () => {
  const [one, two] = [
    await simulate({ seed: 7, stepCount: 150 }),
    await simulate({ seed: 7, stepCount: 150 }),
  ];
  assertEquals(one, two);
});
