/**
 * What a pod's ADD, CHECK and DEL cost: by launcher, by the compiled file, at
 * the daemon's socket, and by Debian's `ptp` with host-local.
 *
 * One verb after another in each round, and in it one contender after another,
 * each round another one first. Making and removing namespaces isn't measured.
 *
 * @module
 */
import { type Contender, type Sandbox, VERBS } from "./contenders.ts";
import { type Figures, figuresOf, ratio } from "./figures.ts";
import type { Part, PartOptions } from "./part.ts";
import { quiet, Rig, RIG_NEEDS } from "./rig.ts";

/** Rounds that don't count: code is compiled, files are read. */
const WARM_UP_COUNT = 10;

/** Figures by contender. */
type ByName = Record<string, Figures & { readonly ratioToPtp?: number }>;

/** ADD, CHECK and DEL. */
export const verbs: Part = {
  name: "add",
  title: "ADD, CHECK and DEL, one at a time",
  needs: RIG_NEEDS,
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, ByName>> {
  await using rig = await Rig.open();
  await using parts = new AsyncDisposableStack();
  const compiled = await rig.compiled();
  if (compiled === undefined) {
    say("compiled: skipped, `deno task compile` tells why it can't be made");
  }
  const who = [rig.launcher(), compiled, rig.socket(), rig.ptp()]
    .filter((one) => one !== undefined)
    .map((one) => parts.use(one));
  const series = new Map<string, number[]>();
  const sandboxes = who.map(({ name }) =>
    parts.use(rig.sandboxes(name, WARM_UP_COUNT + roundCount))
  );
  for (let round = -WARM_UP_COUNT; round < roundCount; round++) {
    // More pods than the pool has addresses rest for their turn.
    await rig.untilIdle(who.length);
    const took = await oneRound(who, {
      sandboxes: sandboxes.map((each) => each[round + WARM_UP_COUNT]),
      first: (round + WARM_UP_COUNT) % who.length,
    });
    if (round < 0) continue;
    for (const [key, tookMs] of took) {
      series.set(key, [...series.get(key) ?? [], tookMs]);
    }
  }
  const daemon = await daemonShare(rig);
  const found = Object.fromEntries(VERBS.map((verb) => {
    const byName = figures(who, (name) => series.get(`${name} ${verb}`) ?? []);
    return [verb.toLowerCase(), byName];
  }));
  const report = { ...found, add: { ...found.add, daemon } };
  for (const [verb, byName] of Object.entries(report)) {
    for (const line of lines(verb, byName)) say(line);
  }
  return report;
}

async function oneRound(
  who: readonly Contender[],
  { sandboxes, first }: {
    sandboxes: readonly (Sandbox | undefined)[];
    first: number;
  },
): Promise<Map<string, number>> {
  const took = new Map<string, number>();
  for (const verb of VERBS) {
    for (let turn = 0; turn < who.length; turn++) {
      const at = (first + turn) % who.length;
      const [one, sandbox] = [who[at], sandboxes[at]];
      if (one === undefined || sandbox === undefined) continue;
      const { totalMs } = await one.call(verb, [sandbox]);
      took.set(`${one.name} ${verb}`, totalMs);
      if (verb === "DEL") await quiet();
    }
  }
  return took;
}

function figures(
  who: readonly Contender[],
  seriesOf: (name: string) => readonly number[],
): ByName {
  const peer = figuresOf(seriesOf("ptp")).p50Ms;
  return Object.fromEntries(who.map(({ name }) => {
    const own = figuresOf(seriesOf(name));
    return [name, { ...own, ratioToPtp: ratio(own.p50Ms, peer) }];
  }));
}

/** The daemon writes what each ADD took into its log. */
async function daemonShare(rig: Rig): Promise<Figures> {
  const text = await Deno.readTextFile(rig.stage.daemon("n1").log);
  const took = text.split("\n")
    .filter((line) => line.includes('"msg":"attached"'))
    .map((line): number => JSON.parse(line).took_ms);
  return figuresOf(took);
}

function* lines(verb: string, byName: ByName): Generator<string> {
  for (const [name, own] of Object.entries(byName)) {
    const against = own.ratioToPtp === undefined || name === "ptp"
      ? ""
      : `, ${own.ratioToPtp} x ptp`;
    yield `${verb.padEnd(6)} ${name.padEnd(9)} p50 ${own.p50Ms} ms (p5 ` +
      `${own.p5Ms}, p95 ${own.p95Ms}), n ${own.count}${against}`;
  }
}
