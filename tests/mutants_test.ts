import { assert } from "@std/assert";
import { MUTANTS } from "./simulate/mutants.ts";
import { Copy } from "./simulate/mutate.ts";

Deno.test(`each of ${MUTANTS.length} mistakes in the pool is found`, async (test) => {
  await using copy = await Copy.make();
  for (const mutant of MUTANTS) {
    await test.step(mutant.name, async () => {
      const { isFound, said } = await copy.try(mutant);
      assert(isFound, said);
    });
  }
});
