import { assert, assertEquals } from "@std/assert";
import type { Problem } from "./event.ts";
import {
  type Health,
  NO_RELEASES_MS,
  PROBES_ONLY_MS,
  RECOVERY_MS,
  responded,
  unanswered,
  WHOLE,
} from "./health.ts";
import { fill, on, type Rig } from "./testing/rig.ts";

const PROBLEM: Problem = {
  call: "survey",
  kind: "timeout",
  api: "survey",
  code: "TimeoutError",
  message: "no answer within 20000 ms",
  requestId: "",
  httpStatus: 0,
};

/** What comes of a list of times, each with whether the cloud answered. */
function after(...ends: readonly (readonly [number, "yes" | "no"])[]): Health {
  return ends.reduce<Health>(
    (health, [atMs, isAnswered]) =>
      isAnswered === "yes"
        ? responded(health, atMs)
        : unanswered(health, PROBLEM, atMs),
    WHOLE,
  );
}

Deno.test("the longer no call is answered, the more is left undone", () => {
  assertEquals(after([0, "no"], [NO_RELEASES_MS - 1, "no"]).level, "whole");
  assertEquals(after([0, "no"], [NO_RELEASES_MS, "no"]).level, "noReleases");
  assertEquals(after([0, "no"], [PROBES_ONLY_MS, "no"]).level, "probesOnly");
});

Deno.test("one answer ends a trouble that has cost nothing yet", () =>
  assertEquals(after([0, "no"], [1_000, "yes"], [NO_RELEASES_MS, "no"]), {
    level: "whole",
    awayMs: NO_RELEASES_MS,
    backMs: undefined,
    problem: PROBLEM,
  }));

Deno.test("a recovery is believed after a while without failure", () => {
  const away = [[0, "no"], [PROBES_ONLY_MS, "no"]] as const;
  const backMs = PROBES_ONLY_MS + 10_000;
  const back = [...away, [backMs, "yes"]] as const;
  const level = (atMs: number, ...more: readonly (readonly [number, "no"])[]) =>
    after(...back, ...more, [atMs, "yes"]).level;
  assertEquals(level(backMs + RECOVERY_MS - 1), "probesOnly");
  assertEquals(level(backMs + RECOVERY_MS), "whole");
  assertEquals(level(backMs + RECOVERY_MS, [backMs + 9, "no"]), "probesOnly");
});

/** Makes the cloud go away; the function that is given brings it back. */
function leave(rig: Rig): () => void {
  const { cloud } = rig.stand;
  const before = cloud.before;
  cloud.before = (call) => {
    before(call);
    return { kind: "refuse", code: "ServiceUnavailable" };
  };
  return () => {
    cloud.before = before;
  };
}

function changes(rig: Rig): readonly string[] {
  return rig.calls.filter((action) => !action.startsWith("Describe"));
}

Deno.test("a cloud that is away: pods are served from stock, nothing else is done, and they hear why", () =>
  on({ maxIdle: 1 }, async (rig) => {
    await fill(rig, 8);
    const comeBack = leave(rig);
    await rig.clock.advance(160_000);
    assertEquals(rig.keeper.status().health.level, "noReleases");
    const before = changes(rig).length;
    for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(120_000);
    assertEquals(changes(rig).length, before, "nothing is given back");
    assertEquals(rig.keeper.status().slots.idle, 6);
    const { level, awayMs } = rig.keeper.status().health;
    assertEquals(level, "probesOnly");
    assert(awayMs !== undefined && awayMs < rig.clock.nowMs() - 180_000);
    await fill(rig, 6);
    const late = rig.claim("late", 600_000);
    await rig.clock.advance(60_000);
    const [claim] = rig.keeper.status().claims;
    assertEquals(claim?.reason.kind, "unreachable");
    assert(claim?.reason.text.endsWith("; it is only asked if it is back"));
    assertEquals(changes(rig).length, before, "nothing but probes");
    comeBack();
    await rig.within(late, 120_000);
    await rig.clock.advance(120_000);
    assertEquals(
      rig.newsOf("degraded").map((one) => one.level),
      ["noReleases", "probesOnly"],
    );
    assertEquals(rig.newsOf("cloudBack").length, 1);
    assertEquals(rig.keeper.status().health, { level: "whole" });
    for (let i = 0; i < 6; i++) await rig.keeper.release(`pod-${i}`);
    await rig.clock.advance(60_000);
    assert(changes(rig).length > before);
  }));

Deno.test("while a recovery is proven, who waits hears so", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await rig.lease("a");
    const comeBack = leave(rig);
    await rig.clock.advance(300_000);
    const waiting = rig.claim("b", 300_000);
    await rig.clock.advance(1_000);
    comeBack();
    await rig.clock.until(
      () => rig.keeper.status().health.backMs !== undefined,
      70_000,
    );
    const [claim] = rig.keeper.status().claims;
    assert(
      claim?.reason.text.startsWith("the cloud is back since 2026-11-21T"),
    );
    const sinceMs = rig.clock.nowMs();
    await rig.within(waiting, 60_000);
    const tookMs = rig.clock.nowMs() - sinceMs;
    assert(tookMs >= RECOVERY_MS && tookMs < RECOVERY_MS + 10_000, `${tookMs}`);
  }));

Deno.test("a single API that fails is no reason to leave the others undone", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await rig.lease("a");
    const { faults } = rig.stand.cloud;
    faults.add({ kind: "refuse", code: "InternalError" }, {
      action: "AssignPrivateIpAddresses",
      times: 1_000,
    });
    rig.claim("b", 900_000).catch(() => {});
    await rig.clock.advance(600_000);
    assertEquals(rig.newsOf("degraded"), []);
  }));

Deno.test("an empty node asks on until the cloud answers, and no longer", () =>
  on({ maxIdle: 0 }, async (rig) => {
    await rig.lease("a");
    await rig.keeper.release("a");
    const comeBack = leave(rig);
    await rig.clock.advance(3_600_000);
    assertEquals(rig.keeper.status().health.level, "probesOnly");
    comeBack();
    await rig.clock.advance(600_000);
    assertEquals(rig.cloudEnis, []);
    const count = rig.calls.length;
    await rig.clock.advance(3_600_000);
    assertEquals(rig.calls.length, count);
  }));
