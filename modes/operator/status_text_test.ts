import { assert, assertEquals } from "@std/assert";
import type { PoolStatus } from "../../pool/contract.ts";
import { poolLimits } from "../../pool/limits.ts";
import type { PoolState } from "../../pool/state.ts";
import { statusOf } from "../../pool/status.ts";
import {
  claimsOf,
  eniWith,
  NOW_MS,
  poolOf,
} from "../../pool/testing/states.ts";
import { statusProblems } from "../status_schema.ts";
import { statusText } from "./status_text.ts";

const PROBLEM = {
  call: "survey",
  kind: "timeout",
  api: "DescribeNetworkInterfaces",
  code: "TimeoutError",
  message: "no answer within 20000 ms",
  requestId: "",
  httpStatus: 0,
} as const;

function statusWith(more: Partial<PoolState>): PoolStatus {
  const limits = poolLimits({
    instance: { eniCount: 3, ipv4PerEniCount: 10 },
    vSwitches: ["vsw-a", "vsw-b"].map((id, i) => ({
      id,
      cidr: `10.${i}.0.0/16`,
    })),
  });
  const enis = [eniWith(1, ["leased", "leased"]), eniWith(2, ["leased"])];
  const now = { nowMs: NOW_MS, mode: "serving" } as const;
  return statusOf(poolOf(enis, more), limits, now);
}

/** The lines that begin with one of these words. */
function linesOf(pool: PoolStatus, ...words: readonly string[]): string[] {
  const text = statusText({
    pid: 1,
    node: {
      instanceId: "i-1",
      instanceType: "ecs.g7.large",
      zone: "zone-a",
      primaryIp: "10.0.0.1",
    },
    memory: { rssBytes: 0 },
    pool,
    leases: [],
  });
  return text.split("\n").filter((line) =>
    words.some((word) => line.startsWith(`${word} `))
  );
}

/** What of a pool isn't as the form has it. */
function problemsOf(pool: PoolStatus): readonly string[] {
  const value = JSON.parse(JSON.stringify({ pool }));
  return statusProblems(value).filter((line) => line.startsWith("pool"));
}

Deno.test("a pool in trouble is as the form has it, and says what is going on", () => {
  const pool = statusWith({
    claims: claimsOf(1),
    rests: new Map([["vsw-a", { untilMs: NOW_MS + 60_000, atMost: 0 }]]),
    available: new Map([["vsw-b", 12]]),
    orphans: new Map([["eni-lost", NOW_MS - 60_000]]),
    spent: {
      fromMs: NOW_MS,
      counts: new Map([["CreateNetworkInterface", 3]]),
    },
  });
  assertEquals(problemsOf(pool), []);
  assertEquals(linesOf(pool, "calls", "orphan", "exchange"), [
    "calls      this minute: CreateNetworkInterface 3 of 500",
    "orphan     eni-lost is this node's, attached nowhere and unrecorded: " +
    "deleted in 540 s",
    "exchange   eni-2 on vsw-a, which is empty, makes way for an ENI on " +
    "vsw-b: held by key-2-0",
  ]);
  assertEquals(pool.vSwitches.map(({ ipCount }) => ipCount), [undefined, 12]);
});

Deno.test("a cloud that is away, and one that just came back, are told apart", () => {
  const away = statusWith({
    health: {
      level: "probesOnly",
      awayMs: NOW_MS - 200_000,
      backMs: undefined,
      problem: PROBLEM,
    },
  });
  assertEquals(problemsOf(away), []);
  assertEquals(linesOf(away, "cloud"), [
    "cloud      away for 200 s: it is only asked if it is back " +
    "(no answer within 20000 ms)",
  ]);
  const back = statusWith({
    health: {
      level: "noReleases",
      awayMs: undefined,
      backMs: NOW_MS - 5_000,
      problem: PROBLEM,
    },
  });
  assertEquals(problemsOf(back), []);
  const [line] = linesOf(back, "cloud");
  assert(line?.startsWith("cloud      back for 5 s, not believed yet"), line);
});

Deno.test("a pool without trouble has no lines of it", () => {
  const pool = statusWith({});
  assertEquals(problemsOf(pool), []);
  assertEquals(linesOf(pool, "cloud", "calls", "orphan", "exchange"), []);
});
