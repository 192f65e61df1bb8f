/**
 * A daemon whose configuration changes while it runs.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openStage } from "./stage/stage.ts";
import { askDaemon } from "./stage/daemon.ts";
import { Caller, Sandbox } from "./daemon/harness.ts";

/** A change counts when two looks agree, and a look comes every 5 s. */
const WITHIN_MS = 40_000;

Deno.test("terway daemon takes up a changed configuration where that is safe", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { max_pool_size: 5 },
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "live");
  await caller.ok("ADD", sandbox.env);
  const path = `${stage.dir}/n1/eni.json`;
  const first = JSON.parse(await Deno.readTextFile(path));
  const log = (): Promise<string> => Deno.readTextFile(stage.daemon("n1").log);
  const { cloud } = stage.region;
  const { vpcId, securityGroupId } = stage.description.cloud;
  const { id: groupId } = cloud.addSecurityGroup({ vpcId });
  const idleCount = async (): Promise<number> => {
    const deadline = AbortSignal.timeout(5_000);
    const { pool } = await askDaemon(caller.node.socket, "status", deadline);
    return (pool as { slots: { idle: number } }).slots.idle;
  };

  const second = {
    ...first,
    "min_pool_size": 3,
    "security_groups": [groupId],
    mtu: 9000,
  };
  await Deno.writeTextFile(path, JSON.stringify(second));
  await caller.until(async () => await idleCount() === 3, WITHIN_MS);
  const groups = (): unknown =>
    cloud.dump().enis.filter(({ type }) => type === "Secondary")
      .map(({ securityGroupIds }) => securityGroupIds);
  await caller.until(
    () =>
      JSON.stringify(groups()) === JSON.stringify([[securityGroupId, groupId]]),
    WITHIN_MS,
  );
  assertStringIncludes(await log(), '"field":"minPoolCount","from":0,"to":3');
  assertStringIncludes(
    await log(),
    '"a changed setting is refused","field":"mtu","why":"is part of the',
  );

  await Deno.writeTextFile(path, '{ "max_pool_size": -1, "nonsense": 1 }');
  await caller.until(
    async () => (await log()).includes("the last good one holds"),
    WITHIN_MS,
  );
  assertStringIncludes(await log(), "nonsense");
  assertEquals(await idleCount(), 3);
  await caller.ok("CHECK", sandbox.env);
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});

Deno.test("terway daemon lays a node's own configuration over the cluster's", async () => {
  const dir = await Deno.makeTempDir({ prefix: "terway-node-" });
  try {
    const own = `${dir}/own.json`;
    await Deno.writeTextFile(own, '{ "min_pool_size": 2, "eni_tags": null }');
    await using stage = await openStage({
      nodeCount: 1,
      zoneCount: 1,
      config: { min_pool_size: 0, max_pool_size: 4 },
      daemonFlags: ["--node-config", own],
    });
    const { socket } = new Caller(stage).node;
    const { pool } = await askDaemon(
      socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    const { minIdle, maxIdle } =
      (pool as { limits: Record<string, number> }).limits;
    assertEquals([minIdle, maxIdle], [2, 4]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
