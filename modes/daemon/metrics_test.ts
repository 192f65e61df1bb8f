import { assert, assertEquals } from "@std/assert";
import { type MeteredStatus, openMetrics } from "./metrics.ts";

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

async function linesOf(
  meter: ReturnType<typeof openMetrics>,
): Promise<readonly string[]> {
  return (await meter.text()).trimEnd().split("\n");
}

Deno.test("metrics tell addresses and ENIs by what they are, as they are now", async () => {
  const meter = openMetrics();
  let status = STATUS;
  meter.follow({ status: () => status });
  const lines = await linesOf(meter);
  for (
    const line of [
      "terway_pool_serving 1",
      "terway_pool_capacity 45",
      'terway_pool_addresses{state="leased"} 3',
      'terway_pool_enis{phase="ready"} 2',
      'terway_pool_enis{phase="attaching"} 1',
    ]
  ) assert(lines.includes(line), line);
  status = { ...STATUS, enis: [] };
  const later = await linesOf(meter);
  assert(!later.some((line) => line.startsWith("terway_pool_enis{")));
});

Deno.test("metrics count how long verbs and calls took, whatever callers write", async () => {
  const meter = openMetrics();
  meter.verbEnded({ name: "ADD", outcome: "ok", seconds: 0.004 });
  for (const name of ["x1", "x2"]) {
    meter.verbEnded({ name, outcome: "refused", seconds: 0.001 });
  }
  meter.callEnded({ api: "CreateNetworkInterface", seconds: 0.3 });
  meter.callEnded({
    ...{ api: "CreateNetworkInterface", kind: "throttled", seconds: 0.1 },
  });
  const lines = await linesOf(meter);
  const api = "CreateNetworkInterface";
  for (
    const line of [
      'terway_verb_seconds_bucket{le="0.005",verb="ADD",outcome="ok"} 1',
      'terway_verb_seconds_count{verb="other",outcome="refused"} 2',
      `terway_cloud_call_seconds_count{api="${api}",outcome="ok"} 1`,
      `terway_cloud_call_seconds_count{api="${api}",outcome="throttled"} 1`,
    ]
  ) assert(lines.includes(line), line);
});

Deno.test("every line of metrics is a comment or a figure", async () => {
  const meter = openMetrics();
  meter.follow({ status: () => STATUS });
  meter.verbEnded({ name: "DEL", outcome: "ok", seconds: 0.01 });
  const form =
    /^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [\d.e+-]+|)$/;
  const lines = await linesOf(meter);
  assertEquals(lines.filter((line) => !form.test(line)), []);
});
