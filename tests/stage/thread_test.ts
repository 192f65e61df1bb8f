/**
 * One pod's way, whole: from a runtime's call of the plugin to a ping that
 * arrives on another node, and back to nothing.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { openNamespace, within } from "../../netns/namespace.ts";
import { addRule, deleteRule, listRules } from "../../netns/rule.ts";
import { openRoutes } from "../../netns/socket.ts";
import { differences, takeSnapshot } from "../demo/snapshot.ts";
import type { MachineSeen } from "../fabric.ts";
import { ping, runIn } from "../fabric/inside.ts";
import { PluginError } from "./plugin.ts";
import { addPod, checkPod, type Pod, removePod } from "./pods.ts";
import { openStage, type Stage } from "./stage.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

Deno.test("one pod's way, from the runtime's call and back", lab, async (t) => {
  await using stage = await openStage({ nodeCount: 2, zoneCount: 2 });
  const office = stage.region.fabric.addOutsideHost({
    name: "office",
    cidr: "192.168.7.10/24",
  });
  const before = takeSnapshot(stage);
  const [a, b, far] = await Promise.all([
    addPod(stage, { name: "a", node: "n1" }),
    addPod(stage, { name: "b", node: "n1" }),
    addPod(stage, { name: "far", node: "n2" }),
  ]) as [Pod, Pod, Pod];

  await t.step("pods of one node meet without the VPC", async () => {
    const cards = cardsOf(stage).map((id) => stage.region.fabric.count(id));
    assertEquals(await ping(a.sandbox.netns, b.ip), 3);
    assertEquals(
      cardsOf(stage).map((id) => stage.region.fabric.count(id)),
      cards,
    );
  });
  await t.step(
    "across nodes a packet bears its pod's source, bare",
    () => sendAcross(stage, a, far),
  );
  await t.step(
    "a host outside is answered by the pod's own ENI",
    () => callFromOutside(stage, office, far),
  );
  await t.step(
    "CHECK names the rule that somebody deleted",
    () => breakAndCheck(stage, a),
  );
  await t.step(
    "after DEL and drain, cloud and kernels are as before",
    async () => {
      for (const { name } of [a, b, far]) await removePod(stage, name);
      await stage.drain();
      assertEquals(differences(before, takeSnapshot(stage)), []);
      assertEquals(await stage.region.fabric.spoofed(), 0);
    },
  );
});

async function sendAcross(stage: Stage, from: Pod, to: Pod): Promise<void> {
  const { fabric } = stage.region;
  const own = await fabric.watch(
    `iifname ${portOf(stage, from)} oifname ${portOf(stage, to)} ` +
      `ip saddr ${from.ip} ip daddr ${to.ip} icmp type echo-request`,
  );
  assertEquals(await ping(from.sandbox.netns, to.ip), 3);
  // 84 bytes: 56 of data, 8 of ICMP, 20 of one IP header.
  assertEquals(await own(), { packetCount: 3, byteCount: 3 * 84 });
}

async function callFromOutside(
  stage: Stage,
  office: MachineSeen,
  pod: Pod,
): Promise<void> {
  const { fabric } = stage.region;
  using namespace = openNamespace(pod.sandbox.netns);
  using listener = within(
    namespace,
    () => Deno.listen({ hostname: pod.ip, port: 80 }),
  );
  const answer = await fabric.watch(
    `iifname ${portOf(stage, pod)} ip saddr ${pod.ip} tcp sport 80`,
  );
  const script = `exec 3<>/dev/tcp/${pod.ip}/80 && cat <&3`;
  const call = runIn(office.netns, ["bash", "-c", script]);
  const conn = await listener.accept();
  const { hostname: caller } = conn.remoteAddr;
  await conn.write(new TextEncoder().encode(`you are ${caller}`));
  conn.close();
  assertEquals((await call).stdout, "you are 192.168.7.10");
  assert((await answer()).packetCount > 0);
}

async function breakAndCheck(stage: Stage, pod: Pod): Promise<void> {
  await checkPod(stage, pod.name);
  const node = stage.description.nodes.find(({ name }) => name === pod.node);
  using namespace = openNamespace(node?.netns ?? "");
  using routes = openRoutes(namespace);
  const rule = listRules(routes).find(({ to }) => to === `${pod.ip}/32`);
  assert(rule !== undefined);
  deleteRule(routes, rule);
  const error = await assertRejects(
    () => checkPod(stage, pod.name),
    PluginError,
  );
  assertStringIncludes(
    error.message + error.details,
    `ip rule add priority 512 to ${pod.ip}/32 lookup main`,
  );
  addRule(routes, rule);
  await checkPod(stage, pod.name);
}

/** The cards that pods share, by id. */
function cardsOf(stage: Stage): string[] {
  return stage.region.cloud.dump().enis
    .filter(({ type }) => type === "Secondary").map(({ id }) => id);
}

function portOf(stage: Stage, pod: Pod): string {
  const { enis } = stage.region.cloud.dump();
  const card = enis.find(({ ips }) => ips.includes(pod.ip));
  assert(card !== undefined);
  return stage.region.fabric.portName(card.id);
}
