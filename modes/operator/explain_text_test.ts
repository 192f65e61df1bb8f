import { assertEquals } from "@std/assert";
import type { Explained, Explanation } from "../explain_form.ts";
import { commandsText, explainText } from "./explain_text.ts";

const NOW_MS = Date.parse("2026-11-21T12:00:00Z");

const OWNER = "terway/c0ffee/eth0";

const POD: Explained = {
  owner: OWNER,
  pod: "default/web",
  netns: "/run/netns/web",
  ip: "10.0.0.7",
  state: "leased",
  lease: {
    ips: ["10.0.0.7"],
    eni: { id: "eni-1", mac: "00:16:3e:00:00:01" },
    recipe: "veth/1",
    mtu: 1500,
    atMs: NOW_MS - 180_000,
  },
  plan: { shared: ["ip link set eth1 up"], pod: ["ip rule add a", "tc b"] },
  differences: [],
  history: [
    {
      what: "leased",
      detail: "10.0.0.7 on eni-1",
      firstMs: NOW_MS - 180_000,
      lastMs: NOW_MS - 180_000,
      count: 1,
    },
    {
      what: "CHECK",
      detail: "",
      firstMs: NOW_MS - 60_000,
      lastMs: NOW_MS - 1_000,
      count: 3,
    },
  ],
};

function text(pod: Explained, more: Partial<Explanation> = {}): string[] {
  return explainText({
    schema: 1,
    kind: "pod",
    nowMs: NOW_MS,
    pod,
    earlier: [],
    ...more,
  } as Explanation, "web").trimEnd().split("\n");
}

Deno.test("explainText() tells what a pod has, how, and since when", () => {
  assertEquals(text(POD), [
    "pod        default/web",
    `sandbox    ${OWNER}`,
    "namespace  /run/netns/web",
    "address    10.0.0.7 on eni-1 (00:16:3e:00:00:01)",
    "since      2026-11-21T11:57:00.000Z, 3 min ago",
    "made by    veth/1, mtu 1500",
    "kernel     as planned",
    "",
    "plan, for all pods beside it",
    "  ip link set eth1 up",
    "",
    "plan, for this pod",
    "  ip rule add a",
    "  tc b",
    "",
    "history",
    "  2026-11-21T11:57:00.000Z leased: 10.0.0.7 on eni-1",
    "  2026-11-21T11:59:00.000Z CHECK, 3 times until 2026-11-21T11:59:59.000Z",
  ]);
  assertEquals(
    commandsText(POD),
    "ip link set eth1 up\nip rule add a\ntc b\n",
  );
});

Deno.test("explainText() names what differs, or why nobody could look", () => {
  const differences = [
    { problem: "missing", object: "ip rule add a" },
    { problem: "changed", object: "tc b", seen: "tc c" },
  ] as const;
  const lines = text({ ...POD, differences });
  assertEquals(lines.slice(6, 9), [
    "kernel     2 differ from the plan",
    "  missing: ip rule add a",
    "  changed: tc b, it is tc c",
  ]);
  const { differences: _, ...rest } = POD;
  assertEquals(
    text({ ...rest, problem: "the thread is gone" })[6],
    "kernel     can't be looked at: the thread is gone",
  );
});

Deno.test("explainText() says what a pod waits for, and when one went", () => {
  const bare: Explained = { owner: OWNER, state: "waiting", history: [] };
  const waiting = {
    sinceMs: NOW_MS - 5_000,
    reason: "the vSwitch has no address",
    nextMs: NOW_MS + 7_000,
  };
  assertEquals(text({ ...bare, waiting }), [
    "pod        not named by the runtime",
    `sandbox    ${OWNER}`,
    "waits      for an address, since 5 s: the vSwitch has no address; " +
    "next try in 7 s",
  ]);
  assertEquals(commandsText(bare), undefined);
  const gone = text({ ...bare, state: "gone", history: POD.history });
  assertEquals(
    gone[2],
    "address    none since 2026-11-21T11:59:59.000Z: the runtime has deleted it",
  );
});

Deno.test("explainText() lists those among which somebody has to choose", () => {
  const two = [POD, { ...POD, owner: "terway/decaf/eth0" }];
  const list = { schema: 1, nowMs: NOW_MS, candidates: two } as const;
  assertEquals(
    explainText({ ...list, kind: "several", count: 3 }, "web").split("\n"),
    [
      "web is 3 interfaces of sandboxes; ask for one of them:",
      `  ${OWNER}  default/web  10.0.0.7`,
      "  terway/decaf/eth0  default/web  10.0.0.7",
      "  and 1 more",
      "",
    ],
  );
  const none = explainText(
    { ...list, kind: "unknown", candidates: [], count: 0 },
    "db",
  );
  assertEquals(
    none.split("\n")[0],
    "the daemon of this node knows no db: it has had no pod yet",
  );
});
