/**
 * How often the cloud is asked: the budgets of its APIs and the pauses between
 * tries, with the defaults that an operator may override one by one.
 *
 * @module
 */
import { z } from "zod";
import { duration } from "./eni_conf_values.ts";

/** An API that has a budget. */
export type BudgetedApi =
  | "CreateNetworkInterface"
  | "AttachNetworkInterface"
  | "DetachNetworkInterface"
  | "DeleteNetworkInterface"
  | "DescribeNetworkInterfaces"
  | "DescribeNetworkInterfaceAttribute"
  | "ModifyNetworkInterfaceAttribute"
  | "AssignPrivateIpAddresses"
  | "UnassignPrivateIpAddresses"
  | "AssignIpv6Addresses"
  | "UnassignIpv6Addresses"
  | "DescribeInstances"
  | "DescribeInstanceTypes"
  | "DescribeVSwitches";

/** By API, how often it may be called in a minute. */
export type CallsPerMinute = Readonly<Record<BudgetedApi, number>>;

/**
 * Calls a minute by API, for an account and a region.
 *
 * Source: Terway's default limits (`pkg/aliyun/client`, read 2026-11-21); where
 * it names none, its 500.
 */
export const CALLS_PER_MINUTE: CallsPerMinute = {
  CreateNetworkInterface: 500,
  AttachNetworkInterface: 500,
  DetachNetworkInterface: 400,
  DeleteNetworkInterface: 500,
  DescribeNetworkInterfaces: 800,
  DescribeNetworkInterfaceAttribute: 2_000,
  ModifyNetworkInterfaceAttribute: 500,
  AssignPrivateIpAddresses: 400,
  UnassignPrivateIpAddresses: 400,
  AssignIpv6Addresses: 400,
  UnassignIpv6Addresses: 400,
  DescribeInstances: 500,
  DescribeInstanceTypes: 400,
  DescribeVSwitches: 300,
};

/** A thousand calls a second are far above what the cloud grants anyone. */
const perMinute = z.int().min(1).max(60_000);

/** `rate_limit`: overrides by API, laid over the defaults. */
export const rateLimit: z.ZodType<CallsPerMinute, object> = z.partialRecord(
  z.enum(namesOf(CALLS_PER_MINUTE)),
  perMinute,
).transform((own) => ({ ...CALLS_PER_MINUTE, ...own }));

/** What is tried more than once. */
export type BackoffName =
  | "eni_create"
  | "eni_ops"
  | "eni_release"
  | "eni_delete_confirm"
  | "eni_ip_ops"
  | "wait_eni_ip_removed"
  | "wait_eni_status"
  | "wait_member_eni_status"
  | "wait_podeni_status"
  | "meta_assign_private_ip"
  | "meta_unassign_private_ip"
  | "wait_sts_token_ready";

/** How tries are spread. */
export interface Backoff {
  /** Before the first try. */
  readonly initialDelayMs: number;
  /** The first pause. */
  readonly pauseMs: number;
  /** By how much each pause is longer than the one before. */
  readonly factor: number;
  /** Each pause is prolonged by a random part, up to this share of it. */
  readonly jitter: number;
  /** How often is tried. */
  readonly stepCount: number;
  /** No pause is longer than this. */
  readonly maxPauseMs: number;
}

/** By what is tried, how. */
export type Backoffs = Readonly<Record<BackoffName, Backoff>>;

/** No pause of the table grows longer than this; Terway has no bound. */
const MAX_PAUSE_MS = 3_600_000;

/**
 * First pause in milliseconds, factor, jitter, steps, initial delay in
 * milliseconds, longest pause in milliseconds.
 *
 * Source: Terway's `pkg/backoff` (read 2026-11-21), without what only Lingjun
 * machines have.
 */
const STANDARD: Readonly<Record<BackoffName, readonly number[]>> = Object
  .freeze({
    eni_create: [10_000, 2, 0.3, 2],
    eni_ops: [5_000, 2, 0.3, 6],
    eni_release: [4_000, 2, 0.5, 8],
    eni_delete_confirm: [2_000, 1.5, 0, 4, 1_000, 4_000],
    eni_ip_ops: [5_000, 1, 1.3, 6],
    wait_eni_ip_removed: [2_000, 1.5, 0.5, 4, 1_000],
    wait_eni_status: [3_000, 1.5, 0.5, 8, 3_000],
    wait_member_eni_status: [1_000, 1.5, 0.5, 8, 2_000],
    wait_podeni_status: [1_000, 1, 0.3, 100, 2_000],
    meta_assign_private_ip: [1_100, 1, 0.2, 10],
    meta_unassign_private_ip: [1_100, 1, 0.2, 10],
    wait_sts_token_ready: [1_000, 1, 0.2, 60],
  });

const backoff = z.strictObject({
  initial_delay: duration("0s", "10m").optional(),
  duration: duration("100ms", "10m").optional(),
  factor: z.number().min(1).max(10).optional(),
  jitter: z.number().min(0).max(2).optional(),
  steps: z.int().min(1).max(1_000).optional(),
  cap: duration("100ms", "1h").optional(),
});

/** `backoff_override`: by name, and in it only what shall differ. */
export const backoffOverride: z.ZodType<Backoffs, object> = z.partialRecord(
  z.enum(namesOf(STANDARD)),
  backoff,
).transform((own) => {
  const entries = namesOf(STANDARD).map((name) =>
    [name, override(name, own[name] ?? {})] as const
  );
  return Object.fromEntries(entries) as Record<BackoffName, Backoff>;
});

function override(
  name: BackoffName,
  own: z.infer<typeof backoff>,
): Backoff {
  const [pauseMs = 0, factor = 1, jitter = 0, stepCount = 1, ...rest] =
    STANDARD[name];
  const [initialDelayMs = 0, maxPauseMs = MAX_PAUSE_MS] = rest;
  return {
    initialDelayMs: own.initial_delay ?? initialDelayMs,
    pauseMs: own.duration ?? pauseMs,
    factor: own.factor ?? factor,
    jitter: own.jitter ?? jitter,
    stepCount: own.steps ?? stepCount,
    maxPauseMs: own.cap ?? maxPauseMs,
  };
}

function namesOf<Name extends string>(
  table: Readonly<Record<Name, unknown>>,
): Name[] {
  // Object.keys() forgets the names' type; the tables are closed.
  return Object.keys(table) as Name[];
}
