/**
 * Pods with IPv6 by a whole daemon: what the runtime hears, packets of each
 * family, and that both addresses come and go together.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { familyOf, type Ip } from "../netns/ip.ts";
import { statusProblems } from "../modes/status_schema.ts";
import {
  Caller,
  CONF,
  dumpOf,
  ipsOf,
  loseJournal,
  NOBODY,
  sandboxOn,
} from "./daemon/harness.ts";
import { addService, ping, runIn, seenBy } from "./fabric/inside.ts";
import { askDaemon } from "./stage/daemon.ts";
import { openStage, type Stage, type StageOptions } from "./stage/stage.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const SERVICES = "172.21.0.0/20,fd21::/112";

async function openDual(
  stack: "dual" | "ipv6",
  more: Partial<StageOptions> = {},
): Promise<Stage> {
  return await openStage({
    nodeCount: 2,
    zoneCount: 2,
    ipv6: true,
    ...more,
    config: { ip_stack: stack, service_cidr: SERVICES, ...more.config },
  });
}

/** What the emulated cloud has assigned to the cards of pods. */
function assigned(stage: Stage): readonly Ip[] {
  return [...stage.region.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary")
    .flatMap(({ ips, ips6 }) => [...ips, ...ips6]);
}

const STACKS = [
  { stack: "dual", families: [4, 6] },
  { stack: "ipv6", families: [6] },
] as const;

for (const { stack, families } of STACKS) {
  Deno.test(
    `${stack} pods on shared ENIs meet on one node, across nodes and from outside`,
    lab,
    async () => {
      await using stage = await openDual(stack);
      const [n1, n2] = [new Caller(stage), new Caller(stage, "n2")];
      using a = sandboxOn(stage, "a");
      using b = sandboxOn(stage, "b");
      using c = sandboxOn(stage, "c");
      const result = await n1.ok("ADD", a.env);
      const own = ipsOf(result);
      const near = ipsOf(await n1.ok("ADD", b.env));
      const far = ipsOf(await n2.ok("ADD", c.env));
      assertEquals(own.map(familyOf), [...families]);
      assert(
        [...own, ...near, ...far].every((ip) => assigned(stage).includes(ip)),
      );
      const office = stage.region.fabric.addOutsideHost({
        name: "office",
        cidr: "192.168.7.10/24",
        cidr6: "fd07::10/64",
      });
      for (const [at, ip] of own.entries()) {
        const officeIp = familyOf(ip) === 6 ? "fd07::10" : "192.168.7.10";
        assertEquals(await ping(a.netns, near[at] ?? ""), 3);
        assertEquals(await ping(c.netns, ip), 3);
        assertEquals(await ping(a.netns, officeIp), 3);
        const server = { netns: a.netns, ip };
        assertEquals(await seenBy(server, c.netns), far[at]);
        assertEquals(await seenBy(server, office.netns), officeIp);
        // The node itself, as kubelet's probes do.
        assertEquals(await ping(n1.node.netns, ip), 3);
        // By a service's address, to a backend of each node.
        const backends = [
          { netns: b.netns, ip: near[at] ?? "" },
          { netns: c.netns, ip: far[at] ?? "" },
        ];
        for (const [number, backend] of backends.entries()) {
          const service = familyOf(ip) === 6
            ? `fd21::${number + 1}`
            : `172.21.0.${number + 1}`;
          await addService(n1.node.netns, {
            ip: service,
            backend: backend.ip,
            keepsSource: true,
          });
          const target = { ip: service, port: 80 };
          assertEquals(await seenBy(backend, a.netns, target), ip, service);
        }
      }
      assertEquals(await stage.region.fabric.spoofed(), 0);
      const signal = AbortSignal.timeout(5_000);
      const status = await askDaemon(n1.node.socket, "status", signal);
      assertEquals(statusProblems(status), []);
      await n1.ok("CHECK", a.env, { ...CONF, prevResult: JSON.parse(result) });

      for (const one of [a, b]) await n1.ok("DEL", one.env);
      assertEquals(await n1.leases(), []);
      const { rules, routes } = n1.kernel();
      const left = JSON.stringify([rules, routes]);
      for (const ip of [...own, ...near]) assert(!left.includes(`"${ip}/`));
      await n2.ok("GC", {}, NOBODY);
      await stage.drain();
      assertEquals(assigned(stage), []);
    },
  );
}

for (const { stack, families } of STACKS) {
  Deno.test(
    `${stack} pods with an ENI of their own meet pods, nodes, services and hosts outside`,
    lab,
    async () => {
      await using stage = await openDual(stack, {
        daemonFlags: ["--daemon-mode", "ENIOnly"],
        config: { max_pool_size: 1 },
      });
      const [n1, n2] = [new Caller(stage), new Caller(stage, "n2")];
      using a = sandboxOn(stage, "a");
      using b = sandboxOn(stage, "b");
      const before = n1.kernel().links;
      const result = await n1.ok("ADD", a.env);
      const [own, far] = [result, await n2.ok("ADD", b.env)].map(ipsOf);
      assertEquals(own?.map(familyOf), [...families]);
      const office = stage.region.fabric.addOutsideHost({
        name: "office",
        cidr: "192.168.7.10/24",
        cidr6: "fd07::10/64",
      });
      for (const [at, ip] of own?.entries() ?? []) {
        const isSix = familyOf(ip) === 6;
        const server = { netns: a.netns, ip };
        assertEquals(await seenBy(server, b.netns), far?.[at]);
        assertEquals(
          await seenBy(server, office.netns),
          isSix ? "fd07::10" : "192.168.7.10",
        );
        assertEquals(await ping(n1.node.netns, ip), 3, "its node");
        const service = isSix ? "fd21::1" : "172.21.0.1";
        await addService(n1.node.netns, {
          ip: service,
          backend: far?.[at] ?? "",
        });
        const backend = { netns: b.netns, ip: far?.[at] ?? "" };
        const seen = await seenBy(backend, a.netns, { ip: service, port: 80 });
        assertEquals(familyOf(seen), isSix ? 6 : 4);
      }
      await n1.ok("CHECK", a.env, { ...CONF, prevResult: JSON.parse(result) });
      await stage.killDaemon("n1");
      await stage.restartDaemon("n1");
      assertEquals(await n1.ok("ADD", a.env), result);

      await n1.ok("DEL", a.env);
      await n2.ok("DEL", b.env);
      await n1.until(() => n1.kernel().links.length === before.length + 1);
      await stage.drain();
      assertEquals(n1.kernel().links, before);
      assertEquals(assigned(stage), []);
    },
  );
}

Deno.test(
  "a node that forwards IPv6 since a daemon came says so, and keeps its routes",
  lab,
  async () => {
    await using stage = await openDual("dual", { nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    await caller.ok("ADD", a.env);
    const read = async (key: string) =>
      (await runIn(caller.node.netns, ["sysctl", "-n", key])).stdout.trim();
    assertEquals(await read("net.ipv6.conf.all.forwarding"), "1");
    assertEquals(await read("net.ipv6.conf.eth0.accept_ra"), "2");
    const log = await Deno.readTextFile(stage.daemon("n1").log);
    assertStringIncludes(log, "ipv6.conf.all.forwarding: 0 -> 1");
    assertStringIncludes(log, "ipv6.conf.eth0.accept_ra: 1 -> 2");
    // Used at once: nobody else can have it, so nobody is asked.
    const { stdout } = await runIn(a.netns, [
      ...["ip", "-6", "address", "show", "dev", "eth0", "scope", "global"],
    ]);
    assert(!stdout.includes("tentative"), stdout);
  },
);

Deno.test(
  "both addresses of a pod survive kill -9, a lost journal, and somebody's hands",
  lab,
  async () => {
    await using stage = await openDual("dual", { nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    const first = await caller.ok("ADD", a.env);
    const [ip = "", ip6 = ""] = ipsOf(first);
    for (
      const command of [
        ["ip", "-6", "rule", "del", "from", ip6],
        ["ip", "-6", "route", "del", ip6],
        ["ip", "route", "del", ip],
      ]
    ) {
      assert((await runIn(caller.node.netns, command)).success, `${command}`);
    }
    await caller.until(async () =>
      (await caller.call("CHECK", a.env)).status === 0
    );

    const journalIs = async (ips: readonly Ip[]) => {
      const leases = await caller.leases() as { ip: Ip; ip6?: Ip }[];
      return leases.length === 1 &&
        [leases[0]?.ip, leases[0]?.ip6].join() === ips.join();
    };
    await stage.killDaemon("n1");
    await stage.restartDaemon("n1");
    assert(await journalIs([ip, ip6]));
    assertEquals(await caller.ok("ADD", a.env), first);

    await loseJournal(stage, caller);
    await caller.until(() => journalIs([ip, ip6]));
    assertEquals(await caller.ok("ADD", a.env), first);
    await caller.ok("CHECK", a.env);
    await caller.ok("DEL", a.env);
    assertEquals(dumpOf(a.netns).links.map(({ name }) => name), ["lo"]);
    await stage.drain();
  },
);

Deno.test("a node whose vSwitch has no IPv6 says what to do", lab, async () => {
  const error = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { ip_stack: "dual" },
  }).then(() => undefined, (error: Error) => error.message);
  assertStringIncludes(error ?? "", "has an IPv6 prefix");
  assertStringIncludes(error ?? "", "turn IPv6 on");
});

Deno.test(
  "a node that becomes dual-stack keeps its pods, and new ones have both families",
  lab,
  async () => {
    const config: Record<string, unknown> = { "min_pool_size": 1 };
    await using stage = await openStage({
      nodeCount: 1,
      zoneCount: 1,
      ipv6: true,
      config,
    });
    const caller = new Caller(stage);
    using old = sandboxOn(stage, "old");
    using fresh = sandboxOn(stage, "fresh");
    const [oldIp = ""] = ipsOf(await caller.ok("ADD", old.env));
    await stage.killDaemon("n1");
    config.ip_stack = "dual";
    await stage.restartDaemon("n1");
    const ips = ipsOf(await caller.ok("ADD", fresh.env));
    assertEquals(ips.map(familyOf), [4, 6]);
    assertEquals(await ping(fresh.netns, oldIp), 3);
    assertEquals(await ping(caller.node.netns, ips[1] ?? ""), 3);
    await caller.ok("CHECK", old.env);
    // And back: what it has it keeps, and the next one has IPv4 alone.
    await stage.killDaemon("n1");
    config.ip_stack = "ipv4";
    await stage.restartDaemon("n1");
    using last = sandboxOn(stage, "last");
    assertEquals(ipsOf(await caller.ok("ADD", last.env)).map(familyOf), [4]);
    await caller.ok("CHECK", fresh.env);
    assertEquals(await ping(caller.node.netns, ips[1] ?? ""), 3);
    for (const one of [old, fresh, last]) await caller.ok("DEL", one.env);
    await stage.drain();
    assertEquals(assigned(stage), []);
  },
);
