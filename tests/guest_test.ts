/**
 * A node with a kernel of its own: what namespaces can't show.
 */
import { assert, assertEquals } from "@std/assert";
import { ping } from "./fabric/inside.ts";
import { guestTest } from "./guest/probe.ts";
import { GuestNode } from "./guest/node.ts";

guestTest(
  "a pod of a guest is reached through a card that was plugged in while it ran",
  async () => {
    await using node = await GuestNode.open();
    const before = await node.guest.ask("dump", "");
    assertEquals(before.links.map(({ name }) => name), ["lo", "eth0"]);
    const pod = await node.addPod("web");
    const after = await node.guest.ask("dump", "");
    const card = after.links.find(({ name }) => name === "eth1");
    assert(card !== undefined, "no card was plugged in");
    // As on the real thing: no link kind, whatever it is recognised by.
    assertEquals(card.kind, undefined);
    assertEquals(await ping(node.other.netns, pod.ip), 3);
    assertEquals(await node.ping(pod.netns, node.other.primaryIp), 3);
    assertEquals(await node.region.fabric.spoofed(), 0);
    await node.removePod("web");
    assertEquals(await ping(node.other.netns, pod.ip), 0);
  },
);
