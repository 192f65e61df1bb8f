/**
 * The trace of a simulated life: one line for each thing that happens, each
 * call, each answer and each change of what is on disk.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { EniWish } from "../cloud.ts";
import type { PoolNews } from "../news.ts";
import type { Change, EniRecord, SlotRecord } from "../record.ts";
import type { EniKey } from "../state.ts";

/** What a line tells of. */
export type LineKind =
  /** Something happens. */
  | "step"
  /** A pod asks, is told, or goes. */
  | "pod"
  /** The process begins, dies or ends. */
  | "process"
  /** A call is sent. */
  | "call"
  /** What is to go wrong with it. */
  | "fault"
  /** What comes back. */
  | "answer"
  /** What the journal holds now. */
  | "journal"
  /** What the pool tells people. */
  | "news"
  /** What somebody else does. */
  | "other";

/** Collects lines and their hash; costs nothing when it is quiet. */
export class Trace {
  /** The lines. */
  readonly lines: string[] = [];
  readonly #hash: Hash | undefined;
  readonly #nowMs: () => number;
  readonly #startMs: number;

  /**
   * Begins one.
   *
   * @param nowMs Tells the time.
   * @param isQuiet Whether nothing is collected.
   */
  constructor(nowMs: () => number, isQuiet: boolean) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#hash = isQuiet ? undefined : createHash("sha256");
  }

  /**
   * Adds a line.
   *
   * @param kind What it tells of.
   * @param text Says what; called only when lines are collected.
   */
  add(kind: LineKind, text: () => string): void {
    if (this.#hash === undefined) return;
    const seconds = ((this.#nowMs() - this.#startMs) / 1000).toFixed(3);
    const line = `${seconds.padStart(9)}  ${kind.padEnd(8)} ${text()}`;
    this.lines.push(line);
    this.#hash.update(line + "\n");
  }

  /** SHA-256 of all lines, each with its end; empty when it is quiet. */
  get hash(): string {
    return this.#hash?.copy().digest("hex") ?? "";
  }
}

/**
 * Tells a commit, a line for each record or group of alike ones.
 *
 * @param change What was written.
 * @param before Finds a card's record before it.
 * @returns The lines.
 */
export function changeLines(
  change: Change,
  before: (key: EniKey) => EniRecord | undefined,
): string[] {
  const { gone, put } = change;
  const lines: string[] = [];
  for (const key of gone.enis) lines.push(`eni ${key} gone`);
  for (const eni of put.enis) lines.push(eniLine(before(eni.key), eni));
  for (const [title, ips] of grouped(put.slots)) {
    lines.push(`${title}: ${ips.join(" ")}`);
  }
  for (const owner of gone.leases) lines.push(`lease of ${owner} gone`);
  for (const { ownerKey, ip, eniId } of put.leases) {
    lines.push(`lease of ${ownerKey}: ${ip} on ${eniId}`);
  }
  const lost = gone.slots.map(({ eniKey, ip }) => `${ip} of ${eniKey}`);
  if (lost.length > 0) lines.push(`addresses gone: ${lost.join(", ")}`);
  return lines;
}

/**
 * Tells news in one line.
 *
 * @param news What the pool told.
 * @returns The line.
 */
export function newsLine(news: PoolNews): string {
  switch (news.kind) {
    case "callFailed":
      return `callFailed ${news.problem.call} ${news.problem.kind}: ${news.nextStep}`;
    case "claimWaiting":
    case "claimRefused":
      return `${news.kind} ${news.ownerKey}: ${news.reason.text}`;
    case "broken":
      return `broken: ${news.error.message}`;
    case "full":
      return `full until ${new Date(news.untilMs).toISOString().slice(11, 19)}`;
    default: {
      const { kind, ...more } = news;
      return `${kind} ${valueLine(more)}`;
    }
  }
}

/**
 * Tells a call in one line.
 *
 * @param name The method of the pool's cloud.
 * @param args What it was called with; the signal is last.
 * @returns The line.
 */
export function callLine(name: string, args: readonly unknown[]): string {
  const [first] = args;
  if (name !== "createEni") return `${name} ${valueLine(args.slice(0, -1))}`;
  const { vSwitchId, ipCount, token } = first as EniWish;
  const { ip6Count = 0, prefixCount = 0, prefix6Count = 0 } = first as EniWish;
  const blocks = {
    ...(prefixCount === 0 ? {} : { prefixCount }),
    ...(prefix6Count === 0 ? {} : { prefix6Count }),
  };
  const six = ip6Count === 0 ? {} : { ip6Count };
  return `${name} ${
    valueLine({ vSwitchId, ipCount, ...blocks, ...six, token })
  }`;
}

/**
 * Tells any plain value in one line.
 *
 * @param value What; an object's names and values, without quotes.
 * @returns The line.
 */
export function valueLine(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueLine).join(" ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value).map(([name, one]) => `${name} ${valueLine(one)}`)
    .join(", ");
}

function eniLine(before: EniRecord | undefined, eni: EniRecord): string {
  const { key, phase, intent, card, assign } = eni;
  const parts = [
    before === undefined
      ? `eni ${key} ${phase}, ${intent.ipCount} addresses of ${intent.vSwitchId}`
      : before.phase === phase
      ? `eni ${key} ${phase}`
      : `eni ${key} ${before.phase} -> ${phase}`,
  ];
  if (card !== undefined && before?.card === undefined) parts.push(card.id);
  if (assign !== undefined && before?.assign?.token !== assign.token) {
    parts.push(`wants ${assign.count} more by ${assign.token}`);
  }
  if (assign === undefined && before?.assign !== undefined) {
    parts.push(`${before.assign.token} settled`);
  }
  return parts.join(", ");
}

function grouped(slots: readonly SlotRecord[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { eniKey, ip, kind } of slots) {
    const title = `${kind} on ${eniKey}`;
    const ips = groups.get(title) ?? [];
    groups.set(title, ips);
    ips.push(ip);
  }
  return groups;
}
