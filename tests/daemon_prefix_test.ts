/**
 * Pods with addresses of prefixes, by a whole daemon: packets both ways, and
 * that a prefix comes and goes as a whole.
 */
import { assert, assertEquals } from "@std/assert";
import { statusProblems } from "../modes/status_schema.ts";
import { type Cidr, contains, type Ip } from "../netns/ip.ts";
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

/** An address rests for 30 s, and a look may be under way. */
const COOLED_MS = 60_000;

/** What others change is told within a minute. */
const TOLD_MS = 70_000;

async function openPrefixed(
  more: Partial<StageOptions> = {},
): Promise<Stage> {
  return await openStage({
    nodeCount: 2,
    zoneCount: 2,
    ...more,
    config: { enable_ip_prefix: true, ...more.config },
  });
}

/** What the cloud has given to the cards of a node's pods. */
function cardsOf(stage: Stage, { node }: Caller) {
  const { instances, enis } = stage.region.cloud.model;
  const [instance] = [...instances.values()]
    .filter(({ name }) => name === node.name);
  return [...enis.values()].filter(({ type, instanceId }) =>
    type !== "Primary" && instanceId === instance?.id
  );
}

function prefixesOf(stage: Stage, caller: Caller): readonly Cidr[] {
  return cardsOf(stage, caller).flatMap(({ prefixes }) => prefixes);
}

/** A pod's address. */
async function added(
  caller: Caller,
  { env }: { env: Record<string, string> },
): Promise<Ip> {
  return ipsOf(await caller.ok("ADD", env))[0] ?? "";
}

function isIn(prefixes: readonly Cidr[], ip: Ip): boolean {
  return prefixes.some((prefix) => contains(prefix, ip));
}

Deno.test(
  "pods of a prefix meet on one node, across nodes and from outside, and it goes with the last of them",
  lab,
  async () => {
    await using stage = await openPrefixed({ config: { max_pool_size: 0 } });
    const [n1, n2] = [new Caller(stage), new Caller(stage, "n2")];
    using a = sandboxOn(stage, "a");
    using b = sandboxOn(stage, "b");
    using c = sandboxOn(stage, "c");
    using d = sandboxOn(stage, "d");
    using e = sandboxOn(stage, "e");
    await added(n1, a);
    const own = await added(n1, b);
    const near = await added(n1, c);
    await added(n2, d);
    const far = await added(n2, e);
    const blocks = prefixesOf(stage, n1);
    assertEquals(cardsOf(stage, n1).map(({ ips }) => ips.length), [1]);
    assertEquals(blocks.length, 1);
    assert(isIn(blocks, own) && isIn(blocks, near), `${own} ${near} ${blocks}`);
    assert(isIn(prefixesOf(stage, n2), far));

    const office = stage.region.fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
    });
    assertEquals(await ping(b.netns, near), 3);
    assertEquals(await ping(e.netns, own), 3);
    assertEquals(await ping(b.netns, "192.168.7.10"), 3);
    assertEquals(await ping(n1.node.netns, own), 3, "its node");
    const server = { netns: b.netns, ip: own };
    assertEquals(await seenBy(server, e.netns), far);
    assertEquals(await seenBy({ netns: e.netns, ip: far }, b.netns), own);
    assertEquals(await seenBy(server, office.netns), "192.168.7.10");
    assertEquals(await stage.region.fabric.spoofed(), 0);
    const signal = AbortSignal.timeout(5_000);
    const status = await askDaemon(n1.node.socket, "status", signal);
    assertEquals(statusProblems(status), []);

    for (const one of [b, c]) await n1.ok("DEL", one.env);
    await n1.until(() => prefixesOf(stage, n1).length === 0, COOLED_MS);
    assertEquals(cardsOf(stage, n1).map(({ ips }) => ips.length), [1]);
    await n1.ok("CHECK", a.env);
    await n1.ok("DEL", a.env);
    await n2.ok("GC", {}, NOBODY);
    await stage.drain();
    assertEquals([...cardsOf(stage, n1), ...cardsOf(stage, n2)], []);
  },
);

Deno.test(
  "leases of a prefix survive kill -9 and a lost journal",
  lab,
  async () => {
    await using stage = await openPrefixed({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    using b = sandboxOn(stage, "b");
    using late = sandboxOn(stage, "late");
    const first = await added(caller, a);
    const result = await caller.ok("ADD", b.env);
    const [ip = ""] = ipsOf(result);
    const blocks = prefixesOf(stage, caller);
    assert(isIn(blocks, ip));

    await stage.killDaemon("n1");
    await stage.restartDaemon("n1");
    assertEquals(await caller.ok("ADD", b.env), result);
    await loseJournal(stage, caller);
    await caller.until(async () => (await caller.leases()).length === 2);
    assertEquals(await caller.ok("ADD", b.env), result);
    await caller.ok("CHECK", b.env, {
      ...CONF,
      prevResult: JSON.parse(result),
    });
    const other = await added(caller, late);
    assert(![first, ip].includes(other), other);
    assertEquals(prefixesOf(stage, caller).slice(0, 1), blocks);
    assertEquals(await ping(late.netns, ip), 3);
    assertEquals(await ping(b.netns, first), 3);
    for (const one of [a, b, late]) await caller.ok("DEL", one.env);
    await stage.drain();
    assertEquals(cardsOf(stage, caller), []);
  },
);

Deno.test(
  "the VPC carries what is of a card's prefix and nothing else, and a prefix that somebody takes away is told",
  lab,
  async () => {
    await using stage = await openPrefixed({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using a = sandboxOn(stage, "a");
    using b = sandboxOn(stage, "b");
    const { cloud, fabric } = stage.region;
    const office = fabric.addOutsideHost({
      name: "office",
      cidr: "192.168.7.10/24",
    });
    await added(caller, a);
    const ip = await added(caller, b);
    assertEquals(await ping(b.netns, "192.168.7.10"), 3);
    assertEquals(await fabric.spoofed(), 0);
    const [card] = cardsOf(stage, caller);
    const [prefix = ""] = card?.prefixes ?? [];
    await cloud.unassignPrefixes(card?.id ?? "", [prefix]);
    assertEquals(await ping(b.netns, "192.168.7.10"), 0);
    assertEquals(await fabric.spoofed(), 3);
    assertEquals(await ping(office.netns, ip), 0);
    await caller.until(async () => {
      const signal = AbortSignal.timeout(5_000);
      const { pool } = await askDaemon(caller.node.socket, "status", signal);
      return (pool as { lost: readonly { ip: Ip }[] }).lost
        .some((one) => one.ip === ip);
    }, TOLD_MS);
    for (const one of [a, b]) await caller.ok("DEL", one.env);
    await stage.drain();
    assertEquals(cardsOf(stage, caller), []);
  },
);
