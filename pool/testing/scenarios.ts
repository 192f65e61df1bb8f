/**
 * The scenarios whose every boundary is a crash point.
 *
 * @module
 */
import type { Scenario } from "./crash_points.ts";
import { come, drift, dry, go, late, spoil, wait } from "./acts.ts";
import type { Act } from "./ops.ts";

/** The scenarios. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "the first pod", acts: [come(1), wait(10)] },
  { name: "more pods than a card holds", acts: [come(8), wait(15)] },
  {
    name: "a batch of addresses",
    acts: [come(1), wait(10), come(4), wait(10)],
  },
  {
    name: "addresses rest and are lent again",
    acts: [come(3), wait(10), go(2), wait(35), come(2), wait(5)],
  },
  {
    name: "addresses go back",
    world: { maxIdle: 0 },
    acts: [come(4), wait(10), go(3), wait(45)],
  },
  {
    name: "a card is retired, detached and deleted",
    world: { maxIdle: 0 },
    acts: [come(1), wait(10), go(1), wait(60)],
  },
  { name: "stock", world: { minIdle: 3 }, acts: [wait(15), come(2), wait(10)] },
  { name: "warm-up", world: { wish: { warmUpCount: 8 } }, acts: [wait(20)] },
  {
    name: "cards that are kept",
    world: { wish: { minEniCount: 2 } },
    acts: [wait(15)],
  },
  {
    name: "exclusive cards",
    world: { addressesPerEni: 1, maxIdle: 0 },
    acts: [come(2), wait(10), go(1), wait(60)],
  },
  {
    name: "both families come and go",
    world: { stack: "dual", maxIdle: 1 },
    acts: [come(1), wait(10), come(3), wait(10), go(3), wait(60)],
  },
  {
    name: "IPv6 that is long on its way",
    world: { stack: "dual", maxIdle: 0 },
    acts: [
      come(1),
      wait(10),
      spoil("AssignIpv6Addresses", late(25_000)),
      spoil("UnassignIpv6Addresses", { kind: "lost" }),
      come(2),
      wait(40),
      go(2),
      wait(90),
    ],
  },
  {
    name: "prefixes come and go",
    world: { minPrefixCount: 0, maxIdle: 0 },
    acts: [come(1), wait(10), come(20), wait(10), go(20), wait(60)],
  },
  {
    name: "prefixes that are kept",
    world: { minPrefixCount: 7 },
    acts: [wait(20), come(2), wait(10)],
  },
  {
    name: "a late Assign of a prefix, and a vSwitch with too few together",
    world: { minPrefixCount: 0 },
    acts: [
      come(1),
      wait(10),
      spoil("AssignPrivateIpAddresses", late(29_000), dry()),
      come(2),
      wait(90),
    ],
  },
  {
    name: "a late Unassign of a prefix, and pods that come before it",
    world: { minPrefixCount: 0, maxIdle: 0 },
    acts: [
      come(20),
      wait(10),
      spoil("UnassignPrivateIpAddresses", late(29_000)),
      go(19),
      wait(55),
      come(3),
      wait(60),
    ],
  },
  {
    name: "prefixes of both families come and go",
    world: { minPrefixCount: 0, maxIdle: 0, stack: "dual" },
    acts: [come(1), wait(10), come(20), wait(10), go(20), wait(60)],
  },
  {
    name: "a prefix of IPv6 leaves with its card",
    world: { minPrefixCount: 0, maxIdle: 0, stack: "ipv6" },
    acts: [come(2), wait(10), go(2), wait(60), come(1), wait(10)],
  },
  {
    name: "a prefix of IPv6 that is long on its way",
    world: { minPrefixCount: 0, stack: "dual" },
    acts: [
      come(1),
      wait(10),
      spoil("AssignIpv6Addresses", late(25_000)),
      drift("unassign"),
      drift("unassign"),
      wait(60),
      come(2),
      wait(40),
    ],
  },
  {
    name: "prefixes were changed while nobody looked",
    world: { minPrefixCount: 0, maxIdle: 6 },
    acts: [
      come(20),
      wait(15),
      { do: "stop", downMs: 0 },
      drift("unassign"),
      drift("assign"),
      wait(90),
    ],
  },
  {
    name: "the journal is lost, and with it what is known of prefixes",
    world: { minPrefixCount: 1 },
    acts: [
      come(3),
      wait(10),
      { do: "lose journal", downMs: 0 },
      wait(90),
      come(2),
      go(1),
      wait(30),
    ],
  },
  {
    name: "somebody's card is adopted",
    world: { foreign: [{ secondaryCount: 1, isAdopted: true }] },
    acts: [come(2), wait(120), come(6), wait(20)],
  },
  {
    name: "somebody's card is left alone",
    world: { foreign: [{ secondaryCount: 1, isAdopted: false }] },
    acts: [come(8), wait(20)],
  },
  {
    name: "hot_plug is off",
    world: {
      maxIdle: 0,
      wish: { hotPlug: false },
      foreign: [{ secondaryCount: 0, isAdopted: true }],
    },
    acts: [wait(100), come(3), wait(10), go(2), wait(60)],
  },
  {
    name: "a trunk, and members on it",
    world: { trunk: true, maxIdle: 0 },
    acts: [
      wait(10),
      { do: "drift", deed: "join" },
      come(2),
      wait(10),
      go(2),
      wait(60),
      { do: "drift", deed: "leave" },
      wait(10),
    ],
  },
  {
    name: "the node is drained",
    acts: [come(2), wait(10), go(2), { do: "drain", ms: 20_000, downMs: 0 }],
  },
  {
    name: "the account's quota",
    world: { eniQuota: 1 },
    acts: [come(8), wait(20)],
  },
  {
    name: "the type allows fewer cards than believed",
    world: { eniCount: 5 },
    acts: [come(15), wait(20)],
  },
  {
    name: "a vSwitch runs dry, and another has addresses",
    world: { vSwitches: ["small", "near"] },
    acts: [come(8), wait(20)],
  },
  {
    name: "the only vSwitch runs dry",
    world: { vSwitches: ["small"] },
    acts: [come(6), wait(20)],
  },
  {
    name: "a card on a dry vSwitch makes way",
    world: { eniCount: 2, vSwitches: ["small", "near"], maxIdle: 4 },
    acts: [come(4), wait(15), go(4), wait(1), come(6), wait(60)],
  },
  {
    name: "an API throttles",
    acts: [
      spoil("CreateNetworkInterface", { kind: "throttle" }),
      come(8),
      wait(70),
    ],
  },
  ...unanswered("CreateNetworkInterface", [come(2), wait(40)]),
  ...unanswered("AttachNetworkInterface", [come(2), wait(40)]),
  ...unanswered("AssignPrivateIpAddresses", [
    come(1),
    wait(10),
    come(2),
    wait(40),
  ]),
  ...unanswered("UnassignPrivateIpAddresses", [
    come(3),
    wait(10),
    go(2),
    wait(90),
  ]),
  ...unanswered("DetachNetworkInterface", [come(1), wait(10), go(1), wait(90)]),
  ...unanswered("DeleteNetworkInterface", [come(1), wait(10), go(1), wait(90)]),
  {
    name: "a late Create, and then a dry vSwitch",
    acts: [
      spoil("CreateNetworkInterface", late(29_000), dry()),
      come(1),
      wait(90),
    ],
  },
  {
    name: "a late Assign, and then a dry vSwitch",
    acts: [
      spoil("AssignPrivateIpAddresses", late(29_000), dry()),
      come(1),
      wait(10),
      come(2),
      wait(90),
    ],
  },
  {
    name: "a late Unassign, and pods that come before it",
    world: { maxIdle: 0 },
    acts: [
      spoil("UnassignPrivateIpAddresses", late(29_000)),
      come(3),
      wait(10),
      go(2),
      wait(55),
      come(2),
      wait(60),
    ],
  },
  {
    name: "a slow attach",
    acts: [
      spoil("AttachNetworkInterface", { kind: "slow attach", ms: 20_000 }),
      come(1),
      wait(40),
    ],
  },
  {
    name: "ADD and DEL cross",
    acts: [come(3), wait(1), go(3), { do: "ask" }, wait(10)],
  },
  {
    name: "pods give up",
    acts: [come(2), { do: "give up" }, wait(1), { do: "give up" }, wait(10)],
  },
  {
    name: "an ADD is made again",
    acts: [come(2), wait(10), { do: "ask" }, { do: "ask" }, wait(5)],
  },
  {
    name: "a process is stopped and begins again",
    acts: [come(8), wait(2), { do: "stop", downMs: 0 }, wait(20)],
  },
  {
    name: "the cloud was changed while nobody looked",
    acts: [
      come(8),
      wait(15),
      { do: "stop", downMs: 0 },
      drift("unassign"),
      drift("detach"),
      drift("assign"),
      wait(90),
    ],
  },
  {
    name: "a card is detached behind our back",
    acts: [come(2), wait(10), drift("detach"), wait(90)],
  },
  {
    name: "a card is deleted behind our back",
    acts: [come(2), wait(10), drift("delete"), wait(90), go(2), wait(60)],
  },
  {
    name: "the disk is full for a while",
    acts: [
      come(2),
      wait(10),
      { do: "disk", isFull: true },
      come(2),
      go(1),
      wait(5),
      { do: "disk", isFull: false },
      come(2),
      wait(10),
    ],
  },
  {
    name: "the cloud is away for minutes",
    world: { minIdle: 2 },
    acts: [
      come(2),
      wait(10),
      { do: "away", ms: 240_000 },
      come(2),
      go(1),
      wait(300),
    ],
  },
  {
    name: "the operator wants other security groups and bounds",
    world: { minIdle: 2 },
    acts: [
      wait(15),
      {
        do: "configure",
        wanted: { minIdle: 1, maxIdle: 1, vSwitches: ["near"], groups: "both" },
      },
      come(2),
      wait(70),
    ],
  },
  {
    name: "a card of ours without a record is deleted",
    world: { minIdle: 1 },
    acts: [wait(10), drift("lose"), wait(800)],
  },
  {
    name: "the journal is lost",
    acts: [
      come(3),
      wait(10),
      { do: "lose journal", downMs: 0 },
      wait(90),
      come(2),
      go(1),
      wait(30),
    ],
  },
];

/** An answer that is lost, one that never comes, one that makes no sense. */
function unanswered(action: string, acts: readonly Act[]): Scenario[] {
  const name = `no answer of ${action}`;
  const world = { maxIdle: 0 };
  return [
    {
      name: `${name}: lost`,
      world,
      acts: [spoil(action, { kind: "lost" }), ...acts],
    },
    {
      name: `${name}: silence`,
      world,
      acts: [spoil(action, { kind: "hang", done: true }), ...acts],
    },
  ];
}
