/**
 * Lives that broke a promise once: as small as they could be made, each with
 * what it found. They are kept whole, as what a seed draws changes with time.
 *
 * @module
 */
import type { Script } from "./ops.ts";
import { PLAIN } from "./world.ts";

/** A life that broke a promise. */
export interface Regression {
  /** What was wrong. */
  readonly reason: string;
  /** The life. */
  readonly script: Script;
}

/** The lives; they are lived again in each run of the tests. */
export const REGRESSIONS: readonly Regression[] = [
  {
    reason: "a card whose place was taken asked for it without a pause",
    script: {
      seed: 503,
      world: {
        ...PLAIN,
        minIdle: 1,
        foreign: [{ secondaryCount: 0, isAdopted: false }],
      },
      ops: [
        { id: 0, do: "come", count: 1 },
        { id: 1, do: "wait", ms: 20_000 },
        { id: 2, do: "drift", deed: "detach" },
        { id: 3, do: "drift", deed: "plug" },
      ],
      without: [],
    },
  },
  {
    reason: "a card that was deleted was described every 10 s for ever",
    script: {
      seed: 1503,
      world: {
        ...PLAIN,
        replyMs: 143,
        attachMs: 543,
        eniCount: 5,
        vSwitches: ["small", "near"],
        maxIdle: 6,
        minIdle: 2,
        wish: { minEniCount: 1, vSwitchPolicy: "most" },
      },
      ops: [
        { id: 44, do: "wait", ms: 8_884 },
        { id: 72, do: "drift", deed: "detach" },
        { id: 96, do: "die", after: 1, downMs: 100 },
        { id: 97, do: "come", count: 5 },
        { id: 98, do: "wait", ms: 404 },
        { id: 99, do: "drift", deed: "delete" },
      ],
      without: [],
    },
  },
  {
    reason: "groups that a dead process was setting were taken for set",
    script: {
      seed: 26,
      world: { ...PLAIN, minIdle: 1 },
      ops: [
        { id: 120, do: "wait", ms: 58_000 },
        {
          id: 125,
          do: "configure",
          wanted: {
            maxIdle: 1,
            minIdle: 1,
            vSwitches: ["near"],
            groups: "other",
          },
        },
        {
          id: 126,
          do: "configure",
          wanted: {
            maxIdle: 5,
            minIdle: 1,
            vSwitches: ["near"],
            groups: "one",
          },
        },
        { id: 129, do: "kill", downMs: 40_000 },
      ],
      without: [],
    },
  },
  {
    reason: "an API that throttled one kind of call was called by another",
    script: {
      seed: 100,
      world: {
        ...PLAIN,
        replyMs: 222,
        attachMs: 3_131,
        detachMs: 3_097,
        deleteMs: 820,
        callsPerMinute: 18,
        eniCount: 3,
        addressesPerEni: 1,
        vSwitches: ["small", "near"],
        maxIdle: 4,
        minIdle: 1,
        wish: { vSwitchPolicy: "random" },
        weather: { rarity: 8, kinds: ["error", "quota", "slow"] },
        budget: 5,
      },
      ops: [
        { id: 243, do: "come", count: 3 },
        { id: 244, do: "wait", ms: 41_686 },
        { id: 247, do: "kill", downMs: 40_000 },
        { id: 495, do: "drift", deed: "lose" },
        { id: 581, do: "drift", deed: "detach" },
        {
          id: 709,
          do: "weather",
          weather: {
            rarity: 5,
            kinds: ["denied", "dry", "garbage", "quota", "throttle"],
          },
        },
        { id: 711, do: "disk", isFull: true },
        { id: 718, do: "wait", ms: 84_327 },
        { id: 719, do: "wait", ms: 1_340_327 },
        {
          id: 723,
          do: "spoil",
          action: "DetachNetworkInterface",
          faults: [{ kind: "slow", ms: 25_672 }, {
            kind: "garbage",
            done: true,
          }],
        },
        { id: 725, do: "disk", isFull: false },
        { id: 727, do: "wait", ms: 26_250 },
      ],
      without: [
        "conflict",
        "denied",
        "dry",
        "error",
        "quota",
        "slow-attach",
        "stale",
        "garbage",
        "hang",
        "lost",
        "away",
        "occupied",
        "stop",
      ],
    },
  },
  {
    reason: "a pool that was full till the end had no time for an orphan",
    script: {
      seed: 68,
      world: { ...PLAIN, minIdle: 1 },
      ops: [
        {
          id: 0,
          do: "spoil",
          action: "CreateNetworkInterface",
          faults: [{ kind: "refuse", code: "MaxEniCountExceeded" }],
        },
        { id: 1, do: "wait", ms: 370_000 },
        { id: 2, do: "drift", deed: "lose" },
      ],
      without: [],
    },
  },
];
