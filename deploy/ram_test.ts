/** The RAM policies against what the emulated cloud asks of a daemon's key. */
import { assertEquals } from "@std/assert";
import {
  IPV6_POLICY,
  SEED_POLICY,
} from "../tests/emulators/alibaba/seed_policy.ts";

interface Policy {
  readonly Version: string;
  readonly Statement: readonly {
    readonly Action: readonly string[];
    readonly Resource: readonly string[];
    readonly Effect: string;
  }[];
}

// Every daemon of a stage or a cluster has a key with these rights and no
// others, and emulators/alibaba/permissions_test.ts knows what needs which.
for (
  const [file, actions] of [
    ["ram-base.json", SEED_POLICY],
    ["ram-ipv6.json", IPV6_POLICY],
  ] as const
) {
  Deno.test(`${file} allows what daemons in tests may do, and nothing else`, async () => {
    const url = new URL(`ram/${file}`, import.meta.url);
    const policy: Policy = JSON.parse(await Deno.readTextFile(url));
    assertEquals(policy.Version, "1");
    const statements = policy.Statement;
    assertEquals(statements.flatMap(({ Action }) => Action), actions);
    for (const { Resource, Effect } of statements) {
      assertEquals([Resource, Effect], [["*"], "Allow"]);
    }
  });
}
