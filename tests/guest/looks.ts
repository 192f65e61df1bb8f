/**
 * What tests of guests look at.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { NamespaceDump } from "../../netns/dump.ts";

/** What a machine does by itself takes it a second or two. */
const UNTIL_MS = 15_000;

/**
 * Gives the names of links.
 *
 * @param dump A namespace.
 * @returns By rising index.
 */
export function namesOf({ links }: NamespaceDump): readonly string[] {
  return links.map(({ name }) => name);
}

/**
 * Finds a link that must be there.
 *
 * @param dump A namespace.
 * @param name The link's name.
 * @returns The link.
 */
export function linkOf(
  { links }: NamespaceDump,
  name: string,
): NamespaceDump["links"][number] {
  const link = links.find((one) => one.name === name);
  assert(link !== undefined, `there is no ${name}`);
  return link;
}

/**
 * Looks until something is there.
 *
 * @typeParam T What is looked for.
 * @param what Names it, for the error.
 * @param look Looks once.
 * @returns It.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadlineMs = performance.now() + UNTIL_MS;
  while (performance.now() < deadlineMs) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it never came to be that ${what}`);
}
