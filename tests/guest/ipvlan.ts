/**
 * Pods that share a card by IPvlan, in a guest.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openNamespace, within } from "../../netns/namespace.ts";
import { ping } from "../fabric/inside.ts";
import { linkOf, namesOf, until } from "./looks.ts";
import type { GuestNode, GuestPod } from "./node.ts";

/** What pods ask for, as `10-terway.conf` of Terway's own documents has it. */
const NETWORK = {
  cniVersion: "0.3.1",
  name: "terway",
  "eniip_virtual_type": "IPVlan",
  type: "terway",
};

const DNS_CACHE = "169.254.20.10";

/** A service that no kube-proxy knows: translate() leads it on. */
const SERVICE = "172.21.0.7";

/**
 * Shows pods that share a card by IPvlan.
 *
 * @param t The test.
 * @param node The guest; its daemon is configured anew.
 */
export async function showIpvlan(
  t: Deno.TestContext,
  node: GuestNode,
): Promise<void> {
  const { guest, region } = node;
  const hostStack = { "host_stack_cidrs": [`${DNS_CACHE}/32`] };
  await node.reconfigure({ network: { ...NETWORK, ...hostStack } });
  const before = await guest.ask("dump", "");
  const spoofedBefore = await region.fabric.spoofed();
  const web = await node.addPod("web");
  const db = await node.addPod("db");
  await t.step("pods share a card by IPvlan, and status says so", async () => {
    const { kind } = linkOf(await guest.ask("dump", web.netns), "eth0");
    assertEquals(kind, "ipvlan");
    const { sharing } = await node.ask("status");
    assertEquals(sharing, { wanted: "ipvlan", effective: "ipvlan" });
  });
  await t.step(
    "they meet pods, nodes and one another",
    () => showMeetings(node, [web, db]),
  );
  await t.step(
    "the node's own stack serves what it shall",
    () => showHostStack(node, web),
  );
  await t.step(
    "a service is reached by the filter alone",
    () => showService(node, web),
  );
  await t.step(
    "what others take away is put back",
    () => showRepair(node, web),
  );
  await t.step(
    "a pod is as fast as it may be, both ways",
    () => showRate(node, "slow"),
  );
  await t.step(
    "CHECK names what is gone in a pod, ADD mends it",
    () => showCheck(node, web),
  );
  await t.step("after DEL no link, route, rule or filter is left", async () => {
    await node.removePod("web");
    await node.removePod("db");
    const after = await until("the slave is gone", async () => {
      const dump = await guest.ask("dump", "");
      return namesOf(dump).length === namesOf(before).length + 1 && dump;
    });
    // The card itself stays in the pool.
    assertEquals(namesOf(after), [...namesOf(before), "eth1"]);
    assertEquals(after.rules, before.rules);
    assertEquals(
      after.routes.filter(({ link }) => link !== "eth1"),
      before.routes,
    );
    const clsact = await guest.text("tc", "qdisc", "show", "dev", "eth1");
    assert(!clsact.includes("clsact"), clsact);
    assertEquals(await region.fabric.spoofed(), spoofedBefore);
  });
}

async function showMeetings(
  node: GuestNode,
  [web, db]: readonly [GuestPod, GuestPod],
): Promise<void> {
  const { other, node: own } = node;
  assertEquals(await ping(other.netns, web.ip), 3, "node to pod");
  for (
    const [netns, ip] of [
      [web.netns, other.primaryIp],
      [web.netns, db.ip],
      [db.netns, web.ip],
      [web.netns, own.primaryIp],
      ["", web.ip],
    ] as const
  ) assertEquals(await node.ping(netns, ip), 3, `${netns} to ${ip}`);
}

async function showHostStack(node: GuestNode, pod: GuestPod): Promise<void> {
  await node.guest.text("ip", "address", "add", `${DNS_CACHE}/32`, "dev", "lo");
  const before = await hits(node, DNS_CACHE);
  assertEquals(await node.ping(pod.netns, DNS_CACHE), 3);
  assertEquals(await hits(node, DNS_CACHE) - before, 3);
}

/**
 * Does what kube-proxy does: the service's packets are translated on the node,
 * and masqueraded where a pod's own address doesn't lead through the node.
 *
 * @param node The guest.
 * @param masqueraded Pods whose packets are.
 */
export async function translate(
  { guest, other }: GuestNode,
  masqueraded: readonly GuestPod[],
): Promise<void> {
  const rule = ["iptables-legacy", "-t", "nat", "-A"] as const;
  const backend = `${other.primaryIp}:8080`;
  await guest.text(
    ...rule,
    ...["PREROUTING", "-d", SERVICE, "-p", "tcp", "--dport", "80"],
    ...["-j", "DNAT", "--to-destination", backend],
  );
  for (const { ip } of masqueraded) {
    const masquerade = ["POSTROUTING", "-s", ip, "-j", "MASQUERADE"];
    await guest.text(...rule, ...masquerade);
  }
  await guest.text("sysctl", "-qw", "net.ipv4.ip_forward=1");
}

