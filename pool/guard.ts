/**
 * The gate to the outside: every call to the cloud and to the host passes
 * here, gets its deadline, and comes back as plain data, whatever happens.
 *
 * It decides nothing and never repeats a call. That no more than
 * {@linkcode CALLS_AT_ONCE} run is the plan's doing; here it is checked.
 *
 * @module
 */
import type { Ip } from "../netns/ip.ts";
import { standingOf } from "./adopt.ts";
import { change } from "./change.ts";
import type { Clock } from "./clock.ts";
import { type Cloud, CloudError, type Eni } from "./cloud.ts";
import type { HostEni, PoolConfig, PoolHost } from "./contract.ts";
import { invariant } from "./error.ts";
import type { Answer, OpenCall, Problem } from "./event.ts";
import { LANE_OF } from "./lanes.ts";
import {
  CALL_MS,
  CALLS_AT_ONCE,
  HOST_MS,
  type VSwitchChoice,
} from "./limits.ts";
import { isLoose } from "./orphan.ts";
import { cardOf, eniOf, type PooledEni, type PoolState } from "./state.ts";
import { eniTags, ownTags } from "./tags.ts";

/** How a call ended. */
export type CallEnd =
  | { readonly callId: number; readonly answer: Answer }
  | { readonly callId: number; readonly problem: Problem };

type SurveyAnswer = Extract<Answer, { kind: "survey" | "describe" }>;

/** What a guard works with. */
export interface GuardOptions {
  /** Lends cards and addresses. */
  readonly cloud: Cloud;
  /** The kernel side. */
  readonly host: PoolHost;
  /** Who and where this pool is. */
  readonly config: PoolConfig;
  /** vSwitches whose prefix needn't be asked for. */
  readonly vSwitches?: readonly VSwitchChoice[];
  /** For deadlines. */
  readonly clock: Clock;
  /** Hears how a call ended; not after the guard was stopped. */
  readonly onEnd: (end: CallEnd) => void;
}

/** The prefixes of a vSwitch. */
type Subnets = Pick<VSwitchChoice, "cidr" | "cidr6">;

/** Makes calls. */
export class Guard {
  readonly #options: GuardOptions;
  #config: PoolConfig;
  readonly #running = new Map<
    Promise<void>,
    { readonly call: OpenCall; readonly end: AbortController }
  >();
  readonly #subnetsOf = new Map<string, Subnets>();
  #isStopped = false;

  /**
   * Makes one.
   *
   * @param options What it works with.
   */
  constructor(options: GuardOptions) {
    this.#options = options;
    this.#config = options.config;
    this.configure(options.config, options.vSwitches ?? []);
  }

  /**
   * Takes up another configuration. Calls that run go on with the old one.
   *
   * @param config Who and where this pool is.
   * @param vSwitches vSwitches whose prefix needn't be asked for.
   */
  configure(config: PoolConfig, vSwitches: readonly VSwitchChoice[]): void {
    this.#config = config;
    for (const { id, ...subnets } of vSwitches) {
      this.#subnetsOf.set(id, subnets);
    }
  }

  /**
   * Begins a call; its end is told to `onEnd`, never before this returns.
   *
   * @param state The pool, in which the call is open.
   * @param call The call.
   * @throws {PoolError} `broken` when too many calls would run.
   */
  begin(state: PoolState, call: OpenCall): void {
    const toCloud = [...this.#running.values()]
      .filter((one) => isToCloud(one.call)).length;
    invariant(
      !isToCloud(call) || toCloud < CALLS_AT_ONCE,
      `${toCloud} calls are in flight and ${call.kind} would be one more`,
    );
    const end = new AbortController();
    const run = this.#run(state, call, end).then((ended) => {
      this.#running.delete(run);
      if (!this.#isStopped) this.#options.onEnd(ended);
    });
    this.#running.set(run, { call, end });
  }

