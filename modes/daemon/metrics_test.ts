import { assert, assertEquals } from "@std/assert";
import { type MeteredStatus, metricsText } from "./metrics.ts";

const STATUS = {
  mode: "serving",
  capacity: 45,
  slots: { idle: 2, leased: 3, cooling: 0, unassigning: 0, quarantined: 0 },
  enis: [{ phase: "ready" }, { phase: "ready" }, { phase: "attaching" }],
  claims: [],
  calls: [],
  full: undefined,
  lost: [],
} as unknown as MeteredStatus;

Deno.test("metricsText() tells addresses and ENIs by what they are", () => {
  const lines = metricsText(STATUS).split("\n");
  for (
    const line of [
      "terway_pool_serving 1",
      "terway_pool_capacity 45",
      'terway_pool_addresses{state="leased"} 3',
      'terway_pool_enis{phase="ready"} 2',
      'terway_pool_enis{phase="attaching"} 1',
    ]
  ) assert(lines.includes(line), line);
});

Deno.test("every line of metrics is a comment or a figure", () => {
  const lines = metricsText(STATUS).trimEnd().split("\n");
  const form = /^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{[a-z]+="[^"]*"\})? \d+)$/;
  assertEquals(lines.filter((line) => !form.test(line)), []);
});
