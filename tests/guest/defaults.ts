/**
 * Default routes that strangers offer over an ENI of pods, in a guest: a DHCP
 * client's, and a router's by a real advertisement.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compileHere } from "../fabric/compile.ts";
import { runIn } from "../fabric/inside.ts";
import { until } from "./looks.ts";
import type { GuestNode } from "./node.ts";

/**
 * Shows that the node's default route stays its own card's.
 *
 * @param t The test.
 * @param node The guest, with a card of pods that is eth1.
 */
export async function showDefaults(
  t: Deno.TestContext,
  node: GuestNode,
): Promise<void> {
  const { guest } = node;
  const pod = await node.addPod("still");
  await t.step("a DHCP client's default route over an ENI goes", async () => {
    const route = ["default", "via", "10.1.255.253", "dev", "eth1", "onlink"];
    const made = ["metric", "5", "proto", "dhcp"];
    await guest.text("ip", "route", "add", ...route, ...made);
    await until("the default route is the node's own", async () => {
      const shown = await guest.text("ip", "route", "show", "default");
      return !shown.includes("eth1") && shown.includes("eth0");
    });
    await told(node, "by DHCP", '"by":"DHCP"');
  });
  await t.step("a router that offers itself is heard no more", async () => {
    const heard = "/proc/sys/net/ipv6/conf/eth1/accept_ra";
    await guest.text("sh", "-c", `echo 1 > ${heard}`);
    await advertise(node);
    await until(
      "the card is deaf",
      async () => (await guest.text("cat", heard)).trim() === "0",
    );
    await told(node, "by a router", '"by":"router advertisement"');
    // The next one finds nobody who listens.
    await advertise(node);
    const shown = await guest.text("ip", "-6", "route", "show", "default");
    assert(!shown.includes("eth1"), shown);
  });
  assertEquals(await node.ping(pod.netns, node.other.primaryIp), 3);
  await node.removePod("still");
}

/** Sends one out of the port of the first ENI of pods. */
async function advertise({ region, node, dir }: GuestNode): Promise<void> {
  const program = compileHere("advertise", dir);
  const [eni] = [...region.cloud.model.enis.values()].filter((one) =>
    one.instanceId === node.instance.id && one.type !== "Primary"
  );
  const port = region.fabric.portName(eni?.id ?? "");
  const { success } = await runIn(region.fabric.netns, [program, port]);
  assert(success, "it can't be sent");
}

async function told(
  { dir }: GuestNode,
  what: string,
  words: string,
): Promise<void> {
  const log = await until(`the log tells ${what}`, async () => {
    const text = await Deno.readTextFile(`${dir}/n1/daemon.log`);
    return text.includes(words) && text;
  });
  assertStringIncludes(log, "a default route over an ENI of pods");
}