  /**
   * Aborts what runs.
   *
   * @returns When nothing runs any more.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { end } of this.#running.values()) {
      end.abort(new DOMException("the pool stops", "AbortError"));
    }
    await Promise.all(this.#running.keys());
  }

  async #run(
    state: PoolState,
    call: OpenCall,
    end: AbortController,
  ): Promise<CallEnd> {
    const { clock } = this.#options;
    const limitMs = isToCloud(call) ? CALL_MS : HOST_MS;
    const forget = clock.after(limitMs, () => {
      const text = `no answer within ${limitMs} ms`;
      end.abort(new DOMException(text, "TimeoutError"));
    });
    const { signal } = end;
    try {
      // An adapter that ignores its signal must not hold the pool up.
      const answer = await raced(this.#perform(state, call, signal), signal);
      return { callId: call.id, answer };
    } catch (error) {
      return { callId: call.id, problem: problemOf(call, error) };
    } finally {
      forget();
    }
  }

  async #perform(
    state: PoolState,
    call: OpenCall,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { cloud, host } = this.#options;
    const config = this.#config;
    const { instanceId } = config;
    switch (call.kind) {
      case "survey":
        return await this.#survey(call, signal);
      case "describe": {
        const cards = call.eniKeys.map((key) => cardOf(eniOf(state, key)));
        const ids = cards.map(({ id }) => id);
        return this.#look(call.kind, [
          await cloud.describeEnis({ ids }, signal),
        ]);
      }
      case "create": {
        const eni = await cloud.createEni({
          vSwitchId: call.intent.vSwitchId,
          securityGroupIds: call.intent.securityGroupIds,
          ipCount: call.intent.ipCount,
          prefixCount: call.intent.prefixCount ?? 0,
          prefix6Count: call.intent.prefix6Count ?? 0,
          ip6Count: call.intent.ip6Count ?? 0,
          ...call.intent.trunk && { trunk: true },
          tags: eniTags(config, call.eniKey),
          ...(config.resourceGroupId === undefined
            ? {}
            : { resourceGroupId: config.resourceGroupId }),
          description: `terway: made for ${instanceId}`,
          token: call.eniKey,
        }, signal);
        return { kind: call.kind, eni };
      }
      case "purge": {
        // Nothing is deleted on one stale read.
        const ids = [call.eniId];
        const [eni] = await cloud.describeEnis({ ids }, signal);
        const isDeleted = eni !== undefined && isLoose(eni, config);
        if (isDeleted) await cloud.deleteEni(eni.id, signal);
        return { kind: call.kind, isDeleted };
      }
      case "prove": {
        const freeIps = await freeOf(host, call.ips, signal);
        return { kind: call.kind, freeIps };
      }
      case "prepare":
      case "retire":
        await host[call.kind](hostEni(eniOf(state, call.eniKey)), signal);
        return { kind: call.kind };
      default:
        return await change(cloud, call, {
          eniId: cardOf(eniOf(state, call.eniKey)).id,
          instanceId,
          signal,
        });
    }
  }

  async #survey(
    call: Extract<OpenCall, { kind: "survey" }>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { cloud } = this.#options;
    const config = this.#config;
    const { instanceId } = config;
    const all = this.#look("survey", [
      await cloud.describeEnis({ tags: ownTags(config) }, signal),
      await cloud.describeEnis({ instanceId }, signal),
    ]);
    const here = all.enis.filter((eni) => eni.instanceId === instanceId);
    const usable = here.flatMap((eni) => {
      const standing = standingOf(eni, config);
      return standing === "foreign" ? [] : [{ eni, standing }];
    });
    const subnets = await this.#subnets(usable.map(({ eni }) => eni), signal);
    const adoptable = usable.flatMap(({ eni, standing }) => {
      const { cidr: subnet, cidr6: subnet6 } = subnets.get(eni.vSwitchId) ?? {};
      if (subnet === undefined) return [];
      const six = subnet6 === undefined ? {} : { subnet6 };
      return [{ eniId: eni.id, isOwn: standing === "own", subnet, ...six }];
    });
    const available = await countsOf(cloud, call.vSwitchIds ?? [], signal);
    const looseEniIds = all.enis.filter((eni) => isLoose(eni, config))
      .map(({ id }) => id);
    return { ...all, adoptable, looseEniIds, ...(available && { available }) };
  }

  /** Prefixes don't change: each vSwitch is asked for once. */
  async #subnets(
    enis: readonly Eni[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Subnets>> {
    const ids = new Set(enis.map(({ vSwitchId }) => vSwitchId));
    const unknown = [...ids].filter((id) => !this.#subnetsOf.has(id));
    if (unknown.length > 0) {
      const { cloud } = this.#options;
      for (const one of await cloud.describeVSwitches(unknown, signal)) {
        this.#subnetsOf.set(one.id, one);
      }
    }
    return this.#subnetsOf;
  }

  #look(
    kind: "survey" | "describe",
    lists: readonly (readonly Eni[])[],
  ): SurveyAnswer {
    const { instanceId, primaryMac } = this.#config;
    const enis = new Map(lists.flat().map((eni) => [eni.id, eni]));
    for (const [id, eni] of enis) if (eni.mac === primaryMac) enis.delete(id);
    return { kind, enis: [...enis.values()], instanceId };
  }
}

/**
 * Gives a card as the kernel side needs it.
 *
 * @param eni The card; the cloud has made it.
 * @returns What to look for in the kernel.
 * @throws {PoolError} `broken` when it isn't made yet.
 */
export function hostEni(eni: PooledEni): HostEni {
  const { vSwitchId, subnet, subnet6 } = eni.intent;
  const six = subnet6 === undefined ? {} : { subnet6 };
  return { ...cardOf(eni), vSwitchId, subnet, ...six };
}

/** A hint only: whoever may not ask for it has a pool nonetheless. */
async function countsOf(
  cloud: Cloud,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<SurveyAnswer["available"]> {
  if (ids.length === 0) return undefined;
  try {
    const seen = await cloud.describeVSwitches(ids, signal);
    return seen.map(({ id, availableIpCount }) => ({
      vSwitchId: id,
      ipCount: availableIpCount,
    }));
  } catch (error) {
    if (error instanceof CloudError) return undefined;
    throw error;
  }
}

/** A host that can't tell proves nothing. */
async function freeOf(
  host: PoolHost,
  ips: readonly Ip[],
  signal: AbortSignal,
): Promise<Ip[]> {
  // All at once: a host reads its tables once for all of them.
  const taken = await Promise.all(
    ips.map((ip) => host.speaksFor?.(ip, signal) ?? true),
  );
  return ips.filter((_, at) => !taken[at]);
}

function isToCloud(call: OpenCall): boolean {
  return LANE_OF[call.kind] !== undefined;
}

async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function problemOf(call: OpenCall, error: unknown): Problem {
  const { kind } = call;
  if (error instanceof CloudError) {
    const { api, code, message, requestId, httpStatus } = error;
    return {
      call: kind,
      kind: error.kind,
      api,
      code,
      message,
      requestId,
      httpStatus,
    };
  }
  const { name, message } = error instanceof Error
    ? error
    : new Error(String(error));
  const isEnd = name === "TimeoutError" || name === "AbortError";
  return {
    call: kind,
    // What no adapter should throw is as good as no answer.
    kind: !isToCloud(call) ? "host" : isEnd ? "timeout" : "transient",
    api: kind,
    code: name,
    message,
    requestId: "",
    httpStatus: 0,
  };
}
