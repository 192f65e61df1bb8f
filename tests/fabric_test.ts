import { assert, assertEquals, assertThrows } from "@std/assert";
import { type LinkSeen, listLinks, setLink } from "../netns/link.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
  within,
} from "../netns/namespace.ts";
import { deleteRule, listRules } from "../netns/rule.ts";
import { openRoutes } from "../netns/socket.ts";
import { Fixture, PODS_OF } from "./fabric/fixture.ts";
import { ping, runIn } from "./fabric/inside.ts";
import { netnsPath, removeNamespaces } from "./fabric/netns_dir.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

Deno.test("pods of one node never use a card to meet", lab, async () => {
  await using fixture = await Fixture.open();
  const { fabric } = fixture;
  const pod = fixture.addPod("n1", "10.1.0.10");
  fixture.addPod("n1", "10.1.0.11");
  const before = fabric.count(PODS_OF.n1.id);
  assertEquals(await ping(pod, "10.1.0.11"), 3);
  assertEquals(fabric.count(PODS_OF.n1.id), before);
});

Deno.test(
  "across nodes a packet bears its pod's source, bare",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric } = fixture;
    const pod = fixture.addPod("n1", "10.1.0.10");
    fixture.addPod("n2", "10.2.0.10");
    const [own, back, other] = await Promise.all([
      fabric.watch(
        `iifname ${fabric.portName(PODS_OF.n1.id)} ` +
          `oifname ${fabric.portName(PODS_OF.n2.id)} ` +
          "ip saddr 10.1.0.10 ip daddr 10.2.0.10 icmp type echo-request",
      ),
      fabric.watch(
        `iifname ${fabric.portName(PODS_OF.n2.id)} ` +
          "ip saddr 10.2.0.10 ip daddr 10.1.0.10 icmp type echo-reply",
      ),
      fabric.watch("meta l4proto != icmp"),
    ]);
    assertEquals(await ping(pod, "10.2.0.10"), 3);
    // 84 bytes: 56 of data, 8 of ICMP, 20 of one IP header.
    assertEquals(await own(), { packetCount: 3, byteCount: 3 * 84 });
    assertEquals(await back(), { packetCount: 3, byteCount: 3 * 84 });
    assertEquals(await other(), { packetCount: 0, byteCount: 0 });
    assertEquals(await fabric.spoofed(), 0);
  },
);

Deno.test(
  "a source that isn't the card's is dropped and counted",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric, nodes } = fixture;
    // 10.1.0.99 was never assigned; the plan works all the same.
    const stranger = fixture.addPod("n1", "10.1.0.99");
    assertEquals(await ping(stranger, "10.2.0.2"), 0);
    assertEquals(await fabric.spoofed(), 3);
    // 10.1.0.10 is assigned, but without its rule it leaves by eth0.
    const pod = fixture.addPod("n1", "10.1.0.10");
    forgetRule(nodes.n1.netns, "10.1.0.10/32");
    assertEquals(await ping(pod, "10.2.0.2"), 0);
    assertEquals(await fabric.spoofed(), 6);
  },
);

Deno.test("an unassigned address is cut off at once", lab, async () => {
  await using fixture = await Fixture.open();
  const { fabric } = fixture;
  const [id, ip] = [PODS_OF.n1.id, "10.1.0.10"];
  const pod = fixture.addPod("n1", ip);
  const other = fixture.addPod("n2", "10.2.0.10");
  assertEquals(await ping(pod, "10.2.0.10"), 3);
  fabric.unassign(id, [ip]);
  fabric.unassign(id, [ip]);
  assertEquals(await ping(pod, "10.2.0.10"), 0);
  assertEquals(await fabric.spoofed(), 3);
  assertEquals(await ping(other, ip), 0);
  fabric.assign(id, [ip]);
  assertEquals(await ping(other, ip), 3);
});

