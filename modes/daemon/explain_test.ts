import { assertEquals, assertRejects } from "@std/assert";
import type { Candidate } from "../explain_form.ts";
import { explain, type ExplainParts, matching } from "./explain.ts";

const WEB: Candidate = {
  owner: "terway/c0ffee0001/eth0",
  pod: "default/web",
  netns: "/run/netns/a",
  ip: "10.0.0.7",
  state: "leased",
};

const OTHER: Candidate = {
  owner: "terway/c0ffee0002/eth0",
  pod: "kube-system/web",
  netns: "/run/netns/b",
  state: "waiting",
};

Deno.test("matching() finds a pod by whatever one has of it", () => {
  const check = (what: string, expected: readonly Candidate[]): void =>
    assertEquals(matching([WEB, OTHER], what), expected);
  check("default/web", [WEB]);
  check("web", [WEB, OTHER]);
  check("/run/netns/b", [OTHER]);
  check("c0ffee0002", [OTHER]);
  check("c0ffee", [WEB, OTHER]);
  check("10.0.0.7", [WEB]);
  check("terway/c0ffee0001/eth0", [WEB]);
  check("c0f", []);
  check("eb", []);
});

Deno.test("matching() prefers a whole name to the beginning of an id", () => {
  const named = { ...OTHER, pod: "default/c0ffee" };
  assertEquals(matching([WEB, named], "c0ffee"), [named]);
});

Deno.test("explain() wants to know what, in a few words", async () => {
  const none = {} as ExplainParts;
  for (const body of [undefined, {}, { what: "" }, { what: "x".repeat(600) }]) {
    await assertRejects(() => explain(none, body), Error, "explain needs");
  }
});
