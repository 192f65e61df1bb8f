/**
 * Pods with addresses of IPv6 prefixes, by a whole daemon: packets both ways,
 * and what the VPC carries of a /80.
 */
import { assert, assertEquals } from "@std/assert";
import { statusProblems } from "../modes/status_schema.ts";
import { familyOf, type Ip } from "../netns/ip.ts";
import { isOfPrefix } from "../pool/prefix.ts";
import {
  Caller,
  CONF,
  ipsOf,
  loseJournal,
  NOBODY,
  sandboxOn,
} from "./daemon/harness.ts";
import { ping, seenBy } from "./fabric/inside.ts";
import { askDaemon } from "./stage/daemon.ts";
import { openStage, type Stage, type StageOptions } from "./stage/stage.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

async function openPrefixed(
  stack: "dual" | "ipv6",
  more: Partial<StageOptions> = {},
): Promise<Stage> {
  const config = { "ip_stack": stack, "enable_ip_prefix": true };
  return await openStage({
    nodeCount: 1,
    zoneCount: 1,
    ...more,
    ipv6: true,
    config,
  });
}

/** The cards of pods in the cloud. */
function cardsOf(stage: Stage) {
  return [...stage.region.cloud.model.enis.values()]
    .filter(({ type }) => type !== "Primary");
}

/** All prefixes of the cards of pods. */
function prefixesOf(stage: Stage): readonly string[] {
  return cardsOf(stage).flatMap(({ prefixes, ips6 }) => [
    ...prefixes,
    ...ips6.filter((ip) => ip.includes("/")),
  ]);
}

function isIn(stage: Stage, ip: Ip): boolean {
  return prefixesOf(stage).some((prefix) => isOfPrefix(prefix, ip));
}

for (
  const { stack, families } of [
    { stack: "dual", families: [4, 6] },
    { stack: "ipv6", families: [6] },
  ] as const
) {
  Deno.test(
    `${stack} pods of prefixes meet on one node, across nodes and from outside`,
    lab,
    async () => {
      await using stage = await openPrefixed(stack, {
        nodeCount: 2,
        zoneCount: 2,
      });
      const [n1, n2] = [new Caller(stage), new Caller(stage, "n2")];
      using first = sandboxOn(stage, "first");
      using a = sandboxOn(stage, "a");
      using b = sandboxOn(stage, "b");
      using c = sandboxOn(stage, "c");
      await n1.ok("ADD", first.env); // has the primary address, if it is IPv4's
      const result = await n1.ok("ADD", a.env);
      const own = ipsOf(result);
      const near = ipsOf(await n1.ok("ADD", b.env));
      const far = ipsOf(await n2.ok("ADD", c.env));
      assertEquals(own.map(familyOf), [...families]);
      assert([...own, ...near].every((ip) => isIn(stage, ip)));
      assert(isIn(stage, far.at(-1) ?? ""));
      const singles = cardsOf(stage).flatMap(({ ips6 }) =>
        ips6.filter((ip) => !ip.includes("/"))
      );
      assertEquals(singles, []);

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
        assertEquals(await ping(n1.node.netns, ip), 3, "its node");
        const server = { netns: a.netns, ip };
        assertEquals(await seenBy(server, c.netns), far[at]);
        assertEquals(
          await seenBy({ netns: c.netns, ip: far[at] ?? "" }, a.netns),
          ip,
        );
        assertEquals(await seenBy(server, office.netns), officeIp);
      }
      assertEquals(await stage.region.fabric.spoofed(), 0);
      const signal = AbortSignal.timeout(5_000);
      const status = await askDaemon(n1.node.socket, "status", signal);
      assertEquals(statusProblems(status), []);
      await n1.ok("CHECK", a.env, { ...CONF, prevResult: JSON.parse(result) });
      for (const one of [first, a, b]) await n1.ok("DEL", one.env);
      assertEquals(await n1.leases(), []);
      await n2.ok("GC", {}, NOBODY);
      await stage.drain();
      assertEquals(cardsOf(stage), []);
    },
  );
}

Deno.test(
  "both addresses of a pod of prefixes survive kill -9 and a lost journal",
  lab,
  async () => {
    await using stage = await openPrefixed("dual");
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    using b = sandboxOn(stage, "b");
    using late = sandboxOn(stage, "late");
    const first = ipsOf(await caller.ok("ADD", a.env));
    const result = await caller.ok("ADD", b.env);
    const own = ipsOf(result);
    const blocks = prefixesOf(stage);
    await stage.killDaemon("n1");
    await stage.restartDaemon("n1");
    assertEquals(await caller.ok("ADD", b.env), result);
    await loseJournal(stage, caller);
    await caller.until(async () => (await caller.leases()).length === 2);
    assertEquals(await caller.ok("ADD", b.env), result);
    const other = ipsOf(await caller.ok("ADD", late.env));
    assertEquals(new Set([...first, ...own, ...other]).size, 6);
    assert(blocks.every((prefix) => prefixesOf(stage).includes(prefix)));
    for (const ip of own) assertEquals(await ping(late.netns, ip), 3);
    for (const one of [a, b, late]) await caller.ok("DEL", one.env);
    await stage.drain();
    assertEquals(cardsOf(stage), []);
  },
);

Deno.test(
  "the VPC carries all of a card's /80, and nothing of it once it is another's",
  lab,
  async () => {
    await using stage = await openPrefixed("ipv6");
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    const { cloud, fabric } = stage.region;
    fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
      cidr6: "fd07::10/64",
    });
    await caller.ok("ADD", a.env);
    assertEquals(await ping(a.netns, "fd07::10"), 3);
    assertEquals(await fabric.spoofed(), 0);
    const [card] = cardsOf(stage);
    const [prefix = ""] = card?.ips6 ?? [];
    await cloud.unassign6(card?.id ?? "", [prefix]);
    assertEquals(await ping(a.netns, "fd07::10"), 0);
    assertEquals(await fabric.spoofed(), 3);
    await caller.ok("DEL", a.env);
    await stage.drain();
    assertEquals(cardsOf(stage), []);
  },
);
