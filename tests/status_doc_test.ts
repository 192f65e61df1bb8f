import { assert, assertEquals } from "@std/assert";
import { statusProblems } from "../modes/status_schema.ts";
import { fill, on } from "../pool/testing/rig.ts";
import { Caller, Sandbox } from "./daemon/harness.ts";
import { FAULTS } from "./emulators/alibaba/faults.ts";
import { askDaemon } from "./stage/daemon.ts";
import { openStage } from "./stage/stage.ts";
import { undocumented } from "./status_doc.ts";

Deno.test("undocumented() finds what the form doesn't name", () => {
  const told = {
    pid: 1,
    mood: "good",
    pool: { limits: { some: 1 }, enis: [{ id: "eni-1", colour: "red" }] },
    leases: [{ attachment: { any: { thing: 1 } } }],
  };
  assertEquals(undocumented(told), ["mood", "pool.enis[].colour"]);
});

Deno.test("what a daemon tells is documented, and where its credentials are from", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  const caller = new Caller(stage);
  using sandbox = new Sandbox(stage, "told");
  await caller.ok("ADD", sandbox.env);
  const signal = AbortSignal.timeout(5_000);
  const status = await askDaemon(caller.node.socket, "status", signal);
  assertEquals(statusProblems(status), []);
  assertEquals(undocumented(status), []);
  const { credentials } = status.node as { credentials: { source: string } };
  assertEquals(credentials.source, "AK_ID and AK_SECRET");
  const told = JSON.stringify(status);
  assert(!told.includes(stage.description.cloud.accessKeySecret));
  await caller.ok("DEL", sandbox.env);
  await stage.drain();
});

Deno.test("what a pool in trouble tells is documented", () =>
  on(
    { minIdle: 0, vSwitches: ["vSwitchId", "smallVSwitchId"] },
    async (rig) => {
      const { cloud, vSwitchId } = rig.stand;
      await fill(rig, 3);
      const [lease] = rig.keeper.leases().filter(({ ip, eniId }) =>
        cloud.model.enis.get(eniId)?.primaryIp !== ip
      );
      await cloud.stranger.unassignIps(lease?.eniId ?? "", [
        lease?.ip ?? "0.0.0.0",
      ]);
      await rig.clock.advance(60_000);
      cloud.stranger.occupy(vSwitchId, 0);
      cloud.faults.add(FAULTS.denied, { times: 50 });
      const waits = ["x", "y"].map((one) => rig.claim(one).catch(() => {}));
      await rig.clock.advance(50_000);
      const pool = JSON.parse(JSON.stringify(rig.keeper.status()));
      assertEquals(undocumented({ pool }), []);
      const { claims, gates, lost } = pool;
      assert(claims.length > 0 && gates.length > 0 && lost.length > 0);
      await rig.clock.advance(60_000);
      await Promise.all(waits);
    },
  ));
