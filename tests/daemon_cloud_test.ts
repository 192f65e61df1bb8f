/**
 * A daemon whose cloud is full, refuses, times out or answers garbage: what the
 * caller hears, and what is made and left there.
 */
import { assertEquals } from "@std/assert";
import { FAULTS } from "./emulators/alibaba/faults.ts";
import { openStage } from "./stage/stage.ts";
import { Caller, ipOf, Sandbox } from "./daemon/harness.ts";

Deno.test("terway daemon says why there is no address, and tries on", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    daemonFlags: ["--add-deadline", "1"],
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "wait");
  const { cloud } = stage.region;

  cloud.faults.add(FAULTS.denied, { action: "CreateNetworkInterface" });
  await caller.refused("ADD", sandbox.env, {
    code: 11,
    includes: ["CreateNetworkInterface", "Forbidden.RAM"],
  });
  assertEquals(await caller.leases(), []);
});

Deno.test("terway daemon fills a node exactly, then refuses at once", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    instanceType: "ecs.g6.large", // 2 ENIs of 6 addresses
  });
  const caller = new Caller(stage);
  using pods = new DisposableStack();
  const ips = new Set<string>();
  for (const name of ["f1", "f2", "f3", "f4", "f5", "f6"]) {
    const pod = pods.use(new Sandbox(stage, name));
    ips.add(ipOf(await caller.ok("ADD", pod.env)));
  }
  assertEquals(ips.size, 6);
  using more = new Sandbox(stage, "f7");
  await caller.refused("ADD", more.env, { code: 11, includes: ["6 of 6"] });
  assertEquals((await caller.leases()).length, 6);
});

Deno.test("terway daemon leaves ENIs as they are when it may not plug", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { hot_plug: false, min_pool_size: 2 },
    daemonFlags: ["--add-deadline", "1"],
  });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "noplug");
  const before = stage.region.cloud.dump();
  await caller.refused("ADD", sandbox.env, {
    code: 11,
    includes: ["hot_plug"],
  });
  assertEquals(stage.region.cloud.dump(), before);
});

Deno.test("terway daemon outlives a cloud that times out or answers garbage", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "luck");
  const { cloud } = stage.region;
  for (const fault of [FAULTS.garbage, FAULTS.lost, FAULTS.internal]) {
    cloud.faults.add(fault, { action: "CreateNetworkInterface" });
  }
  cloud.faults.add(FAULTS.timeout, { action: "AttachNetworkInterface" });
  await caller.ok("ADD", sandbox.env);
  const secondaries = cloud.dump().enis.filter((eni) =>
    eni.type === "Secondary"
  );
  assertEquals(secondaries.length, 1, "the token makes a repeated call safe");
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});