Deno.test(
  "a host outside reaches a pod, and is answered by its card",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric } = fixture;
    const office = fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
    });
    using namespace = openNamespace(fixture.addPod("n1", "10.1.0.10"));
    const answer = await fabric.watch(
      `iifname ${fabric.portName(PODS_OF.n1.id)} ` +
        "ip saddr 10.1.0.10 tcp sport 8080 ip daddr 192.168.7.10",
    );
    using listener = within(
      namespace,
      () => Deno.listen({ hostname: "10.1.0.10", port: 8080 }),
    );
    const call = runIn(office.netns, [
      "bash",
      "-c",
      "exec 3<>/dev/tcp/10.1.0.10/8080 && cat <&3",
    ]);
    const conn = await listener.accept();
    const { hostname: caller } = conn.remoteAddr;
    await conn.write(new TextEncoder().encode(`you are ${caller}`));
    conn.close();
    assertEquals((await call).stdout, "you are 192.168.7.10");
    assert((await answer()).packetCount > 0);
  },
);

Deno.test(
  "metadata is served inside the VPC by this process",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    fixture.fabric.serve(
      { hostname: "100.100.100.200", port: 80 },
      (_, { remoteAddr }) => new Response(`you are ${remoteAddr.hostname}`),
    );
    const { stdout } = await runIn(fixture.nodes.n2.netns, [
      "bash",
      "-c",
      "exec 3<>/dev/tcp/100.100.100.200/80 && " +
      "printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3",
    ]);
    assertEquals(stdout, "you are 10.2.0.2");
  },
);

Deno.test(
  "a card is plugged into the lowest free ethN, down",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric, nodes } = fixture;
    const card = (id: number) => ({
      id: `eni-${id}`,
      mac: `00:16:3e:00:09:0${id}`,
      ips: [],
    });
    assertEquals(fabric.plug(card(2), "n1"), "eth2");
    assertEquals(fabric.plug(card(3), "n1"), "eth3");
    fabric.unplug("eni-2");
    fabric.unplug("eni-2");
    assertEquals(fabric.plug(card(4), "n1"), "eth2");
    const link = linksOf(nodes.n1.netns).get("eth2");
    assertEquals([link?.mac, link?.up], [card(4).mac, false]);
    assertThrows(() => fabric.plug(card(4), "n1"), Error, "already");
    assertThrows(
      () => fabric.plug(card(5), "n3"),
      Error,
      "Cannot find machine",
    );
  },
);

Deno.test("a card that died with a pod comes home", lab, async () => {
  await using fixture = await Fixture.open();
  const { nodes } = fixture;
  const netns = netnsPath(`${crypto.randomUUID()}`);
  createNamespace(netns);
  try {
    moveLink("eth1", nodes.n1.netns, netns);
    assert(!linksOf(nodes.n1.netns).has("eth1"));
  } finally {
    removeNamespace(netns);
  }
  const comesHome = async () => {
    while (!linksOf(nodes.n1.netns).has("eth1")) await delay(10);
  };
  await Promise.race([comesHome(), delay(2_000)]);
  assertEquals(linksOf(nodes.n1.netns).get("eth1")?.mac, PODS_OF.n1.mac);
  const pod = fixture.addPod("n1", "10.1.0.10");
  assertEquals(await ping(pod, "10.2.0.2"), 3);
});

Deno.test("removeNamespaces() removes what a killed process left", lab, () => {
  const prefix = `left-${crypto.randomUUID().slice(0, 6)}-`;
  createNamespace(netnsPath(`${prefix}a`));
  createNamespace(netnsPath(`${prefix}b`));
  const removed = removeNamespaces(prefix).sort();
  assertEquals(removed, [`${prefix}a`, `${prefix}b`]);
  assertEquals(removeNamespaces(prefix), []);
});

function linksOf(netns: string): Map<string, LinkSeen> {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  return new Map(listLinks(routes).map((link) => [link.name, link]));
}

function forgetRule(netns: string, from: string): void {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  const rule = listRules(routes).find((rule) => rule.from === from);
  if (rule !== undefined) deleteRule(routes, rule);
}

function moveLink(name: string, from: string, to: string): void {
  const ifIndex = linksOf(from).get(name)?.ifIndex ?? 0;
  using source = openNamespace(from);
  using namespace = openNamespace(to);
  using routes = openRoutes(source);
  setLink(routes, ifIndex, { namespace });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
