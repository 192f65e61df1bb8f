/**
 * Watches how a simulated pool calls the cloud: within its budgets, only to
 * look while the cloud is away, and never to delete what it may not.
 *
 * @module
 */
import { ownTags } from "../tags.ts";
import { ORPHAN_MS } from "../limits.ts";
import type { EniRecord } from "../record.ts";
import type { Cloud } from "../cloud.ts";
import type { Process } from "./process.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

/** Which API a method of the pool's cloud spends; one call each. */
const APIS: Readonly<Record<string, string>> = {
  createEni: "CreateNetworkInterface",
  attachEni: "AttachNetworkInterface",
  detachEni: "DetachNetworkInterface",
  deleteEni: "DeleteNetworkInterface",
  assignIps: "AssignPrivateIpAddresses",
  unassignIps: "UnassignPrivateIpAddresses",
  assignPrefixes: "AssignPrivateIpAddresses",
  unassignPrefixes: "UnassignPrivateIpAddresses",
  assignIp6s: "AssignIpv6Addresses",
  unassignIp6s: "UnassignIpv6Addresses",
  setSecurityGroups: "ModifyNetworkInterfaceAttribute",
  describeEnis: "DescribeNetworkInterfaces",
};

/** One method has prefixes of both families. */
function apiOf(name: string, call: unknown): string | undefined {
  if (!name.endsWith("ssignPrefixes")) return APIS[name];
  const { family, prefixes } = call as Partial<
    & Parameters<Cloud["assignPrefixes"]>[0]
    & Parameters<Cloud["unassignPrefixes"]>[0]
  >;
  const isSix = family === 6 || prefixes?.[0]?.includes(":") === true;
  return APIS[isSix ? name.replace("Prefixes", "Ip6s") : name];
}

const GIVING: ReadonlySet<string> = new Set([
  "detachEni",
  "deleteEni",
  "unassignIps",
  "unassignPrefixes",
  "unassignIp6s",
]);

const MINUTE_MS = 60_000;

/** Remembers what was called in a minute. */
export class Manners {
  readonly #life: Simulation;
  #process: Process | undefined;
  #minute = 0;
  readonly #counts = new Map<string, number>();

  /**
   * Begins without calls.
   *
   * @param life Where.
   */
  constructor(life: Simulation) {
    this.#life = life;
  }

  /**
   * Checks a call that is about to be made.
   *
   * @param name The method of the pool's cloud.
   * @param args What it is called with.
   * @throws {Violation} When it isn't as it should be.
   */
  check(name: string, args: readonly unknown[]): void {
    this.#demandBudget(name, args[0]);
    const eniId = String(args[0]);
    // An orphan's deletion is the second call of two: it may be late.
    const isPurge = name === "deleteEni" && this.#recordOf(eniId) === undefined;
    if (!isPurge) this.#demandRestraint(name);
    if (name === "deleteEni") this.#demandRight(eniId);
  }

  #recordOf(eniId: string): EniRecord | undefined {
    const { enis } = this.#life.ledger;
    return [...enis.values()].find(({ card }) => card?.id === eniId);
  }

  #demandBudget(name: string, call: unknown): void {
    const { process, clock, limits } = this.#life;
    const minute = Math.floor(clock.nowMs() / MINUTE_MS);
    if (minute !== this.#minute || process !== this.#process) {
      this.#counts.clear();
    }
    [this.#minute, this.#process] = [minute, process];
    const api = apiOf(name, call);
    if (api === undefined) return;
    const count = (this.#counts.get(api) ?? 0) + 1;
    this.#counts.set(api, count);
    const most = limits.callsPerMinute[api] ?? Infinity;
    if (count <= most + slackOf(name)) return;
    throw new Violation("budget", `${api} is call ${count}, not ${most}`);
  }

  #demandRestraint(name: string): void {
    if (name.startsWith("describe")) return;
    const { health, mode } = this.#life.keeper.status();
    const isUndone = health.level === "probesOnly" ||
      (health.level === "noReleases" && GIVING.has(name) &&
        mode !== "draining");
    if (!isUndone) return;
    throw new Violation("restraint", `${name} though it is ${health.level}`);
  }

  /** A card of a record is on its way out; one without is ours, and old. */
  #demandRight(eniId: string): void {
    const { cloud, orphans, clock, stand } = this.#life;
    const seen = cloud.model.enis.get(eniId);
    if (seen === undefined) return;
    const record = this.#recordOf(eniId);
    if (record !== undefined) {
      if (record.phase === "deleting") return;
      throw new Violation("not ours", `${eniId} is ${record.phase}`);
    }
    const { instanceId } = stand;
    const own = Object.entries(ownTags({ clusterId: "c1", instanceId }));
    const isOwn = own.every(([key, value]) => seen.tags[key] === value);
    const ageMs = clock.nowMs() - (orphans.get(eniId) ?? -Infinity);
    if (isOwn && ageMs >= ORPHAN_MS && seen.instanceId === undefined) return;
    throw new Violation("not ours", `${eniId} is deleted without a record`);
  }
}

/**
 * A survey, and the last look before an orphan is deleted, begin with one call
 * and end with another, maybe a minute later.
 */
function slackOf(name: string): number {
  return name === "describeEnis" || name === "deleteEni" ? 1 : 0;
}
