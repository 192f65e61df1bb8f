/**
 * A node with a kernel of its own: what namespaces can't show.
 */
import { assertEquals } from "@std/assert";
import { ping } from "./fabric/inside.ts";
import { showIpvlan } from "./guest/ipvlan.ts";
import { linkOf, namesOf, until } from "./guest/looks.ts";
import { showMembers } from "./guest/members.ts";
import { GuestNode } from "./guest/node.ts";
import { guestTest } from "./guest/probe.ts";
import { showReboot } from "./guest/reboot.ts";
import { showTrunk } from "./guest/trunk.ts";

guestTest("a node with a kernel of its own", async (t) => {
  await using node = await GuestNode.open({ modules: ["ipv6"] });
  const { guest, other, region } = node;
  const fabricIsClean = async (): Promise<void> =>
    assertEquals(await region.fabric.spoofed(), 0);

  await t.step(
    "a pod is reached through a card that was plugged in while it ran",
    async () => {
      assertEquals(namesOf(await guest.ask("dump", "")), ["lo", "eth0"]);
      const pod = await node.addPod("web");
      const card = linkOf(await guest.ask("dump", ""), "eth1");
      // As on the real thing: no link kind, whatever it is recognised by.
      assertEquals(card.kind, undefined);
      assertEquals(await ping(other.netns, pod.ip), 3);
      assertEquals(await node.ping(pod.netns, other.primaryIp), 3);
      await node.removePod("web");
      await fabricIsClean();
    },
  );

  await t.step("a drain pulls its cards out", async () => {
    await node.reconfigure({ flags: ["--daemon-mode", "ENIOnly"] });
    assertEquals(namesOf(await guest.ask("dump", "")), ["lo", "eth0"]);
  });

  await t.step(
    "a card whose pod died without a word is home, and serves the next",
    async () => {
      const first = await node.addPod("first");
      const inPod = linkOf(await guest.ask("dump", first.netns), "eth0");
      assertEquals(inPod.kind, undefined);
      assertEquals(await ping(other.netns, first.ip), 3);
      await guest.ask("removeNamespace", first.netns);
      // The kernel's own doing, and under a name of its choice: eth0 is taken.
      const home = await until("the card is home", async () => {
        const { links } = await guest.ask("dump", "");
        return links.find(({ mac }) => mac === inPod.mac);
      });
      assertEquals([home.name === "eth0", home.up], [false, false]);
      assertEquals((await node.call("DEL", "first")).code, 0);
      await until("the card has its name again", async () => {
        const { links } = await guest.ask("dump", "");
        return links.find(({ mac, name }) =>
          mac === inPod.mac && name === "eth1"
        );
      });
      const second = await node.addPod("second");
      assertEquals(await ping(other.netns, second.ip), 3);
      await node.removePod("second");
      await fabricIsClean();
    },
  );

  await showIpvlan(t, node);
  await showTrunk(t, node);
  await showMembers(t, node);
  await showReboot(t, node);
});
