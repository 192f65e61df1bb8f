/**
 * A node that loses its power while pods run, in a guest.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ping } from "../fabric/inside.ts";
import { showDefaults } from "./defaults.ts";
import { namesOf, until } from "./looks.ts";
import type { GuestNode, GuestPod } from "./node.ts";

const POD_COUNT = 10;

interface LeaseSeen {
  readonly eniId: string;
  readonly ip: string;
  readonly ownerKey: string;
}

/**
 * Shows what is left of pods after a power cut: their leases, and nothing in
 * the kernel.
 *
 * @param t The test.
 * @param node The guest; its daemon is configured anew.
 */
export async function showReboot(
  t: Deno.TestContext,
  node: GuestNode,
): Promise<void> {
  const { guest, other, region } = node;
  await node.reconfigure({ network: {} });
  await showDefaults(t, node);
  const spoofedBefore = await region.fabric.spoofed();
  const before: GuestPod[] = [];
  for (let i = 0; i < POD_COUNT; i++) before.push(await node.addPod(`old${i}`));
  const leases = async (): Promise<readonly LeaseSeen[]> =>
    (await node.ask("status")).leases as readonly LeaseSeen[];
  const ipsOf = (list: readonly { ip: string }[]): string[] =>
    list.map(({ ip }) => ip).sort();
  assertEquals(ipsOf(await leases()), ipsOf(before));
  await t.step(
    "after a power cut leases are there, and cards are",
    async () => {
      const [{ eniId }] = await leases() as [LeaseSeen];
      // It comes loose meanwhile.
      await node.reboot(() => region.cloud.stranger.detachEni(eniId));
      assertEquals(ipsOf(await leases()), ipsOf(before));
      await until("the card is set up", async () => {
        const { links } = await guest.ask("dump", "");
        return links.some(({ name, up }) => name === "eth1" && up);
      });
      const { links, rules } = await guest.ask("dump", "");
      assertEquals(namesOf({ links } as never), ["lo", "eth0", "eth1"]);
      assertEquals(rules.filter(({ priority }) => priority === 512), []);
    },
  );
  await t.step(
    "new pods get addresses that nobody has, old ones go",
    async () => {
      const fresh: GuestPod[] = [];
      for (let i = 0; i < POD_COUNT; i++) {
        // As a runtime does: the dead sandbox goes, then its successor comes.
        assertEquals((await node.call("DEL", `old${i}`)).code, 0);
        fresh.push(await node.addPod(`new${i}`));
      }
      const held = ipsOf(await leases());
      assertEquals(held, ipsOf(fresh));
      assertEquals(new Set(held).size, POD_COUNT);
      const answers = await Promise.all(
        fresh.map(({ ip }) => ping(other.netns, ip)),
      );
      assert(answers.every((count) => count === 3), answers.join());
      assertEquals(await region.fabric.spoofed(), spoofedBefore);
      for (const { name } of fresh) await node.removePod(name);
    },
  );
}
