import { assertEquals, assertThrows } from "@std/assert";
import { PoolError } from "./error.ts";
import type { Call, PoolEvent, Problem } from "./event.ts";
import type { EniPhase, PoolState } from "./state.ts";
import { step } from "./step.ts";
import { eniWith, NOW_MS, poolOf } from "./testing/states.ts";

const nowMs = NOW_MS;

function apply(state: PoolState, ...events: PoolEvent[]): PoolState {
  return events.reduce(step, state);
}

function begin(call: Call): PoolEvent {
  return { kind: "begun", call, nowMs };
}

function fail(kind: Problem["kind"], call: Call["kind"]): PoolEvent {
  const problem = {
    call,
    kind,
    api: call,
    code: "Code",
    message: "words",
    requestId: "",
    httpStatus: 0,
  };
  return { kind: "failed", callId: 1, problem, nowMs, chance: 0.5 };
}

/** Begins a card's call, lets it fail, and gives the phase it is in then. */
function phaseAfter(
  phase: EniPhase,
  call: "attach" | "detach" | "delete",
  kind: Problem["kind"],
): EniPhase | "gone" {
  const eni = eniWith(1, ["idle"], { phase });
  const state = apply(
    poolOf([eni]),
    begin({ kind: call, eniKey: eni.key }),
    fail(kind, call),
  );
  return state.enis.get(eni.key)?.phase ?? "gone";
}

Deno.test("a claim waits once, however often it is made", () => {
  const claim = { kind: "claimed", ownerKey: "a", nowMs } as const;
  const once = apply(poolOf([]), claim);
  assertEquals(apply(once, { ...claim, nowMs: nowMs + 5 }), once);
});

Deno.test("a lease is ended by its owner only", () => {
  const state = poolOf([eniWith(1, ["leased"])]);
  const other = apply(state, { kind: "released", ownerKey: "old", nowMs });
  assertEquals(other, state);
  const own = apply(state, { kind: "released", ownerKey: "key-1-0", nowMs });
  assertEquals(own.leases.size, 0);
  assertEquals([...own.enis.get("key-1")?.slots.values() ?? []], [
    { kind: "cooling", untilMs: nowMs + 30_000 },
  ]);
});

Deno.test("what can't be ends the pool", () => {
  const state = poolOf([eniWith(1, ["leased", "cooling"])]);
  const [held] = state.leases.values();
  if (held === undefined) throw new Error("no lease");
  const impossible: Record<string, PoolEvent[]> = {
    "an address with two owners": [
      { kind: "granted", lease: { ...held, ownerKey: "another" } },
    ],
    "an owner with two leases": [
      { kind: "granted", lease: { ...held, ip: "10.0.1.2" } },
    ],
    "rest that ends early": [
      { kind: "cooled", eniKey: "key-1", ips: ["10.0.1.2"], nowMs },
    ],
    "a card that leaves with a lease": [
      begin({ kind: "retire", eniKey: "key-1" }),
    ],
    "a leased address that is given back": [
      begin({ kind: "unassign", eniKey: "key-1", ips: ["10.0.1.1"] }),
    ],
    "a call in the wrong phase": [begin({ kind: "attach", eniKey: "key-1" })],
    "two calls for one card": [
      begin({ kind: "assign", eniKey: "key-1", count: 1, token: "t" }),
      begin({ kind: "assign", eniKey: "key-1", count: 1, token: "t" }),
    ],
    "an answer to nothing": [
      { kind: "answered", callId: 7, answer: { kind: "attach" }, nowMs },
    ],
  };
  for (const [what, events] of Object.entries(impossible)) {
    const error = assertThrows(
      () => apply(state, ...events),
      PoolError,
      "",
      what,
    );
    assertEquals(error.kind, "broken", what);
  }
});

Deno.test("a primary address is never given back alone", () => {
  const state = poolOf([eniWith(1, ["idle", "idle"])]);
  const wish = { kind: "unassign", eniKey: "key-1" } as const;
  assertThrows(
    () => apply(state, begin({ ...wish, ips: ["10.0.1.1"] })),
    PoolError,
    "primary",
  );
  apply(state, begin({ ...wish, ips: ["10.0.1.2"] }));
});

