/**
 * How much slower verbs get with the pods that are on the node already: ADD,
 * CHECK and DEL of one more pod with 0, 250, 500, 750 and 1,000 of them.
 *
 * The node's type is made up, as no real one has so many addresses; `ptp`
 * stands beside it with as many pods.
 *
 * @module
 */
import { type Contender, VERBS } from "./contenders.ts";
import { percentile, round } from "./figures.ts";
import type { Part, PartOptions } from "./part.ts";
import { quiet, Rig, RIG_NEEDS } from "./rig.ts";

/** Pods on the node, by step. */
const STEPS = [0, 250, 500, 750, 1_000] as const;

/** So many at a time come up between steps. */
const AT_ONCE = 8;

/** One more than the pods that stand: each round's pod, and those at rest. */
const INSTANCE_TYPE = "ecs.bench.large";

/** 40 ENIs for pods, 30 addresses each. */
const LIMITS = {
  EniQuantity: 41,
  EniPrivateIpAddressQuantity: 30,
  EniIpv6AddressQuantity: 30,
  EniTotalQuantity: 41,
  EniTrunkSupported: false,
  CpuCoreCount: 128,
  MemorySize: 512,
};

/** As many idle addresses as eni_conf allows to ask for. */
const POOL_COUNT = 1_000;

/** Growth. */
export const growth: Part = {
  name: "growthPer100Pods",
  title: "verbs with pods on the node",
  needs: RIG_NEEDS,
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, unknown>> {
  await using rig = await Rig.open({
    poolCount: POOL_COUNT,
    stage: {
      instanceType: INSTANCE_TYPE,
      cloud: { types: { [INSTANCE_TYPE]: LIMITS } },
    },
  });
  await using parts = new AsyncDisposableStack();
  const who = [rig.launcher(), rig.ptp()].map((one) => parts.use(one));
  const series = new Map<string, number[]>();
  let standing = 0;
  for (const podCount of STEPS) {
    for (const one of who) {
      const wish = `${one.name}-${standing}`;
      const more = parts.use(rig.sandboxes(wish, podCount - standing));
      if (more.length > 0) await one.call("ADD", more, AT_ONCE);
    }
    standing = podCount;
    await rig.untilIdle(1);
    for (let round = 0; round < roundCount; round++) {
      for (const one of round % 2 === 0 ? who : who.toReversed()) {
        const took = await oneLife(rig, one, `${podCount}-${round}`);
        for (const [verb, tookMs] of took) {
          const key = `${one.name} ${verb} ${podCount}`;
          series.set(key, [...series.get(key) ?? [], tookMs]);
        }
      }
    }
  }
  const at = (key: string, share: number): number[] =>
    STEPS.map((count) =>
      percentile(series.get(`${key} ${count}`) ?? [], share)
    );
  const growthPer100Pods = Object.fromEntries(who.map(({ name }) => [
    name,
    Object.fromEntries(VERBS.map((verb) => {
      const p50Ms = at(`${name} ${verb}`, 0.5);
      const p5Ms = at(`${name} ${verb}`, 0.05);
      return [verb.toLowerCase(), {
        msPer100Pods: round(slope(STEPS, p50Ms) * 100, 3),
        p5MsPer100Pods: round(slope(STEPS, p5Ms) * 100, 3),
        p50MsAt: Object.fromEntries(STEPS.map((at, i) => [at, p50Ms[i]])),
      }];
    })),
  ]));
  for (const [name, verbs] of Object.entries(growthPer100Pods)) {
    for (const [verb, { msPer100Pods, p50MsAt }] of Object.entries(verbs)) {
      say(
        `${name.padEnd(9)} ${
          verb.padEnd(5)
        } ${msPer100Pods} ms per 100 pods; ` +
          `p50 with ${JSON.stringify(p50MsAt)}`,
      );
    }
  }
  return { growthPer100Pods };
}

async function oneLife(
  rig: Rig,
  one: Contender,
  name: string,
): Promise<Map<string, number>> {
  using sandboxes = rig.sandboxes(`${one.name}-${name}`, 1);
  const took = new Map<string, number>();
  for (const verb of VERBS) {
    const { totalMs } = await one.call(verb, sandboxes);
    took.set(verb, totalMs);
  }
  await quiet();
  return took;
}

/** The slope of the line with the least squares. */
function slope(xs: readonly number[], ys: readonly number[]): number {
  const mean = (all: readonly number[]): number =>
    all.reduce((sum, one) => sum + one, 0) / all.length;
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const products = xs.map((x, at) => (x - meanX) * ((ys[at] ?? NaN) - meanY));
  const squares = xs.map((x) => (x - meanX) ** 2);
  return mean(products) / mean(squares);
}
