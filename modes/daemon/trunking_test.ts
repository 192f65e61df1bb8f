import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError, decodeConfig } from "./config.ts";
import {
  requireTrunkable,
  tellTrunkless,
  trunkingStatus,
  wantsTrunk,
  whyNoTrunk,
} from "./trunking.ts";

const ON = decodeConfig('{ "enable_eni_trunking": true }', "eni_conf").config;
const OFF = decodeConfig("{}", "eni_conf").config;

function nodeOf({ type, trunk }: { type: string; trunk: boolean }) {
  const limits = { trunk, eniCount: 4, eniTotalCount: trunk ? 20 : 4 };
  return { instance: { type }, limits };
}

const ABLE = nodeOf({ type: "ecs.g7.xlarge", trunk: true });
const UNABLE = nodeOf({ type: "ecs.g7.large", trunk: false });

Deno.test("enable_eni_trunking is refused where pods share no ENI", () => {
  for (const mode of ["VPC", "ENIOnly"] as const) {
    const error = assertThrows(
      () => requireTrunkable(ON, mode, "eni_conf"),
      ConfigError,
      `Cannot use eni_conf: enable_eni_trunking must be false in mode ${mode}`,
    );
    const [{ path, value } = { path: "", value: "" }] = error.problems;
    assertEquals([path, value], ["enable_eni_trunking", "true"]);
    requireTrunkable(OFF, mode, "eni_conf");
  }
  requireTrunkable(ON, "ENIMultiIP", "eni_conf");
});

Deno.test("a type that takes no trunk is told of once, and pods go on", () => {
  const wanted = [ABLE, UNABLE].map((node) =>
    wantsTrunk(ON, node, "ENIMultiIP")
  );
  assertEquals(wanted, [true, false]);
  const told: string[] = [];
  const log = { warning: () => told.push("log") };
  const cluster = {
    tellNode: ({ reason }: { reason: string }) => void told.push(reason),
  };
  for (const [config, node] of [[ON, UNABLE], [ON, ABLE], [OFF, UNABLE]]) {
    tellTrunkless(config as typeof ON, node as typeof ABLE, { log, cluster });
  }
  assertEquals(told, ["log", "TrunkNotSupported"]);
});

Deno.test("the status says how many members a trunk takes, or why there is none", () => {
  const trunk = { eniId: "eni-t", memberCount: 2 };
  assertEquals(trunkingStatus(ON, ABLE, { trunk }), {
    ...trunk,
    memberCapacity: 16,
  });
  const none = trunkingStatus(ON, UNABLE, {});
  const why = "instance type ecs.g7.large takes no trunk ENI " +
    "(EniTrunkSupported)";
  assertEquals(none, { memberCount: 0, memberCapacity: 0, reason: why });
  assertEquals(whyNoTrunk(ON, none), why);
  assertEquals(trunkingStatus(OFF, ABLE, {}), undefined);
  assertEquals(
    whyNoTrunk(OFF, undefined),
    "enable_eni_trunking of eni_conf is false: set it to true",
  );
});
