import { assert, assertEquals } from "@std/assert";
import { type History, openHistory } from "./history.ts";

/** A clock of whole seconds, each look a second later. */
function ticking(): () => number {
  let nowMs = 0;
  return () => nowMs += 1_000;
}

function open(path = ":memory:", more = {}): History {
  const onFailure = (error: unknown): void => {
    throw error;
  };
  return openHistory(path, { nowMs: ticking(), onFailure, ...more });
}

const WEB = { ownerKey: "terway/c1/eth0", pod: "default/web", netns: "/n/1" };

Deno.test("history tells what happened, in order, and what came again once", () => {
  using history = open();
  const { ownerKey } = WEB;
  history.note(WEB, "claimed");
  history.note({ ownerKey }, "leased", "10.0.0.7");
  history.note({ ownerKey }, "CHECK");
  history.note({ ownerKey }, "CHECK");
  history.note({ ownerKey }, "CHECK", "it differs");
  const deed = (what: string, detail: string, at: [number, number]) => ({
    what,
    detail,
    firstMs: at[0] * 1_000,
    lastMs: at[1] * 1_000,
    count: at[1] - at[0] + 1,
  });
  assertEquals(history.deeds(ownerKey), [
    deed("claimed", "", [1, 1]),
    deed("leased", "10.0.0.7", [2, 2]),
    deed("CHECK", "", [3, 4]),
    deed("CHECK", "it differs", [5, 5]),
  ]);
  assertEquals(history.subjects(), [WEB]);
  assertEquals(history.deeds("another"), []);
});

Deno.test("history is bounded by pods, and by deeds a pod", () => {
  using history = open(":memory:", { subjectLimit: 3, deedLimit: 4 });
  for (let at = 0; at < 10; at++) {
    for (let deed = 0; deed < 10; deed++) {
      history.note({ ownerKey: `o${at}` }, `deed ${deed}`);
    }
  }
  const owners = history.subjects().map(({ ownerKey }) => ownerKey);
  assertEquals(owners, ["o9", "o8", "o7"]);
  assertEquals(history.deeds("o9").map(({ what }) => what), [
    ...["deed 6", "deed 7", "deed 8", "deed 9"],
  ]);
  assertEquals(history.deeds("o0"), []);
});

Deno.test("history is there for the next daemon", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/history.db`;
    {
      using history = open(path);
      history.note(WEB, "claimed");
    }
    using history = open(path);
    assertEquals(history.deeds(WEB.ownerKey).length, 1);
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("history begins anew beside a file that is none, and costs nobody", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/history.db`;
    await Deno.writeTextFile(path, "no database, but of some length".repeat(9));
    let failureCount = 0;
    const onFailure = () => failureCount++;
    using history = open(path, { onFailure });
    history.note(WEB, "claimed");
    assertEquals(history.deeds(WEB.ownerKey).length, 1);
    assertEquals(failureCount, 1);
    assert((await Deno.stat(`${path}.broken`)).isFile);
    using lost = open(`${folder}/no/such/folder`, { onFailure });
    lost.note(WEB, "claimed");
    assertEquals(lost.deeds(WEB.ownerKey).length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
