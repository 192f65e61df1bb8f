import { assert, assertEquals } from "@std/assert";
import { wayBackCommands } from "../netns/datapath/way_back.ts";
import type { Ip } from "../netns/ip.ts";
import { Fixture, NODE_IPS, PODS_OF } from "./fabric/fixture.ts";
import { addService, ping, runIn, seenBy } from "./fabric/inside.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const STACKS = [
  {
    name: "IPv4 only",
    own: ["10.1.0.10"],
    near: ["10.1.0.11"],
    far: ["10.2.0.10"],
  },
  {
    name: "IPv6 only",
    own: ["fd01::10"],
    near: ["fd01::11"],
    far: ["fd02::10"],
  },
  {
    name: "both families",
    own: ["10.1.0.10", "fd01::10"],
    near: ["10.1.0.11", "fd01::11"],
    far: ["10.2.0.10", "fd02::10"],
  },
] as const;

for (const { name, own, near, far } of STACKS) {
  Deno.test(
    `veth pods of ${name} meet on one node, across nodes and from outside`,
    lab,
    async () => {
      await using fixture = await Fixture.open({ ipv6: true });
      const { fabric } = fixture;
      const office = fabric.addOutsideHost({
        name: "office",
        cidr: "192.168.7.10/24",
        cidr6: "fd07::10/64",
      });
      const add = (node: "n1" | "n2", [ip, ...more]: readonly Ip[]): string =>
        fixture.addPod(node, ip ?? "", ...more);
      const pod = add("n1", own);
      const other = add("n1", near);
      const remote = add("n2", far);
      for (const [i, ip] of own.entries()) {
        const officeIp = ip.includes(":") ? "fd07::10" : "192.168.7.10";
        assertEquals(await ping(pod, near[i] ?? ""), 3);
        assertEquals(await ping(remote, ip), 3);
        assertEquals(await ping(pod, officeIp), 3);
        const server = { netns: pod, ip };
        assertEquals(await seenBy(server, remote), far[i]);
        assertEquals(await seenBy(server, other), near[i]);
        assertEquals(await seenBy(server, office.netns), officeIp);
        // The node itself, as kubelet's probes do.
        assertEquals(await ping(fixture.nodes.n1.netns, ip), 3);
      }
      assertEquals(await fabric.spoofed(), 0);
    },
  );
}

Deno.test(
  "veth: IPv6 leaves by the pod's card, and a stranger's is dropped",
  lab,
  async () => {
    await using fixture = await Fixture.open({ ipv6: true });
    const { fabric } = fixture;
    const pod = fixture.addPod("n1", "fd01::10");
    const port = fabric.portName(PODS_OF.n1.id);
    const own = await fabric.watch(
      `iifname ${port} ip6 saddr fd01::10 icmpv6 type echo-request`,
    );
    assertEquals(await ping(pod, "fd02::2"), 3);
    assertEquals((await own()).packetCount, 3);
    const stranger = fixture.addPod("n1", "fd01::99");
    assertEquals(await ping(stranger, "fd02::2"), 0);
    assertEquals(await fabric.spoofed(), 3);
  },
);

const SERVICES = [
  { at: 0, name: "IPv4", own: "10.1.0.10", ip: "172.21.0.9", far: "10.2.0.10" },
  { at: 1, name: "IPv6", own: "fd01::10", ip: "fdaa:21::9", far: "fd02::10" },
] as const;

for (const { at, name, own, ip, far } of SERVICES) {
  Deno.test(
    `veth: a pod gets through a service of ${name} that gives it the node's address`,
    lab,
    async () => {
      await using fixture = await Fixture.open({ ipv6: true });
      const { fabric, nodes } = fixture;
      const pod = fixture.addPod("n1", own);
      const backend = fixture.addPod("n2", far);
      await addService(nodes.n1.netns, { ip, backend: far });
      // Answers come in by the node's own card, as on any node with kube-proxy.
      const forward = "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding";
      const script = [forward, ...wayBackCommands([4, 6])].join("\n");
      const made = await runIn(nodes.n1.netns, ["sh", "-ec", script]);
      assert(made.success);
      const server = { netns: backend, ip: far };
      const target = { ip, port: 80 };
      assertEquals(await seenBy(server, pod, target), NODE_IPS.n1[at]);
      // Every packet of it left by the node's own card.
      assertEquals(await fabric.spoofed(), 0);
    },
  );
}