Deno.test("an address that another card got is not lent once giving it back is refused", () => {
  const ip = "10.0.1.2";
  const one = eniWith(1, ["idle", "idle"]);
  const two = eniWith(2, ["idle"]);
  const open = apply(
    poolOf([one, two]),
    begin({ kind: "unassign", eniKey: one.key, ips: [ip] }),
  );
  // Somebody took it off the first, and the cloud gave it to the second.
  const slots = new Map(two.slots).set(ip, { kind: "idle", sinceMs: nowMs });
  const enis = new Map(open.enis).set(two.key, { ...two, slots });
  const after = apply({ ...open, enis }, fail("throttled", "unassign"));
  assertEquals(after.enis.get(one.key)?.slots.get(ip)?.kind, "quarantined");
  assertEquals(after.enis.get(two.key)?.slots.get(ip)?.kind, "idle");
});

Deno.test("each failure moves a card to where the truth can be seen", () => {
  const table = [
    ["created", "attach", "timeout", "attaching"],
    ["created", "attach", "conflict", "attaching"],
    ["created", "attach", "notFound", "attaching"],
    ["created", "attach", "throttled", "created"],
    ["created", "attach", "denied", "created"],
    ["created", "attach", "quota", "deleting"],
    ["retired", "detach", "timeout", "detaching"],
    ["retired", "detach", "throttled", "retired"],
    ["deleting", "delete", "timeout", "deleting"],
    ["deleting", "delete", "conflict", "detaching"],
    ["deleting", "delete", "notFound", "gone"],
  ] as const;
  for (const [phase, call, kind, expected] of table) {
    const what = `${call} in ${phase}: ${kind}`;
    assertEquals(phaseAfter(phase, call, kind), expected, what);
  }
});

Deno.test("a refused creation is forgotten, one without an answer is kept", () => {
  const { intent } = eniWith(1, ["idle"]);
  const create = begin({ kind: "create", eniKey: "k", intent });
  const phaseOf = (state: PoolState) => state.enis.get("k")?.phase;
  const refused = apply(poolOf([]), create, fail("denied", "create"));
  assertEquals(phaseOf(refused), undefined);
  const open = apply(poolOf([]), create, fail("timeout", "create"));
  assertEquals([phaseOf(open), open.enis.get("k")?.unsure], ["creating", true]);
  const again = { ...fail("exhausted", "create"), callId: 2 } as PoolEvent;
  assertEquals(phaseOf(apply(open, create, again)), "seeking");
});

Deno.test("a description that began before a change tells nothing", () => {
  const eni = eniWith(1, ["idle", "idle"], { phase: "ready" });
  const surveying = apply(
    poolOf([eni]),
    begin({ kind: "survey" }),
    begin({ kind: "assign", eniKey: eni.key, count: 1, token: "t" }),
    {
      kind: "answered",
      callId: 2,
      answer: { kind: "assign", ips: ["10.0.1.9"] },
      nowMs,
    },
  );
  const answer = { kind: "survey", enis: [], instanceId: "i-1" } as const;
  const after = apply(surveying, {
    kind: "answered",
    callId: 1,
    answer,
    nowMs,
  });
  assertEquals(after.enis, surveying.enis);
});

Deno.test("a card is given up when it is missing twice, 10 s apart", () => {
  const eni = eniWith(1, ["idle"], { phase: "attaching" });
  const look = (state: PoolState, atMs: number) => {
    const call = { kind: "describe", eniKeys: [eni.key] } as const;
    const callId = state.nextCallId;
    const answer = { kind: "describe", enis: [], instanceId: "i-1" } as const;
    return apply(
      state,
      { kind: "begun", call, nowMs: atMs },
      { kind: "answered", callId, answer, nowMs: atMs },
    );
  };
  const once = look(poolOf([eni]), nowMs);
  assertEquals(once.enis.size, 1);
  assertEquals(look(once, nowMs + 9_999).enis.size, 1);
  assertEquals(look(once, nowMs + 10_000).enis.size, 0);
  const leased = poolOf([eniWith(1, ["leased"], { phase: "attaching" })]);
  assertEquals(look(look(leased, nowMs), nowMs + 60_000).enis.size, 1);
});
