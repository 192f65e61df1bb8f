import { assert, assertEquals } from "@std/assert";
import { Fixture, NODE_IPS, PODS_OF } from "./fabric/fixture.ts";
import { addService, ping, runIn, seenBy } from "./fabric/inside.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

Deno.test(
  "VPC-route pods meet pods of every kind, nodes, hosts outside and services",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric, nodes } = fixture;
    fixture.letNodesForward();
    const office = fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
    });
    const pod = fixture.addVpcPod("n1", 4);
    const server = { netns: pod.netns, ip: "172.30.1.4" };
    const near = fixture.addVpcPod("n1", 5);
    const far = fixture.addVpcPod("n2", 4);
    // Policy-routed and exclusive pods on the same node, the former being the
    // case that would loop.
    const routed = fixture.addPod("n1", "10.1.0.10");
    const exclusive = fixture.addExclusivePod("n1", 2);
    assertEquals(await seenBy(server, near.netns), "172.30.1.5");
    assertEquals(await seenBy(server, far.netns), "172.30.2.4");
    assertEquals(await seenBy(server, routed), "10.1.0.10");
    assertEquals(await seenBy(server, exclusive.netns), "10.1.1.2");
    assertEquals(await seenBy(server, office.netns), "192.168.7.10");
    assertEquals(await seenBy(server, nodes.n1.netns), NODE_IPS.n1[0]);
    assertEquals(await seenBy(server, nodes.n2.netns), NODE_IPS.n2[0]);
    for (
      const ip of [
        "172.30.1.5",
        "172.30.2.4",
        "10.1.0.10",
        "10.1.1.2",
        "192.168.7.10",
        ...[NODE_IPS.n1[0], NODE_IPS.n2[0]],
      ]
    ) assertEquals(await ping(pod.netns, ip), 3, ip);
    await addService(nodes.n1.netns, {
      ip: "172.16.0.1",
      backend: "172.30.2.4",
    });
    const backend = { netns: far.netns, ip: "172.30.2.4" };
    const target = { ip: "172.16.0.1", port: 80 };
    assertEquals(await seenBy(backend, pod.netns, target), NODE_IPS.n1[0]);
    assertEquals(await fabric.spoofed(), 0);
  },
);

Deno.test(
  "a VPC-route pod shows its pod CIDR's prefix, and no route to it",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { netns } = fixture.addVpcPod("n1", 4);
    const address = await runIn(netns, ["ip", "-4", "address", "show", "eth0"]);
    assert(
      address.stdout.includes(
        "inet 172.30.1.4/24 brd 172.30.1.255 scope global noprefixroute eth0\n",
      ),
      address.stdout,
    );
    const routes = await runIn(netns, ["ip", "-4", "route", "show"]);
    assertEquals(
      routes.stdout.trim(),
      "default via 169.254.1.1 dev eth0 onlink",
    );
  },
);

Deno.test(
  "between VPC-route and policy-routed pods of a node no packet goes to the VPC",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric } = fixture;
    fixture.letNodesForward();
    fixture.addVpcPod("n1", 4);
    const routed = fixture.addPod("n1", "10.1.0.10");
    const passing = await fabric.watch("ip protocol icmp");
    assertEquals(await ping(routed, "172.30.1.4"), 3);
    assertEquals((await passing()).packetCount, 0);
  },
);

Deno.test(
  "an address of the pod CIDR that no pod has is refused, and never goes round",
  lab,
  async () => {
    await using fixture = await Fixture.open();
    const { fabric } = fixture;
    fixture.letNodesForward();
    const office = fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
    });
    fixture.addVpcPod("n1", 4);
    const routed = fixture.addPod("n1", "10.1.0.10");
    const passing = await fabric.watch("ip daddr 172.30.1.77");
    assertEquals(await ping(office.netns, "172.30.1.77"), 0);
    assertEquals((await passing()).packetCount, 3);
    const before = fabric.count(PODS_OF.n1.id);
    // One: the kernel answers a caller once a second, after the first few.
    const { stdout } = await runIn(
      routed,
      "ping -n -c1 -W1 172.30.1.77".split(" "),
    );
    assert(stdout.includes("Destination Host Unreachable"), stdout);
    assertEquals(fabric.count(PODS_OF.n1.id), before);
  },
);
