import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CloudDump } from "./dump.ts";
import { serveAlibaba } from "./serve.ts";
import { buildStand, type Stand } from "./stand.ts";

/** A stand, and requests to its emulator. */
interface Controlled extends Stand {
  say(method: string, path: string, body?: unknown): Promise<Said>;
}

interface Said {
  readonly status: number;
  /** What any of the answers holds. */
  readonly body: Partial<CloudDump> & {
    readonly seed?: number;
    readonly rules?: readonly unknown[];
    readonly problem?: string;
    readonly eniId?: string;
    readonly ips?: readonly string[];
  };
}

async function controlled(
  work: (at: Controlled) => Promise<void>,
): Promise<void> {
  const stand = buildStand();
  const front = serveAlibaba(stand.cloud);
  const say = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Said> => {
    const response = await fetch(`http://${front.endpoint}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };
  try {
    await work({ ...stand, say });
  } finally {
    await front.close();
    await stand.cloud.close();
  }
}

Deno.test("a script is begun, shown and ended over HTTP", () =>
  controlled(async ({ say, cloud }) => {
    const rules = [{ fault: "lost", action: "Create*", times: 2 }];
    const begun = await say("POST", "/_faults", { seed: 5, rules });
    assertEquals(begun.status, 200);
    assertEquals(begun.body.seed, 5);
    cloud.before({ action: "CreateNetworkInterface", params: {} });
    const shown = await say("GET", "/_faults");
    assertEquals(shown.body.rules, [
      { ...rules[0], seenCount: 1, struckCount: 1 },
    ]);
    const ended = await say("DELETE", "/_faults");
    assertEquals(ended.body.rules, []);
    assertEquals((await say("POST", "/_faults", rules)).body.seed, 1);
  }));

Deno.test("a script that is none is refused, and says where", () =>
  controlled(async ({ say }) => {
    const rules = [{ fault: "5xx", probability: 2 }];
    const { status, body } = await say("POST", "/_faults", { rules });
    assertEquals(status, 400);
    assertStringIncludes(body.problem ?? "", "probability");
    assertEquals((await say("POST", "/_faults", [{ falt: "x" }])).status, 400);
    assertEquals((await say("GET", "/_faults")).body.rules, []);
  }));

Deno.test("paths and methods that don't exist say so", () =>
  controlled(async ({ say }) => {
    assertEquals((await say("GET", "/_nothing")).status, 404);
    assertEquals((await say("PUT", "/_faults")).status, 405);
  }));

Deno.test("deeds are done over HTTP, and the state shows them", () =>
  controlled(async ({ say, vSwitchId, smallVSwitchId, instanceId }) => {
    const state = async () => (await say("GET", "/_state")).body;
    const enis = async () =>
      (await state()).enis?.filter(({ type }) => type !== "Primary") ?? [];

    const made = await say("POST", "/_act", {
      act: "create eni",
      vSwitchId,
      instanceId,
      secondaryCount: 2,
      tags: { who: "else" },
    });
    assertEquals(made.status, 200);
    const { eniId } = made.body;
    const [eni] = await enis();
    assertEquals([eni?.id, eni?.state, eni?.instanceId], [
      eniId,
      "InUse",
      instanceId,
    ]);
    assertEquals(eni?.tags, { who: "else" });

    const deeds = [
      { act: "unassign ips", eniId, ips: made.body.ips?.slice(1, 2) },
      { act: "assign ips", eniId, wanted: 2 },
      { act: "set tags", eniId, tags: { a: "b" } },
      { act: "occupy", vSwitchId: smallVSwitchId, leftCount: 1 },
    ];
    for (const deed of deeds) {
      const { status, body } = await say("POST", "/_act", deed);
      assertEquals(status, 200, body.problem);
    }
    assertEquals((await enis())[0]?.ips.length, 4);
    assertEquals((await enis())[0]?.tags, { a: "b" });
    const left = async () =>
      (await state()).vSwitches?.find(({ id }) => id === smallVSwitchId)
        ?.availableIpCount;
    assertEquals(await left(), 1);
    await say("POST", "/_act", { act: "vacate", vSwitchId: smallVSwitchId });
    assertEquals(await left(), 4);
    await say("POST", "/_act", { act: "delete eni", eniId });
    assertEquals(await enis(), []);
  }));

Deno.test("a deed that the cloud can't do is refused with its reason", () =>
  controlled(async ({ say }) => {
    const deed = { act: "delete eni", eniId: "eni-nowhere" };
    const { status, body } = await say("POST", "/_act", deed);
    assertEquals(status, 409);
    assert(body.problem?.startsWith("InvalidEniId.NotFound"));
  }));
