/**
 * Ways of a pod beside its default route, with packets: prefixes that the
 * node's own stack serves, prefixes that lead to the VPC whatever else there
 * is, and a second interface.
 */
import { assert, assertEquals } from "@std/assert";
import { bringLoopbackUp } from "./fabric/kernel.ts";
import { Fixture, type FixturePod } from "./fabric/fixture.ts";
import { ping, runIn, seenBy } from "./fabric/inside.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

/** What stands beside a node and is reached by its routes, in both families. */
const CACHE = ["169.254.20.10", "fd00:20::10"] as const;
const CACHE_CIDRS = ["169.254.20.0/24", "fd00:20::/64"];

/** Runs lines of a shell in a namespace. */
async function sh(netns: string, ...lines: readonly string[]): Promise<void> {
  const { success } = await runIn(netns, ["sh", "-exc", lines.join("\n")]);
  if (!success) throw new Error(`Cannot run ${lines.join("; ")}`);
}

/** Puts a cache behind a pair at the first node, as a node's own bridge. */
async function addCache(fixture: Fixture): Promise<string> {
  const { n1: { netns: node } } = fixture.nodes;
  const cache = fixture.addNamespace("cache");
  bringLoopbackUp(cache);
  await sh(
    node,
    // Nobody waits a second for link-local addresses to be unique.
    "sysctl -q net.ipv6.conf.default.accept_dad=0",
    `nsenter --net=${cache} sysctl -q net.ipv6.conf.default.accept_dad=0`,
    `ip link add cache0 up type veth peer cache1 netns ${cache}`,
    "ip address add 169.254.30.1/30 dev cache0",
    "ip address add fd00:30::1/64 dev cache0 nodad",
    `nsenter --net=${cache} sh -ec '
    ip address add 169.254.30.2/30 dev cache1
    ip address add fd00:30::2/64 dev cache1 nodad
    ip address add ${CACHE[0]}/32 dev lo
    ip address add ${CACHE[1]}/128 dev lo nodad
    ip link set cache1 up
    ip route add default via 169.254.30.1 src ${CACHE[0]}
    ip -6 route add default via fd00:30::1 src ${CACHE[1]}'`,
    `ip route add ${CACHE_CIDRS[0]} via 169.254.30.2`,
    `ip -6 route add ${CACHE_CIDRS[1]} via fd00:30::2`,
  );
  return cache;
}

const DATAPATHS: readonly {
  readonly name: string;
  readonly dual: boolean;
  /** Whether a pod gets to the node's stack whatever it is told. */
  readonly byNode: boolean;
  /** `number` tells pods apart. */
  readonly add: (fixture: Fixture, number: 0 | 1) => FixturePod;
}[] = [
  {
    name: "veth",
    dual: true,
    byNode: false,
    add: (fixture, number) =>
      fixture.addSharedPod("n1", [`10.1.0.1${number}`, `fd01::1${number}`]),
  },
  {
    name: "exclusive",
    dual: true,
    byNode: false,
    add: (fixture, number) => fixture.addExclusivePod("n1", 2 + number, [4, 6]),
  },
  {
    name: "VPC-route",
    dual: false,
    byNode: true,
    add: (fixture, number) => fixture.addVpcPod("n1", 4 + number),
  },
];

