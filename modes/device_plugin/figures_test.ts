import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { promisedCount } from "./capacity.ts";
import { FiguresError, figuresOf } from "./figures.ts";

const SLOTS = {
  idle: 1,
  leased: 0,
  cooling: 0,
  unassigning: 0,
  quarantined: 0,
};

function told(pool: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    daemonMode: "ENIOnly",
    pool: {
      mode: "serving",
      limits: { eniCount: 3, hotPlug: false, other: 1 },
      enis: [{ phase: "ready", slots: SLOTS }],
      foreignEniIds: ["eni-other"],
      health: { level: "whole" },
      ...pool,
    },
  };
}

const count = (pool: Readonly<Record<string, unknown>>): number =>
  promisedCount(figuresOf(told(pool)));

const HOT = { limits: { eniCount: 3, hotPlug: true } };

Deno.test("members are those that a trunk takes which can be used", () => {
  const check = (trunk: unknown, memberCount?: number) => {
    const figures = figuresOf({ ...told() as object, trunk });
    assertEquals(figures.memberCount, memberCount);
  };
  check(undefined);
  check({ memberCount: 0, memberCapacity: 20, reason: "no trunk" });
  check({ memberCount: 0, memberCapacity: 20 });
  check({ eniId: "eni-t", memberCount: 3, memberCapacity: 20 }, 20);
  const one = { eniId: "eni-t", memberCount: 0, memberCapacity: 20 };
  check({ ...one, reason: "it can't be used yet" });
});

Deno.test("figuresOf() reads what devices go by", () => {
  assertEquals(figuresOf(told()), {
    daemonMode: "ENIOnly",
    isWanted: true,
    eniCount: 3,
    hotPlug: false,
    mayGrow: true,
    enis: [{ phase: "ready", isShown: true, isQuarantined: false }],
    foreignCount: 1,
  });
  assertEquals(count(HOT), 2);
  assertEquals(count({ ...HOT, full: { untilMs: 1 } }), 1, "the cloud is full");
  assertEquals(count({ ...HOT, health: { level: "probesOnly" } }), 1, "away");
  assertEquals(count({ ...HOT, health: { level: "noReleases" } }), 2);
});

Deno.test("figuresOf() promises nothing of a pool that is being drained", () => {
  assertEquals(count({ mode: "draining" }), 0);
  assertEquals(count({ ...HOT, mode: "draining" }), 0);
});

Deno.test("figuresOf() sees an ENI that nobody may have yet, or that is gone", () => {
  const held = { ...SLOTS, idle: 0, quarantined: 1 };
  assertEquals(count({ enis: [{ phase: "ready", slots: held }] }), 0);
  const adopted = { ...SLOTS, idle: 0, leased: 1, quarantined: 4 };
  assertEquals(count({ enis: [{ phase: "ready", slots: adopted }] }), 1);
  const gone = { phase: "ready", slots: SLOTS, goneSinceMs: 1 };
  assertEquals(count({ enis: [gone] }), 0);
});

Deno.test("figuresOf() refuses a pool that doesn't know its ENIs yet, and another form", () => {
  for (const mode of ["new", "starting", "stopped"]) {
    const error = assertThrows(() => figuresOf(told({ mode })), FiguresError);
    assertEquals(error.message, `the daemon's pool is ${mode}`);
  }
  const error = assertThrows(() => figuresOf({ pool: {} }), FiguresError);
  assertStringIncludes(error.message, "daemonMode");
  assertStringIncludes(error.message, "must be of one version");
});
