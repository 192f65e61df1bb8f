/**
 * What goes wrong with a call, by the weather.
 *
 * @module
 */
import type {
  Fault,
  FaultyCall,
} from "../../tests/emulators/alibaba/faults.ts";
import { CALL_MS } from "../limits.ts";
import type { Chance } from "./chance.ts";
import { STALE_MS } from "./sights.ts";
import type { CallTrouble, Trouble, Weather } from "./world.ts";

/**
 * A request takes effect so late at most, in milliseconds; the pool's proofs
 * wait as long. Longer than a call's deadline, so that it may come after.
 */
const LATEST_MS = 30_000;

/** What a call may meet: a fault of the cloud's, or an answer that is old. */
export type Mishap = Fault | { readonly kind: "stale"; readonly ms: number };

/**
 * Draws the fault of a call.
 *
 * @param call The call.
 * @param weather How calls fare.
 * @param options Draws; kinds of trouble that don't happen.
 * @returns The fault, if it meets one.
 */
export function faultBy(
  call: FaultyCall,
  weather: Weather,
  options: { chance: Chance; without: readonly Trouble[] },
): Mishap | undefined {
  const { chance, without } = options;
  const { rarity, kinds } = weather;
  if (rarity === 0) return undefined;
  // Always as many draws, so that one kind less leaves the others' as they are.
  const isStruck = chance.oneIn(rarity);
  const kind = chance.pick(kinds);
  const draws = drawsOf(chance);
  const isOff = !isStruck || kind === undefined || without.includes(kind);
  return isOff ? undefined : faultOf(kind, call.action, draws);
}

/** What a fault needs beside its kind. */
export interface Draws {
  /** Whether the work is done, where either may be. */
  readonly done: boolean;
  /** How late: within a call's deadline, or after it. */
  readonly ms: number;
}

/**
 * Draws what a fault needs beside its kind.
 *
 * @param chance Draws, always as often.
 * @returns The draws.
 */
export function drawsOf(chance: Chance): Draws {
  const [done, isLate] = [chance.oneIn(2), chance.oneIn(2)];
  const [least, most] = isLate
    ? [CALL_MS + 200, LATEST_MS - 500]
    : [500, CALL_MS];
  return { done, ms: chance.int(least, most) };
}

/**
 * Makes a fault of a kind.
 *
 * @param kind Which.
 * @param action The API.
 * @param draws What else it needs.
 * @returns The fault; undefined when it doesn't fit the API.
 */
export function faultOf(
  kind: CallTrouble,
  action: string,
  { done, ms }: Draws,
): Mishap | undefined {
  const isLook = action.startsWith("Describe");
  const takes = /^(Create|Assign)/.test(action);
  switch (kind) {
    case "lost":
      return { kind };
    case "hang":
    case "garbage":
      return { kind, done };
    case "slow":
      return { kind, ms };
    case "slow-attach":
      return action === "AttachNetworkInterface"
        ? { kind: "slow attach", ms: ms * 10 }
        : undefined;
    case "stale":
      return action === "DescribeNetworkInterfaces"
        ? { kind, ms: ms % STALE_MS }
        : undefined;
    case "throttle":
      return { kind };
    case "error":
      return {
        kind: "refuse",
        code: done ? "InternalError" : "ServiceUnavailable",
      };
    case "denied":
      return { kind: "refuse", code: "Forbidden.RAM" };
    case "conflict":
      return isLook
        ? undefined
        : { kind: "refuse", code: "Operation.Conflict" };
    case "dry":
      return takes
        ? { kind: "refuse", code: "InvalidVSwitchId.IpNotEnough" }
        : undefined;
    case "quota":
      return quotaOf(action);
  }
}

function quotaOf(action: string): Fault | undefined {
  switch (action) {
    case "CreateNetworkInterface":
      return { kind: "refuse", code: "MaxEniCountExceeded" };
    case "AttachNetworkInterface":
      return { kind: "refuse", code: "EniPerInstanceLimitExceeded" };
    case "AssignPrivateIpAddresses":
      return { kind: "refuse", code: "InvalidOperation.Ipv4CountExceeded" };
    case "AssignIpv6Addresses":
      return { kind: "refuse", code: "InvalidOperation.Ipv6CountExceeded" };
    default:
      return undefined;
  }
}
