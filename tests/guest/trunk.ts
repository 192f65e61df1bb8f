/**
 * Member ENIs of a trunk, and what is left after many pods, in a guest.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { bundleOne } from "../../deploy/bundle.ts";
import type { GuestNode } from "./node.ts";
import type { TrunkSeen } from "./trunk_lab.ts";

/** How often pods of each datapath come and go. */
const ROUND_COUNT = 200;

/** On a busy machine; it takes a minute or two. */
const DEADLINE_MS = 300_000;

/**
 * Shows pods of a trunk: VLANs, and filters with a pair and with IPvlan, of
 * both families.
 *
 * @param t The test.
 * @param node The guest, in which the whole VPC is made.
 */
export async function showTrunk(
  t: Deno.TestContext,
  { guest, dir }: GuestNode,
): Promise<void> {
  const entry = "tests/guest/trunk_lab.ts";
  const path = await bundleOne(`${dir}/n1`, { name: "trunk_lab", entry });
  await guest.text("/run/modprobe", "ipv6");
  const run = ["run", "-A", "--no-config", "--no-check", path];
  const { stdout, stderr } = await guest.run(
    [Deno.execPath(), ...run, String(ROUND_COUNT)],
    { deadlineMs: DEADLINE_MS },
  );
  assert(stdout !== "", stderr);
  const seen: TrunkSeen = JSON.parse(stdout);
  await t.step("members of a trunk meet everybody, of both families", () => {
    assertEquals(seen.unanswered, []);
    assertEquals(seen.answered, 102);
    assertEquals(seen.differences, []);
  });
  await t.step(
    "pods of trunks and of IPvlan are made by their commands as well",
    () => assertEquals(seen.byCommands, []),
  );
  await t.step("a member's address is taken from no other member", () => {
    const [before, after] = seen.spoofed;
    assertEquals([before, after > before], [0, true]);
  });
  await t.step(
    `after ${ROUND_COUNT} DELs and ADDs of each nothing is left`,
    () => assertEquals(seen.left, []),
  );
}
