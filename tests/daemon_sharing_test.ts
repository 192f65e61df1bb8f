/**
 * A daemon that is asked for IPvlan on a kernel that hasn't got it.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { probeIpvlan } from "../netns/probe.ts";
import { Caller, CONF, Sandbox } from "./daemon/harness.ts";
import { askDaemon } from "./stage/daemon.ts";
import { openStage } from "./stage/stage.ts";

const able = Deno.uid() === 0 ? probeIpvlan() : { can: false } as const;

/** On a kernel that can, guests show what then is. */
const ignore = able.can;

Deno.test(
  "terway daemon shares ENIs by policy routing where it can't by IPvlan",
  {
    ignore,
  },
  async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const caller = new Caller(stage);
    using first = new Sandbox(stage, "first");
    using second = new Sandbox(stage, "second");
    const conf = { ...CONF, "eniip_virtual_type": "IPVlan" };
    for (const { env } of [first, second]) await caller.ok("ADD", env, conf);
    await caller.ok("CHECK", first.env, conf);
    const { sharing, leases } = await askDaemon(
      caller.node.socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    const { wanted, effective, reason } = sharing as Record<string, string>;
    assertEquals([wanted, effective], ["ipvlan", "veth"]);
    assertStringIncludes(reason ?? "", "ipvlan");
    assertEquals(
      (leases as { recipe: string }[]).map(({ recipe }) => recipe),
      ["veth/1", "veth/1"],
    );
    const log = await Deno.readTextFile(stage.daemon("n1").log);
    assertEquals(log.match(/this node can't do IPvlan/g)?.length, 1);
    for (const { env } of [first, second]) await caller.ok("DEL", env, conf);
    await stage.drain();
  },
);
