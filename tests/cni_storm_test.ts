/**
 * Many runtimes at once against a real daemon: whatever crosses and whoever
 * is killed, some order explains what all of them heard, and nothing is left.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { contradiction } from "./cni/history.ts";
import { Storm } from "./cni/storm.ts";
import { Caller } from "./daemon/harness.ts";
import { openStage } from "./stage/stage.ts";

/** TERWAY_STORM_SEED repeats a run's choices; its timing is its own. */
const SEED = Number(Deno.env.get("TERWAY_STORM_SEED") ?? Date.now() % 1e6);

Deno.test(`cni: a storm of verbs is linearizable (seed ${SEED})`, async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    // 210 addresses: more lives than that, so that addresses come again.
    instanceType: "ecs.g7.4xlarge",
    config: { "max_pool_size": 100, "min_pool_size": 60 },
  });
  const caller = new Caller(stage);
  const before = caller.kernel();
  const storm = new Storm({
    node: caller.node,
    seed: SEED,
    runtimeCount: 8,
    lifeCount: 36,
  });
  await storm.run();
  await storm.look();
  await storm.deleteAll();
  await storm.look();
  assertEquals(contradiction(storm.calls), undefined);
  assertEquals([await caller.leases(), await caller.waitingCount()], [[], 0]);
  await caller.until(() =>
    caller.kernel().links.every((link) => !link.name.startsWith("cali"))
  );
  assertEquals(caller.kernel().rules, before.rules);
  // It was a storm: callers were killed, and addresses came again.
  const heard = storm.calls.filter(({ kind, ok }) => kind === "ADD" && ok);
  const killed = storm.calls.filter(({ ok }) => ok === undefined);
  assertGreater(killed.length, 20);
  assertGreater(heard.length, new Set(heard.map(({ ip }) => ip)).size);
});
