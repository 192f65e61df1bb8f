/**
 * Tests that need a guest: skipped aloud where there can be none, but not
 * where everything must be shown.
 *
 * @module
 */
import { whyNoGuest } from "../guest.ts";

/** Set by continuous integration: there a skip is a failure. */
const MUST = "CI";

/**
 * Registers a test that boots guests.
 *
 * @param name What it shows.
 * @param work The test.
 */
export function guestTest(
  name: string,
  work: (t: Deno.TestContext) => Promise<void>,
): void {
  const why = whyNoGuest();
  if (why === undefined) return Deno.test(name, work);
  const title = `${name} (skipped: no guest can be had: ${why})`;
  const must = (Deno.env.get(MUST) ?? "") !== "";
  Deno.test(title, { ignore: !must }, () => {
    throw new Error(`No guest can be had here: ${why}`);
  });
}
