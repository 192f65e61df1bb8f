/**
 * Pods with an ENI of their own whose record is lost: the card is in the pod,
 * and the daemon finds it there.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { familyOf } from "../netns/ip.ts";
import { ask } from "../modes/wire.ts";
import { addService, ping, runIn, seenBy } from "./fabric/inside.ts";
import {
  Caller,
  CONF,
  dumpOf,
  ipsOf,
  loseJournal,
  sandboxOn,
} from "./daemon/harness.ts";
import { openStage } from "./stage/stage.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

/** An address rests for 30 s before it is another's. */
const COOLED_DEADLINE_MS = 50_000;

/** What `terway explain` is told of a pod, as JSON. */
async function explained({ node }: Caller, what: string): Promise<string> {
  const { status, document } = await ask(node.socket, {
    variables: new Map([["TERWAY_COMMAND", "explain"]]),
    stdin: new TextEncoder().encode(JSON.stringify({ what })),
  }, AbortSignal.timeout(5_000));
  assertEquals(status, 0, document);
  return document;
}

Deno.test(
  "a pod with an ENI of its own has its lease again after the journal was lost",
  lab,
  async () => {
    await using stage = await openStage({
      nodeCount: 2,
      zoneCount: 2,
      ipv6: true,
      daemonFlags: ["--daemon-mode", "ENIOnly"],
      config: {
        "max_pool_size": 1,
        "max_eni": 1,
        "ip_stack": "dual",
        "service_cidr": "172.21.0.0/20,fd21::/112",
        "extra_routes": [{ dst: "192.168.9.0/24" }],
      },
    });
    const [one, two] = [new Caller(stage), new Caller(stage, "n2")];
    using a = sandboxOn(stage, "a");
    using b = sandboxOn(stage, "b");
    using c = sandboxOn(stage, "c");
    const before = one.kernel().links;
    const first = await one.ok("ADD", a.env);
    const [own, far] = [first, await two.ok("ADD", b.env)].map(ipsOf);
    const inPod = dumpOf(a.netns);
    const inNode = one.kernel();

    await loseJournal(stage, one);
    await one.until(async () => (await one.leases()).length === 1);
    assertEquals(dumpOf(a.netns), inPod, "the pod wasn't touched");
    assertEquals(one.kernel(), inNode, "nor its end on the node");
    await one.ok("CHECK", a.env, { ...CONF, prevResult: JSON.parse(first) });
    assertEquals(await one.ok("ADD", a.env), first);
    for (const [at, ip] of own?.entries() ?? []) {
      const theirs = far?.[at] ?? "";
      assertEquals(await seenBy({ netns: a.netns, ip }, b.netns), theirs);
      assertEquals(await seenBy({ netns: b.netns, ip: theirs }, a.netns), ip);
      assertEquals(await ping(one.node.netns, ip), 3, "its node");
      const service = familyOf(ip) === 6 ? "fd21::1" : "172.21.0.1";
      await addService(one.node.netns, { ip: service, backend: theirs });
      const backend = { netns: b.netns, ip: theirs };
      const seen = await seenBy(backend, a.netns, { ip: service, port: 80 });
      assertEquals(familyOf(seen), familyOf(ip), service);
    }
    const mac = JSON.parse(first).interfaces
      .find(({ name, sandbox }: { name: string; sandbox?: string }) =>
        name === "eth0" && sandbox !== undefined
      ).mac;
    assertStringIncludes(await explained(one, a.netns), mac);

    const [ip = ""] = own ?? [];
    assert((await runIn(one.node.netns, ["ip", "route", "del", ip])).success);
    await one.until(async () => (await one.call("CHECK", a.env)).status === 0);

    await one.ok("DEL", a.env);
    // Links die beside DEL's answer.
    await one.until(() =>
      dumpOf(a.netns).links.every(({ name }) => name === "lo")
    );
    const home = () => one.kernel().links.find((link) => link.mac === mac);
    await one.until(() => home() !== undefined);
    assertEquals(home()?.name, "eth1");

    const deadline = AbortSignal.timeout(COOLED_DEADLINE_MS);
    const next = await one.call("ADD", c.env, CONF, deadline);
    assertEquals([next.status, next.status && next.document], [0, 0]);
    assertEquals(ipsOf(next.document), own, "the only card there may be");
    assert(dumpOf(c.netns).links.some((link) => link.mac === mac));
    await one.ok("CHECK", c.env);
    assertEquals(await ping(c.netns, far?.[0] ?? ""), 3);

    await one.ok("DEL", c.env);
    await two.ok("DEL", b.env);
    await stage.drain();
    assertEquals(one.kernel().links, before);
  },
);