for (const { name, dual, byNode, add } of DATAPATHS) {
  Deno.test(
    `${name}: a pod reaches what host_stack_cidrs names by its node`,
    lab,
    async () => {
      await using fixture = await Fixture.open({ ipv6: true });
      fixture.letNodesForward([4, 6]);
      const cache = await addCache(fixture);
      const plain = add(fixture, 0);
      fixture.extras = { hostStackCidrs: CACHE_CIDRS };
      const pod = add(fixture, 1);
      for (const [at, ip] of CACHE.slice(0, dual ? 2 : 1).entries()) {
        assertEquals(await ping(pod.netns, ip), 3, ip);
        const server = { netns: cache, ip };
        assertEquals(await seenBy(server, pod.netns), pod.ips[at]);
        const own = { netns: pod.netns, ip: pod.ips[at] ?? "" };
        assertEquals(await seenBy(own, cache), ip);
        assertEquals(await ping(plain.netns, ip), byNode ? 3 : 0, ip);
      }
    },
  );

  Deno.test(
    `${name}: a pod reaches what extra_routes names by its gateway`,
    lab,
    async () => {
      await using fixture = await Fixture.open({ ipv6: true });
      fixture.letNodesForward([4, 6]);
      const office = fixture.fabric.addOutsideHost({
        name: "office",
        cidr: "192.168.7.10/24",
        cidr6: "fd07::10/64",
      });
      // In the prefix of services too, to which a card's pod goes by its node.
      const twin = fixture.fabric.addOutsideHost({
        name: "twin",
        cidr: "172.16.9.10/24",
        cidr6: "fd16::9:10/112",
      });
      const near = ["192.168.7.0/24", "fd07::/64"];
      fixture.extras = {
        extraRoutes: [...near, "172.16.9.0/24", "fd16::9:0/112"],
      };
      const pod = add(fixture, 0);
      await sh(pod.netns, "ip route del default");
      if (dual) await sh(pod.netns, "ip -6 route del default");
      const hosts = [
        { netns: office.netns, ips: ["192.168.7.10", "fd07::10"] },
        { netns: twin.netns, ips: ["172.16.9.10", "fd16::9:10"] },
      ];
      for (const { netns, ips } of hosts) {
        for (const [at, ip] of ips.slice(0, dual ? 2 : 1).entries()) {
          const own = pod.ips[at] ?? "";
          assertEquals(await ping(pod.netns, ip), 3, ip);
          assertEquals(await seenBy({ netns, ip }, pod.netns), own);
          assertEquals(await seenBy({ netns: pod.netns, ip: own }, netns), ip);
        }
      }
      const elsewhere = ["ping", "-n", "-c1", "-W0.3", "10.2.0.2"];
      assert(!(await runIn(pod.netns, elsewhere)).success, "by the default");
      assertEquals(await fixture.fabric.spoofed(), 0);
    },
  );
}

Deno.test(
  "a pod with a shared and an own card sends and answers by each",
  lab,
  async () => {
    await using fixture = await Fixture.open({ ipv6: true });
    fixture.letNodesForward([4, 6]);
    const { fabric } = fixture;
    const office = fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
      cidr6: "fd07::10/64",
    });
    const netns = fixture.addPod("n1", "10.1.0.10", "fd01::10");
    const remote = fixture.addPod("n2", "10.2.0.10", "fd02::10");
    fixture.extras = {
      netns,
      owner: { network: "storage", containerId: "two", ifName: "net1" },
      podTable: 1001,
      extraRoutes: ["192.168.7.0/24", "fd07::/64"],
    };
    const card = {
      id: "eni-n1-2",
      mac: "00:16:3e:00:01:02",
      ips: ["10.1.1.2", "fd01::1:2"],
    };
    fabric.plug(card, "n1");
    fixture.giveCard("n1", card, { hasHostPeer: false });
    const cases = [
      { at: 0, first: "10.1.0.10", far: "10.2.0.10", officeIp: "192.168.7.10" },
      { at: 1, first: "fd01::10", far: "fd02::10", officeIp: "fd07::10" },
    ];
    for (const { at, first, far, officeIp } of cases) {
      const second = card.ips[at] ?? "";
      const toOffice = { netns: office.netns, ip: officeIp };
      const toRemote = { netns: remote, ip: far };
      // What extra routes name by the second, all else by the first.
      assertEquals(await seenBy(toOffice, netns), second);
      assertEquals(await seenBy(toRemote, netns), first);
      // Whoever is called answers by the interface that was called.
      for (const ip of [first, second]) {
        assertEquals(await seenBy({ netns, ip }, remote), far);
        assertEquals(await ping(netns, far, ["-I", ip]), 3);
      }
      const server = { netns, ip: second };
      assertEquals(await seenBy(server, office.netns), officeIp);
    }
    assertEquals(await fabric.spoofed(), 0);
  },
);
