import { assert } from "@std/assert";
import { Unheard } from "./unheard.ts";

const NEW = { isNew: true };
const AGAIN = { isNew: false };

Deno.test("Unheard takes back what nobody heard of", () => {
  const unheard = new Unheard();
  const first = unheard.answered("a", NEW);
  assert(unheard.isForgotten("a", first));
  unheard.ended("a");
  assert(!unheard.isForgotten("a", first));
});

Deno.test("Unheard leaves a lease to the ADD that was answered last", () => {
  const unheard = new Unheard();
  const first = unheard.answered("a", NEW);
  const second = unheard.answered("a", AGAIN);
  assert(!unheard.isForgotten("a", first));
  assert(unheard.isForgotten("a", second));
  unheard.arrived("a", first);
  assert(!unheard.isForgotten("a", second));
});

Deno.test("Unheard leaves a lease that was heard of", () => {
  const unheard = new Unheard();
  unheard.arrived("a", unheard.answered("a", NEW));
  const retried = unheard.answered("a", AGAIN);
  assert(!unheard.isForgotten("a", retried));
});

Deno.test("Unheard doesn't take a late arrival for the successor's", () => {
  const unheard = new Unheard();
  const first = unheard.answered("a", NEW);
  unheard.ended("a");
  const successor = unheard.answered("a", NEW);
  unheard.arrived("a", first);
  assert(!unheard.isForgotten("a", first));
  assert(unheard.isForgotten("a", successor));
});
