/**
 * Many pods at once: 100 ADDs, 8 at a time, by launcher and by Debian's `ptp`
 * with host-local, one batch after another.
 *
 * @module
 */
import type { Contender } from "./contenders.ts";
import { percentile, ratio, round } from "./figures.ts";
import type { Part, PartOptions } from "./part.ts";
import { quiet, Rig, RIG_NEEDS } from "./rig.ts";

const POD_COUNT = 100;

const AT_ONCE = 8;

/** A batch is 100 ADDs: so many are as much as the other parts' rounds. */
const BATCH_COUNT = 8;

/** What one contender's batches came to. */
interface Totals {
  readonly addMs: number;
  readonly delMs: number;
}

/** ADDs side by side. */
export const concurrent: Part = {
  name: "concurrentAdd",
  title: `${POD_COUNT} ADDs, ${AT_ONCE} at a time`,
  needs: RIG_NEEDS,
  measure,
};

async function measure(
  { say }: PartOptions,
): Promise<Record<string, unknown>> {
  await using rig = await Rig.open();
  await using parts = new AsyncDisposableStack();
  const who = [rig.launcher(), rig.ptp()].map((one) => parts.use(one));
  const series = new Map<string, number[]>();
  for (let batch = 0; batch <= BATCH_COUNT; batch++) {
    const order = batch % 2 === 0 ? who : who.toReversed();
    for (const one of order) {
      await rig.untilIdle(POD_COUNT);
      const { addMs, delMs } = await oneBatch(rig, one, batch);
      if (batch === 0) continue; // warms up
      for (const [verb, tookMs] of [["add", addMs], ["del", delMs]] as const) {
        const key = `${one.name} ${verb}`;
        series.set(key, [...series.get(key) ?? [], tookMs]);
      }
    }
  }
  const median = (key: string): number =>
    percentile(series.get(key) ?? [], 0.5);
  const concurrentAdd = Object.fromEntries(who.map(({ name }) => [name, {
    totalMs: round(median(`${name} add`), 1),
    ratioToPtp: ratio(median(`${name} add`), median("ptp add")),
    delTotalMs: round(median(`${name} del`), 1),
    delRatioToPtp: ratio(median(`${name} del`), median("ptp del")),
  }]));
  for (const [name, totals] of Object.entries(concurrentAdd)) {
    say(
      `${
        name.padEnd(9)
      } ADD ${totals.totalMs} ms, ${totals.ratioToPtp} x ptp;` +
        ` DEL ${totals.delTotalMs} ms, ${totals.delRatioToPtp} x ptp`,
    );
  }
  return {
    concurrentAdd: {
      podCount: POD_COUNT,
      atOnce: AT_ONCE,
      batchCount: BATCH_COUNT,
      ...concurrentAdd,
    },
  };
}

async function oneBatch(
  rig: Rig,
  one: Contender,
  batch: number,
): Promise<Totals> {
  using sandboxes = rig.sandboxes(`${one.name}-${batch}`, POD_COUNT);
  const { totalMs: addMs } = await one.call("ADD", sandboxes, AT_ONCE);
  const { totalMs: delMs } = await one.call("DEL", sandboxes, AT_ONCE);
  await quiet();
  return { addMs, delMs };
}
