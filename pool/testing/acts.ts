/**
 * What happens in scenarios, in few words.
 *
 * @module
 */
import type { Act } from "./ops.ts";

/** What spoils calls. */
export type Fault = Extract<Act, { do: "spoil" }>["faults"][number];

/**
 * Pods come.
 *
 * @param count How many.
 * @returns The act.
 */
export function come(count: number): Act {
  return { do: "come", count };
}

/**
 * Pods go.
 *
 * @param count How many.
 * @returns The act.
 */
export function go(count: number): Act {
  return { do: "go", count };
}

/**
 * Time passes.
 *
 * @param seconds How much.
 * @returns The act.
 */
export function wait(seconds: number): Act {
  return { do: "wait", ms: seconds * 1_000 };
}

/**
 * Somebody else changes a card.
 *
 * @param deed How.
 * @returns The act.
 */
export function drift(deed: Extract<Act, { do: "drift" }>["deed"]): Act {
  return { do: "drift", deed };
}

/**
 * The next calls of an API are spoilt.
 *
 * @param action Which API.
 * @param faults How, one a call.
 * @returns The act.
 */
export function spoil(action: string, ...faults: readonly Fault[]): Act {
  return { do: "spoil", action, faults };
}

/**
 * A call takes effect late.
 *
 * @param ms So many milliseconds later.
 * @returns The fault.
 */
export function late(ms: number): Fault {
  return { kind: "slow", ms };
}

/**
 * A vSwitch has no addresses left.
 *
 * @returns The fault.
 */
export function dry(): Fault {
  return { kind: "refuse", code: "InvalidVSwitchId.IpNotEnough" };
}
