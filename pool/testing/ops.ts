/**
 * What happens to a simulated node, one thing after another: plain data,
 * drawn from a seed or written down.
 *
 * Each thing is drawn from the seed and its own place, and so are the choices
 * that are made while it happens. So one can be left out and the others stay
 * as they are, as far as that can be.
 *
 * @module
 */
import type { Fault } from "../../tests/emulators/alibaba/faults.ts";
import { Chance, mix } from "./chance.ts";
import { drawsOf, faultOf } from "./weather.ts";
import {
  CALL_TROUBLES,
  type Trouble,
  type Weather,
  weatherBy,
  type World,
  worldBy,
} from "./world.ts";

/** What somebody else may do to the cloud. */
export type Deed =
  | "detach"
  | "delete"
  | "unassign"
  | "assign"
  | "lose"
  | "plug"
  | "unplug"
  | "join"
  | "leave";

/** What an operator may change while the pool runs. */
export interface Wanted {
  /** Fewer idle addresses are refilled. */
  readonly minIdle: number;
  /** More idle addresses are given back. */
  readonly maxIdle: number;
  /** Where new cards may be made. */
  readonly vSwitches: World["vSwitches"];
  /** Which of the VPC's groups cards are in. */
  readonly groups: "one" | "other" | "both";
}

/** Something that happens. */
export type Act =
  /** New pods ask. */
  | { readonly do: "come"; readonly count: number }
  /** Pods go. */
  | { readonly do: "go"; readonly count: number }
  /** A pod that asked before asks again. */
  | { readonly do: "ask" }
  /** A pod doesn't wait any longer. */
  | { readonly do: "give up" }
  /** Time passes. */
  | { readonly do: "wait"; readonly ms: number }
  /** The process dies at a boundary: so many it may still pass. */
  | { readonly do: "die"; readonly after: number; readonly downMs: number }
  /** The process is killed. */
  | { readonly do: "kill"; readonly downMs: number }
  /** The process is stopped in order. */
  | { readonly do: "stop"; readonly downMs: number }
  /** The pool is emptied for a while, then its process is stopped. */
  | { readonly do: "drain"; readonly ms: number; readonly downMs: number }
  /** The disk fills up, or has room again. */
  | { readonly do: "disk"; readonly isFull: boolean }
  /** The cloud answers no call for so long. */
  | { readonly do: "away"; readonly ms: number }
  /** The operator wants something else. */
  | {
    readonly do: "configure";
    readonly wanted: Wanted;
  }
  /** Calls fare otherwise from now on. */
  | { readonly do: "weather"; readonly weather: Weather }
  /** The next calls of an API go wrong, each in its way. */
  | {
    readonly do: "spoil";
    readonly action: string;
    readonly faults: readonly Fault[];
  }
  /** Somebody else changes a card of this node. */
  | { readonly do: "drift"; readonly deed: Deed }
  /** Somebody else takes addresses of a vSwitch, until so many are left. */
  | {
    readonly do: "occupy";
    readonly vSwitch: "near" | "small";
    readonly leftCount: number;
  }
  /** … and gives them back. */
  | { readonly do: "vacate" }
  /** The process is killed, and its journal is lost. */
  | { readonly do: "lose journal"; readonly downMs: number };

/** Something that happens, and its place in the life as it was drawn. */
export type Op = Act & { readonly id: number };

/** A whole life, as data: the same one lives the same. */
export interface Script {
  /** What the choices follow from. */
  readonly seed: number;
  /** Where. */
  readonly world: World;
  /** What happens. */
  readonly ops: readonly Op[];
  /** Kinds of trouble that don't happen after all. */
  readonly without: readonly Trouble[];
}

/**
 * Draws a life.
 *
 * @param seed From which everything follows.
 * @param stepCount How many things happen.
 * @returns The life.
 */
export function scriptBy(seed: number, stepCount: number): Script {
  const world = worldBy(new Chance(mix(seed, 0)));
  const ops = Array.from({ length: stepCount }, (_, id): Op => ({
    id,
    ...actBy(new Chance(mix(seed, 1, id))),
  }));
  return { seed, world, ops, without: [] };
}

/**
 * Tells which trouble something is.
 *
 * @param act What happens.
 * @returns The trouble; undefined for what happens on a good day.
 */
export function troubleOf(act: Act): Trouble | undefined {
  switch (act.do) {
    case "die":
    case "kill":
      return "kill";
    case "stop":
    case "drain":
      return "stop";
    case "disk":
      return act.isFull ? "disk" : undefined;
    case "away":
    case "drift":
      return act.do;
    case "occupy":
      return "occupied";
    case "spoil":
      return "spoil";
    default:
      return undefined;
  }
}

