/**
 * Daemons in the modes in which a pod has an ENI to itself, or an address of
 * its node's pod CIDR: real daemons, a VPC, packets.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ask } from "./emulators/alibaba/caller.ts";
import { openStage, type Stage } from "./stage/stage.ts";
import { Caller, CONF, ipOf, Sandbox } from "./daemon/harness.ts";

async function inside(netns: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, ...args],
  }).output();
  assert(success, `${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function pings(netns: string, ip: string): Promise<boolean> {
  const { success } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, "ping", "-n", "-c1", "-W2", ip],
    stdout: "null",
  }).output();
  return success;
}

function addressOf(document: string): string {
  return ipOf(document).replace(/\/.*/, "");
}

/** Leads each node's pod CIDR there by the cloud's API, as the controller will. */
async function addRoutes(
  stage: Stage,
  podCidrs: Readonly<Record<string, string>>,
): Promise<void> {
  const { cloud } = stage.region;
  for (const { name, instanceId, netns } of stage.description.nodes) {
    const { code } = await ask(cloud, "CreateRouteEntry", {
      RouteTableId: [...cloud.model.vpcs.values()][0]?.routeTableId ?? "",
      DestinationCidrBlock: podCidrs[name] ?? "",
      NextHopId: instanceId,
      NextHopType: "Instance",
    });
    assertEquals(code, "OK");
    await inside(netns, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  }
  await cloud.settled();
}

Deno.test("terway daemon in mode ENIOnly gives each pod an ENI, and takes it home", async () => {
  await using stage = await openStage({
    nodeCount: 2,
    zoneCount: 2,
    config: { max_pool_size: 1, service_cidr: "172.21.0.0/20" },
    daemonFlags: ["--daemon-mode", "ENIOnly"],
  });
  const [one, two] = [new Caller(stage), new Caller(stage, "n2")];
  using a = new Sandbox(stage, "a");
  using b = new Sandbox(stage, "b");
  const before = one.kernel().links;
  const [first, second] = await Promise.all([
    one.ok("ADD", a.env),
    two.ok("ADD", b.env),
  ]);
  const enis = stage.region.cloud.dump().enis.filter(({ type }) =>
    type === "Secondary"
  );
  assertEquals(enis.length, 2);
  const { interfaces, ips } = JSON.parse(first);
  const mine = enis.find(({ ips }) => ips.includes(addressOf(first)));
  assertEquals(interfaces[ips[0].interface].mac, mine?.mac);
  assertStringIncludes(await inside(a.netns, "ip", "link"), mine?.mac ?? "?");
  assertStringIncludes(
    await inside(a.netns, "ip", "route"),
    "172.21.0.0/20 via 169.254.1.1 dev veth1",
  );
  assert(await pings(a.netns, addressOf(second)), "pod to pod");
  assert(await pings(b.netns, addressOf(first)), "and back");
  assert(await pings(one.node.netns, addressOf(first)), "node to its pod");
  assert(await pings(a.netns, one.node.primaryIp), "pod to its node");
  await one.ok("CHECK", a.env);
  assertEquals(await one.ok("ADD", a.env), first, "twice is once");

  // A daemon that starts anew leaves the pod its card.
  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  await one.ok("CHECK", a.env);
  assert(await pings(a.netns, addressOf(second)));

  await one.ok("DEL", a.env);
  await two.ok("DEL", b.env);
  const links = (): string =>
    one.kernel().links.map(({ name }) => name).sort().join();
  await one.until(() => links().split(",").length === before.length + 1);
  assert(!(await inside(a.netns, "ip", "link")).includes("eth0"));
  await stage.drain();
  assertEquals(one.kernel().links, before);
});

Deno.test("terway daemon in mode VPC has pods of the pod CIDR, and pods with an ENI beside them", async () => {
  const podCidrs = { n1: "172.30.1.0/24", n2: "172.30.2.0/24" };
  await using stage = await openStage({
    nodeCount: 2,
    zoneCount: 2,
    daemonFlags: (node) => [
      ...["--daemon-mode", "VPC"],
      ...["--pod-cidr", podCidrs[node as keyof typeof podCidrs]],
    ],
  });
  await addRoutes(stage, podCidrs);
  const [one, two] = [new Caller(stage), new Caller(stage, "n2")];
  using a = new Sandbox(stage, "a");
  using b = new Sandbox(stage, "b");
  using c = new Sandbox(stage, "c");
  const before = one.kernel();
  const first = await one.ok("ADD", a.env);
  const second = await two.ok("ADD", b.env);
  assertEquals(JSON.parse(first).ips[0].address, "172.30.1.2/24");
  assertStringIncludes(
    await inside(a.netns, "ip", "-4", "address", "show", "eth0"),
    "inet 172.30.1.2/24 brd 172.30.1.255 scope global noprefixroute eth0",
  );
  assertEquals(stage.region.cloud.dump().enis.length, 2, "no ENI was made");
  assert(await pings(a.netns, addressOf(second)), "by VPC routes");
  const third = await one.ok("ADD", c.env, { ...CONF, eni: "exclusive" });
  assertEquals(stage.region.cloud.dump().enis.length, 3);
  assert(addressOf(third).startsWith("10.1."));
  assert(await pings(c.netns, addressOf(second)), "ENI to pod CIDR");
  assert(await pings(a.netns, addressOf(third)), "pod CIDR to ENI");
  for (const [pod, document] of [[a, first], [c, third]] as const) {
    await one.ok("CHECK", pod.env);
    assertEquals(
      await one.ok("ADD", pod.env, { ...CONF, eni: "exclusive" }),
      document,
    );
  }

  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  assertEquals((await one.leases()).length, 2);
  await one.ok("CHECK", a.env);
  await one.ok("CHECK", c.env);
  assertEquals(await one.ok("ADD", a.env), first);

  for (const { env } of [a, c]) await one.ok("DEL", env);
  await two.ok("DEL", b.env);
  assertEquals(await one.leases(), []);
  assertEquals(one.kernel().rules, before.rules);
  await stage.drain();
});

Deno.test("terway daemon refuses another mode while pods of the old one run", async () => {
  let mode = "ENIMultiIP";
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    daemonFlags: () => ["--daemon-mode", mode],
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "stays");
  const held = await caller.ok("ADD", sandbox.env);
  await stage.killDaemon("n1");
  mode = "ENIOnly";
  const error = await assertRejects(() => stage.restartDaemon("n1"), Error);
  assertStringIncludes(error.message, "Cannot serve in mode ENIOnly as pods");
  assertStringIncludes(error.message, "then change --daemon-mode");
  mode = "ENIMultiIP";
  await stage.restartDaemon("n1");
  assertEquals(await caller.ok("ADD", sandbox.env), held);
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});
