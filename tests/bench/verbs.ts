/**
 * What a pod's ADD, CHECK and DEL cost: by launcher, by the compiled file and
 * by Debian's `ptp` with host-local, interleaved in one run on one machine.
 *
 * @module
 */
import { join } from "node:path";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import type { Stage } from "../stage/stage.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { type Ran, Runner } from "./runner.ts";

/** Where Debian puts the reference plugins. */
const REFERENCE_PLUGINS = "/usr/lib/cni";

/** The verbs that are measured, in the order in which a pod meets them. */
const VERBS = ["ADD", "CHECK", "DEL"] as const;

/** A plugin under measurement. */
export interface Contender {
  /** Its name in the figures. */
  readonly name: string;
  /** The executable. */
  readonly plugin: string;
  /** Its network configuration, without `prevResult`. */
  readonly conf: Record<string, unknown>;
  /** The namespace of the node that it runs on. */
  readonly netns: string;
}

/** Figures by contender, then by verb. */
export type VerbFigures = Record<string, Record<string, Figures>>;

/**
 * Lists who is measured: terway as launcher and compiled, `ptp` beside it.
 *
 * @param stage A stage with one node, and room for the reference plugin.
 * @param compiled The compiled executable.
 * @returns The contenders.
 */
export async function contenders(
  stage: Stage,
  compiled: string,
): Promise<readonly Contender[]> {
  const [node] = stage.description.nodes;
  if (node === undefined) throw new Error("the stage has no node");
  const list = JSON.parse(
    await Deno.readTextFile(join(node.cniConfDir, "10-terway.conflist")),
  );
  const conf = {
    cniVersion: "1.0.0",
    name: list.name,
    ...list.plugins[0],
  };
  const { netns } = node;
  const launcher = join(node.cniBinDir, "terway");
  return [
    { name: "launcher", plugin: launcher, conf, netns },
    { name: "compiled", plugin: compiled, conf, netns },
    {
      name: "ptp",
      plugin: `${REFERENCE_PLUGINS}/ptp`,
      netns: `${netns}-ptp`,
      conf: {
        cniVersion: "1.0.0",
        name: "bench",
        type: "ptp",
        ipam: {
          type: "host-local",
          subnet: "10.200.0.0/16",
          dataDir: join(stage.dir, "host-local"),
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    },
  ];
}

/**
 * Runs whole lives of pods, one contender after another in each round.
 *
 * @param who Who is measured.
 * @param options How many rounds count after the first ones, which warm up; a
 * folder for files.
 * @returns The figures.
 */
export async function measureVerbs(
  who: readonly Contender[],
  options: { roundCount: number; warmUpCount: number; dir: string },
): Promise<VerbFigures> {
  await using runners = new AsyncDisposableStack();
  const series = new Map<string, number[]>();
  const tracks = who.map((contender) => ({
    contender,
    runner: runners.use(
      new Runner({
        netns: contender.netns,
        dir: options.dir,
        cniPath: REFERENCE_PLUGINS,
      }),
    ),
  }));
  for (
    let round = 0;
    round < options.warmUpCount + options.roundCount;
    round++
  ) {
    for (const { contender, runner } of tracks) {
      const life = await oneLife(contender, {
        runner,
        round,
        dir: options.dir,
      });
      if (round < options.warmUpCount) continue;
      for (const [verb, tookMs] of life) {
        const key = `${contender.name} ${verb}`;
        series.set(key, [...series.get(key) ?? [], tookMs]);
      }
    }
  }
  return Object.fromEntries(who.map(({ name }) => [
    name,
    Object.fromEntries(VERBS.map((verb) => [
      verb.toLowerCase(),
      figuresOf(series.get(`${name} ${verb}`) ?? []),
    ])),
  ]));
}

/** Making and removing the pod's namespace isn't measured. */
async function oneLife(
  { name, plugin, conf, netns: node }: Contender,
  { runner, round, dir }: { runner: Runner; round: number; dir: string },
): Promise<Map<string, number>> {
  const netns = `${node}-${name}`;
  const file = join(dir, `${name}.json`);
  await Deno.writeTextFile(file, JSON.stringify(conf));
  createNamespace(netns);
  try {
    bringLoopbackUp(netns);
    const took = new Map<string, number>();
    for (const verb of VERBS) {
      // CHECK of ptp compares with an earlier result, which isn't kept here.
      if (verb === "CHECK" && name === "ptp") continue;
      const containerId = `bench-${name}-${round}`;
      const ran = await runner.run({
        plugin,
        verb,
        containerId,
        netns,
        conf: file,
      });
      mustSucceed(ran, `${name} ${verb}`);
      took.set(verb, ran.tookMs);
    }
    return took;
  } finally {
    removeNamespace(netns);
  }
}

function mustSucceed(ran: Ran, what: string): void {
  if (ran.status !== 0) throw new Error(`${what} failed: ${ran.said}`);
}