/**
 * Tells what happens in a few words.
 *
 * @param act What.
 * @returns Such as `come, count 3`.
 */
export function inWords(act: Act & { readonly id?: number }): string {
  const { do: verb, id: _, ...more } = act;
  const parts = Object.entries(more).map(([name, value]) =>
    `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`
  );
  return [verb, ...parts].join(", ");
}

/** What happens how often; the numbers are shares of their sum. */
const SHARES: readonly (readonly [Act["do"], number])[] = [
  ["wait", 320],
  ["come", 200],
  ["go", 180],
  ["weather", 70],
  ["die", 60],
  ["drift", 40],
  ["spoil", 70],
  ["disk", 20],
  ["give up", 20],
  ["vacate", 20],
  ["ask", 15],
  ["kill", 15],
  ["occupy", 10],
  ["stop", 10],
  ["drain", 4],
  ["configure", 15],
  ["away", 8],
];

const SUM = SHARES.reduce((sum, [, share]) => sum + share, 0);

const DEEDS: readonly Deed[] = [
  "detach",
  "delete",
  "unassign",
  "unassign",
  "assign",
  "lose",
  "plug",
  "unplug",
  "unplug",
  "unplug",
  "join",
  "join",
  "leave",
];

/** What can be spoilt; looking is spoilt by the weather. */
const ACTIONS = [
  "AssignPrivateIpAddresses",
  "AssignPrivateIpAddresses",
  "AttachNetworkInterface",
  "CreateNetworkInterface",
  "CreateNetworkInterface",
  "CreateNetworkInterface",
  "DeleteNetworkInterface",
  "DetachNetworkInterface",
  "UnassignPrivateIpAddresses",
  "UnassignPrivateIpAddresses",
  "UnassignPrivateIpAddresses",
];

function actBy(chance: Chance): Act {
  let left = chance.int(1, SUM);
  const found = SHARES.find(([, share]) => (left -= share) <= 0);
  const verb = found?.[0] ?? "wait";
  const downMs = chance.pick([0, 100, 5_000, 40_000]) ?? 0;
  switch (verb) {
    case "come":
      return { do: verb, count: chance.int(1, chance.oneIn(8) ? 30 : 6) };
    case "go":
      return { do: verb, count: chance.int(1, chance.oneIn(8) ? 30 : 6) };
    case "die":
      return { do: verb, after: chance.int(0, 40), downMs };
    case "kill":
    case "stop":
      return { do: verb, downMs };
    case "drain":
      return { do: verb, ms: chance.int(0, 60_000), downMs };
    case "disk":
      return { do: verb, isFull: chance.oneIn(4) };
    case "weather":
      return { do: verb, weather: weatherBy(chance) };
    case "away":
      return { do: verb, ms: chance.int(1_000, 400_000) };
    case "configure":
      return { do: verb, wanted: wantedBy(chance) };
    case "drift":
      return { do: verb, deed: chance.pick(DEEDS) ?? "detach" };
    case "occupy":
      return {
        do: verb,
        vSwitch: chance.oneIn(2) ? "near" : "small",
        leftCount: chance.int(0, 4),
      };
    case "spoil":
      return spoilBy(chance);
    case "ask":
    case "give up":
    case "vacate":
      return { do: verb };
    default: {
      const longest = chance.pick([10, 1_000, 10_000, 90_000]) ?? 10;
      // Now and then long enough for a quota to be asked for again.
      const ms = chance.oneIn(24) ? chance.int(0, 2_000_000) : 0;
      return { do: "wait", ms: ms + chance.int(0, longest) };
    }
  }
}

function wantedBy(chance: Chance): Wanted {
  const maxIdle = chance.int(0, 6);
  return {
    maxIdle,
    minIdle: chance.int(0, maxIdle),
    vSwitches: chance.oneIn(2) ? ["near"] : ["small", "near"],
    groups: chance.pick(["one", "other", "both"] as const) ?? "one",
  };
}

/** After these nobody knows whether it happened. */
const UNKNOWN = ["slow", "slow", "lost", "hang", "garbage"] as const;

/** Two in a row: what follows a trouble finds more than one alone. */
function spoilBy(chance: Chance): Act {
  const action = chance.pick(ACTIONS) ?? "CreateNetworkInterface";
  const kinds = [
    chance.pick(UNKNOWN) ?? "lost",
    chance.pick(CALL_TROUBLES) ?? "dry",
    ...(chance.oneIn(2) ? ["quota", "dry"] as const : []),
  ];
  const faults: Fault[] = [];
  for (const kind of kinds) {
    const fault = faultOf(kind, action, drawsOf(chance));
    if (fault !== undefined && fault.kind !== "stale") faults.push(fault);
  }
  return { do: "spoil", action, faults };
}
