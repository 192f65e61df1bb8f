/**
 * The cloud as a simulated process calls it: each call meets the weather, is
 * told in the trace, and must keep to what the cloud asks of its callers.
 *
 * @module
 */
import { openDirect } from "../../tests/emulators/alibaba/direct.ts";
import type {
  Fault,
  FaultyCall,
} from "../../tests/emulators/alibaba/faults.ts";
import type { Cloud, EniFilter } from "../cloud.ts";
import { Manners } from "./manners.ts";
import type { Process } from "./process.ts";
import { Sights } from "./sights.ts";
import type { Simulation } from "./simulation.ts";
import { Tokens } from "./tokens.ts";
import { callLine, valueLine } from "./trace.ts";
import { Violation } from "./violation.ts";
import { faultBy } from "./weather.ts";

const MINUTE_MS = 60_000;

/** What every call meets while the cloud is away. */
const AWAY: Fault = { kind: "refuse", code: "ServiceUnavailable" };

/** A cloud that is watched. */
export class Front {
  /** How many calls the cloud got. */
  callCount: number = 0;
  /** Which tokens were used for what. */
  readonly tokens: Tokens;
  /** What the cards were a moment ago. */
  readonly sights: Sights = new Sights();
  readonly #life: Simulation;
  readonly #manners: Manners;
  /** By method: who was throttled, and until when. */
  readonly #throttled = new Map<
    string,
    { process: Process; atMs: number; endMs: number }
  >();
  /** The last look at one card alone: which, and from when to when. */
  #lastLook: { eniId: string; startMs: number; endMs: number } | undefined;
  #count = 0;
  #staleMs = 0;

  /**
   * Watches a life's cloud.
   *
   * @param life The life.
   */
  constructor(life: Simulation) {
    this.#life = life;
    this.tokens = new Tokens(life);
    this.#manners = new Manners(life);
    life.cloud.before = (call) => this.#before(call);
  }

  /**
   * Opens the cloud.
   *
   * @returns The cloud, for any process of this life.
   */
  open(): Cloud {
    return new Proxy(openDirect(this.#life.cloud), {
      get: (target, name): unknown => {
        const method = Reflect.get(target, name) as (
          ...args: unknown[]
        ) => Promise<unknown>;
        return (...args: unknown[]) =>
          this.#call(String(name), args, () => method.apply(target, args));
      },
    });
  }

  async #call(
    name: string,
    args: readonly unknown[],
    ask: () => Promise<unknown>,
  ): Promise<unknown> {
    const { trace, process } = this.#life;
    const call = `#${++this.#count}`;
    trace.add("call", () => `${call} ${callLine(name, args)}`);
    this.#life.guarded(() => this.#demandPatience(name, args));
    this.#life.guarded(() => this.#manners.check(name, args));
    const startMs = this.#life.clock.nowMs();
    try {
      const answer = await this.#answer(ask, args);
      this.#noteLook(name, args, startMs);
      trace.add("answer", () => `${call} ${name}: ${answerLine(answer)}`);
      return answer;
    } catch (error) {
      trace.add("answer", () => `${call} ${name}: ${errorLine(error)}`);
      this.#remember(name, process, error);
      throw error;
    }
  }

  /** Looking is the one call that may tell what was, and not what is. */
  async #answer(
    ask: () => Promise<unknown>,
    args: readonly unknown[],
  ): Promise<unknown> {
    this.#staleMs = 0;
    // Faults are drawn before anything is waited for.
    const asking = ask();
    const staleMs = this.#staleMs;
    const answer = await asking;
    if (staleMs === 0 || this.sights.isEmpty) return answer;
    const atMs = this.#life.clock.nowMs() - staleMs;
    return this.sights.read(args[0] as EniFilter, atMs);
  }

  /** Source: ECS "API throttling": who is throttled is so until the minute ends. */
  #remember(name: string, process: Process, error: unknown): void {
    const { code } = error as { readonly code?: unknown };
    if (typeof code !== "string" || !code.startsWith("Throttling")) return;
    const nowMs = this.#life.clock.nowMs();
    const endMs = nowMs - nowMs % MINUTE_MS + MINUTE_MS;
    this.#throttled.set(name, { process, atMs: nowMs, endMs });
  }

  #noteLook(name: string, args: readonly unknown[], startMs: number): void {
    if (name !== "describeEnis") return;
    const { ids = [] } = args[0] as EniFilter;
    const [eniId] = ids;
    if (eniId === undefined || ids.length > 1) return;
    this.#lastLook = { eniId, startMs, endMs: this.#life.clock.nowMs() };
  }

  /** A purge is one call of two requests: it began before the throttling. */
  #isSecondHalf(args: readonly unknown[], atMs: number): boolean {
    const look = this.#lastLook;
    return look !== undefined && look.eniId === args[0] &&
      look.startMs <= atMs && look.endMs === this.#life.clock.nowMs();
  }

  #demandPatience(name: string, args: readonly unknown[]): void {
    // Two kinds of looks share an API, and are held back one by one.
    if (name.startsWith("describe")) return;
    const { process, clock } = this.#life;
    const throttled = this.#throttled.get(name);
    if (throttled?.process !== process) return;
    const leftMs = throttled.endMs - clock.nowMs();
    if (leftMs <= 0) return;
    if (name === "deleteEni" && this.#isSecondHalf(args, throttled.atMs)) {
      return;
    }
    const text = `${name} is called ${leftMs} ms before it may be`;
    throw new Violation("throttled", text);
  }

  #before(call: FaultyCall): Fault | undefined {
    this.callCount++;
    this.#life.guarded(() => this.tokens.check(call));
    const { cloud, chance, script, weather, trace } = this.#life;
    const drawn = cloud.faults.take(call) ??
      faultBy(call, weather, { chance, without: script.without });
    const fault = this.#life.isAway ? AWAY : drawn;
    if (fault !== undefined) {
      trace.add("fault", () => `${call.action}: ${valueLine(fault)}`);
    }
    if (fault?.kind !== "stale") return fault;
    this.#staleMs = fault.ms;
    return undefined;
  }
}

function answerLine(answer: unknown): string {
  if (answer === undefined) return "done";
  const list = Array.isArray(answer) ? answer : [answer];
  if (list.length === 0) return "nothing";
  return list.map((one) =>
    typeof one === "object" && "status" in one
      ? `${one.id} ${one.status} ${[...one.ips, ...one.ips6].join(" ")}`
      : valueLine(one)
  ).join("; ");
}

function errorLine(error: unknown): string {
  const { code, name, message } = error as Error & { readonly code?: unknown };
  return typeof code === "string" ? code : `${name}, ${message}`;
}