async function showService(node: GuestNode, pod: GuestPod): Promise<void> {
  const { guest } = node;
  await translate(node, [pod]);
  const before = await hits(node, "172.21.0.0");
  assertEquals(await seenFrom(node, pod), node.node.primaryIp);
  assert(await hits(node, "172.21.0.0") > before, "no packet was turned back");
  // Without the filter it goes to the VPC, which knows no service: until
  // somebody puts the filter back.
  await node.signalDaemon("SIGSTOP");
  const filters = ["filter", "delete", "dev", "eth1", "egress"];
  await guest.text("tc", ...filters);
  assertEquals(await seenFrom(node, pod), "");
  await node.signalDaemon("SIGCONT");
  await until(
    "the service is there again",
    async () => await seenFrom(node, pod) === node.node.primaryIp,
  );
}

async function showRepair(node: GuestNode, pod: GuestPod): Promise<void> {
  const { guest } = node;
  const slave = namesOf(await guest.ask("dump", ""))
    .find((name) => name.startsWith("ipvl_")) ?? "";
  for (
    const command of [
      `ip link delete ${slave}`,
      "tc qdisc delete dev eth1 clsact",
      `ip route delete ${pod.ip}/32`,
    ]
  ) {
    await guest.text("sh", "-c", command);
    await until(
      `${command} is undone`,
      async () =>
        await node.ping("", pod.ip) === 3 &&
        await node.ping(pod.netns, DNS_CACHE) === 3,
    );
  }
  assertEquals(await node.check(pod), "");
}

async function showCheck(node: GuestNode, pod: GuestPod): Promise<void> {
  const { guest } = node;
  const inPod = ["nsenter", `--net=${pod.netns}`, "ip"] as const;
  const gone = [
    ["route", "delete", "default"],
    ["route", "delete", `${node.node.primaryIp}/32`],
    ["neighbour", "delete", node.node.primaryIp, "dev", "eth0"],
    ["address", "delete", `${pod.ip}/16`, "dev", "eth0"],
    ["link", "delete", "eth0"],
  ];
  for (const command of gone) {
    await guest.text(...inPod, ...command);
    assertStringIncludes(await node.check(pod), '"code":100');
    const again = await node.call("ADD", pod.name);
    assertEquals(again.code, 0, again.stdout);
    assertEquals(await node.check(pod), "", command.join(" "));
  }
  assertEquals(await node.ping(pod.netns, node.other.primaryIp), 3);
}

/** How many packets the filter for a prefix has turned back. */
async function hits({ guest }: GuestNode, ip: string): Promise<number> {
  const hex = ip.split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0")).join("");
  const command = ["-s", "filter", "show", "dev", "eth1", "egress"];
  const text = await guest.text("tc", ...command);
  const [, rest = ""] = text.split(`match ${hex}`);
  const [own = ""] = rest.split("match ");
  return Number(/mirred[^]*?Sent \d+ bytes (\d+) pkt/.exec(own)?.[1] ?? 0);
}

/**
 * Has a pod call the service.
 *
 * @param node The guest.
 * @param pod The pod.
 * @returns Whom the backend on the other node sees; empty when nobody came.
 */
export async function seenFrom(
  node: GuestNode,
  pod: GuestPod,
): Promise<string> {
  const { other, guest } = node;
  using namespace = openNamespace(other.netns);
  using listener = within(
    namespace,
    () => Deno.listen({ hostname: other.primaryIp, port: 8080 }),
  );
  const accepted = listener.accept().then(async (conn) => {
    await conn.write(new TextEncoder().encode(conn.remoteAddr.hostname));
    conn.close();
  }).catch(() => {}); // nobody came before the listener closed
  const { stdout } = await guest.run([
    ...["nsenter", `--net=${pod.netns}`, "timeout", "2"] as const,
    ...["bash", "-c", `exec 3<>/dev/tcp/${SERVICE}/80 && cat <&3`],
  ]);
  listener.close();
  await accepted;
  return stdout;
}

/**
 * Shows that a pod is as fast as it may be. TCP's goodput is 4 to 7 % under the
 * rate, and the guest's clock is rough.
 *
 * @param node The guest.
 * @param name The pod, which comes and goes.
 * @param network Keys of its network.
 */
export async function showRate(
  node: GuestNode,
  name: string,
  network: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { guest, other } = node;
  const megabit = 20;
  const rate = megabit * 1e6;
  const bandwidth = { ingressRate: rate, egressRate: rate };
  const runtimeConfig = { bandwidth };
  const pod = await node.addPod(name, { ...network, runtimeConfig });
  assertEquals(await node.check(pod), "");
  const server = new Deno.Command("nsenter", {
    args: [`--net=${other.netns}`, "iperf3", "-s", "-B", other.primaryIp],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const client = ["iperf3", "-J", "-t", "1", "-c", other.primaryIp] as const;
    for (const direction of [[], ["-R"]]) {
      // A busy machine may be slower than the pod.
      const isAsTold = (megabits: number): boolean =>
        megabits > megabit * 0.75 && megabits < megabit * 1.1;
      await until(`iperf3 measures ${megabit} Mbit/s`, async () => {
        const inside = ["nsenter", `--net=${pod.netns}`] as const;
        const { code, stdout } = await guest.run(
          [...inside, ...client, ...direction],
        );
        if (code !== 0) return false;
        const { sum_received: sum } = JSON.parse(stdout).end;
        return isAsTold(sum["bits_per_second"] / 1e6);
      });
    }
  } finally {
    server.kill("SIGKILL");
    await server.status;
  }
  await node.removePod(name);
}
