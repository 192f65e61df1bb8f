/**
 * How often each API may be called: per account and minute, as ECS counts.
 *
 * Who exceeds an API's limit in minute T is refused by that API, and by no
 * other, until minute T+1 begins; refused calls count too. Source: ECS page
 * "API throttling", read 2026-11-21. The service's own limits are shown only
 * in an account's Quota Center; the defaults here are those that Terway keeps
 * to (`pkg/aliyun/client`, 2026-11-21), so a client as modest as that one is
 * never refused.
 *
 * @module
 */
import { Refusal } from "./refusal.ts";

/** Calls a minute by action; what isn't named may be called 500 times. */
export const CALLS_PER_MINUTE: Readonly<Record<string, number>> = {
  AssignIpv6Addresses: 400,
  AssignPrivateIpAddresses: 400,
  AttachNetworkInterface: 500,
  CreateNetworkInterface: 500,
  DeleteNetworkInterface: 500,
  DescribeInstanceTypes: 400,
  DescribeNetworkInterfaces: 800,
  DescribeVSwitches: 300,
  DetachNetworkInterface: 400,
  UnassignIpv6Addresses: 400,
  UnassignPrivateIpAddresses: 400,
};

/** Calls a minute of an API that {@linkcode CALLS_PER_MINUTE} doesn't name. */
export const OTHER_CALLS_PER_MINUTE = 500;

const MINUTE_MS = 60_000;

/** Counts the calls of one account. */
export class Throttle {
  readonly #limits: Readonly<Record<string, number>>;
  /** Calls by action in {@linkcode #minute}. */
  readonly #counts = new Map<string, number>();
  readonly #blocked = new Set<string>();
  #minute = -1;

  /**
   * Makes one.
   *
   * @param limits Calls a minute by action, over the defaults.
   */
  constructor(limits: Readonly<Record<string, number>> = {}) {
    this.#limits = { ...CALLS_PER_MINUTE, ...limits };
  }

  /**
   * Counts a call and demands that it isn't one too many.
   *
   * @param action Such as `CreateNetworkInterface`.
   * @param nowMs The time.
   * @throws {Refusal} `Throttling.User`.
   */
  demand(action: string, nowMs: number): void {
    this.#turn(nowMs);
    const count = (this.#counts.get(action) ?? 0) + 1;
    this.#counts.set(action, count);
    const limit = this.#limits[action] ?? OTHER_CALLS_PER_MINUTE;
    if (count <= limit && !this.#blocked.has(action)) return;
    throw new Refusal(
      "Throttling.User",
      "Request was denied due to user flow control.",
    );
  }

  /**
   * Blocks an API for the rest of the minute, as if its limit were reached.
   *
   * @param action Which.
   * @param nowMs The time.
   */
  block(action: string, nowMs: number): void {
    this.#turn(nowMs);
    this.#blocked.add(action);
  }

  #turn(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#counts.clear();
    this.#blocked.clear();
  }
}
