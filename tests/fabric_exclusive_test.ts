import { assert, assertEquals } from "@std/assert";
import { applyPlan } from "../netns/apply.ts";
import type { Family } from "../netns/ip.ts";
import { findLinkByMac, type LinkSeen } from "../netns/link.ts";
import { openNamespace, removeNamespace } from "../netns/namespace.ts";
import { removePlan } from "../netns/remove.ts";
import { openRoutes } from "../netns/socket.ts";
import { Fixture, NODE_IPS } from "./fabric/fixture.ts";
import { addService, ping, seenBy } from "./fabric/inside.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const STACKS: readonly {
  name: string;
  families: readonly Family[];
  near: readonly string[];
  far: readonly string[];
}[] = [
  {
    name: "IPv4 only",
    families: [4],
    near: ["10.1.0.10"],
    far: ["10.2.0.10"],
  },
  {
    name: "IPv6 only",
    families: [6],
    near: ["fd01::10"],
    far: ["fd02::10"],
  },
  {
    name: "both families",
    families: [4, 6],
    near: ["10.1.0.10", "fd01::10"],
    far: ["10.2.0.10", "fd02::10"],
  },
];

for (const { name, families, near, far } of STACKS) {
  Deno.test(
    `exclusive pods of ${name} meet pods, nodes, hosts outside and services`,
    lab,
    async () => {
      await using fixture = await Fixture.open({ ipv6: true });
      const { fabric, nodes } = fixture;
      fixture.letNodesForward(families);
      const office = fabric.addOutsideHost({
        name: "office",
        cidr: "192.168.7.10/24",
        cidr6: "fd07::10/64",
      });
      const pod = fixture.addExclusivePod("n1", 2, families);
      const twin = fixture.addExclusivePod("n1", 3, families);
      const [nearIp = "", ...nearMore] = near;
      const [farIp = "", ...farMore] = far;
      const other = fixture.addPod("n1", nearIp, ...nearMore);
      const remote = fixture.addPod("n2", farIp, ...farMore);
      for (const [i, ip] of pod.ips.entries()) {
        const v6 = ip.includes(":");
        const officeIp = v6 ? "fd07::10" : "192.168.7.10";
        const [nodeIp, otherNodeIp] = [NODE_IPS.n1, NODE_IPS.n2]
          .map((ips) => ips[v6 ? 1 : 0] ?? "");
        // Its own node by the pair, the other one by the card.
        assertEquals(await ping(pod.netns, nodeIp ?? ""), 3);
        assertEquals(await ping(pod.netns, otherNodeIp ?? ""), 3);
        assertEquals(await ping(nodes.n1.netns, ip), 3);
        const server = { netns: pod.netns, ip };
        assertEquals(await seenBy(server, nodes.n1.netns), nodeIp);
        assertEquals(await seenBy(server, nodes.n2.netns), otherNodeIp);
        assertEquals(await seenBy(server, office.netns), officeIp);
        assertEquals(await seenBy(server, other), near[i]);
        assertEquals(await seenBy(server, remote), far[i]);
        assertEquals(await seenBy(server, twin.netns), twin.ips[i]);
        assertEquals(await ping(pod.netns, near[i] ?? ""), 3);
        assertEquals(await ping(pod.netns, far[i] ?? ""), 3);
        assertEquals(await ping(pod.netns, officeIp), 3);
        const service = v6 ? "fd16::1" : "172.16.0.1";
        await addService(nodes.n1.netns, {
          ip: service,
          backend: far[i] ?? "",
        });
        const backend = { netns: remote, ip: far[i] ?? "" };
        const target = { ip: service, port: 80 };
        assertEquals(await seenBy(backend, pod.netns, target), nodeIp);
      }
      assertEquals(await fabric.spoofed(), 0);
    },
  );
}

Deno.test(
  "an exclusive pod's packets pass its own card, bare",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric } = fixture;
    const pod = fixture.addExclusivePod("n1", 2);
    fixture.addPod("n2", "10.2.0.10");
    const out = await fabric.watch(
      `iifname ${fabric.portName("eni-n1-2")} ip saddr 10.1.1.2 ` +
        "ip daddr 10.2.0.10 icmp type echo-request",
    );
    const back = await fabric.watch(
      `oifname ${fabric.portName("eni-n1-2")} icmp type echo-reply`,
    );
    assertEquals(await ping(pod.netns, "10.2.0.10"), 3);
    assertEquals(await out(), { packetCount: 3, byteCount: 3 * 84 });
    assertEquals(await back(), { packetCount: 3, byteCount: 3 * 84 });
  },
);

Deno.test("a card serves one pod after the other", lab, async () => {
  await using fixture = await Fixture.open();
  const { nodes } = fixture;
  fixture.addPod("n2", "10.2.0.10");
  const first = fixture.addExclusivePod("n1", 2);
  assertEquals(await ping(first.netns, "10.2.0.10"), 3);
  using namespace = openNamespace(nodes.n1.netns);
  using routes = openRoutes(namespace);
  await removePlan(first.plan, routes).done;
  assertEquals(findLinkByMac(routes, "00:16:3e:00:01:02")?.name, "eth2");
  applyPlan(first.plan, routes);
  assertEquals(await ping(first.netns, "10.2.0.10"), 3);
});

Deno.test(
  "a card whose pod died without a word serves again",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { nodes } = fixture;
    fixture.addPod("n2", "10.2.0.10");
    const pod = fixture.addExclusivePod("n1", 2);
    removeNamespace(pod.netns);
    const mac = "00:16:3e:00:01:02";
    using namespace = openNamespace(nodes.n1.netns);
    using routes = openRoutes(namespace);
    const found = await until(() => findLinkByMac(routes, mac));
    assert(found !== undefined, "the card didn't come home");
    await removePlan(pod.plan, routes).done;
    const card = { id: "eni-n1-2", mac, ips: ["10.1.1.2"] };
    removeNamespace(pod.netns);
    const next = fixture.giveCard("n1", card);
    assertEquals(await ping(next.netns, "10.2.0.10"), 3);
  },
);

/** Looks until something is there, for two seconds. */
async function until(
  look: () => LinkSeen | undefined,
): Promise<LinkSeen | undefined> {
  const deadline = performance.now() + 2_000;
  while (performance.now() < deadline) {
    const seen = look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}
