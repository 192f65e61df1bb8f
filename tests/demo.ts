/**
 * `deno task demo`: terway's main job on an emulated cloud, start to finish.
 *
 * A region with two zones and two nodes, a real daemon on each; eight pods
 * made by the real plugin; real packets between them; then everything is given
 * back, and what is left is compared with what was there before.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { differences, figures, takeSnapshot } from "./demo/snapshot.ts";
import { pingAll, type Reach } from "./demo/pings.ts";
import { ensurePackages, NETWORK_PACKAGES } from "./packages.ts";
import { startStage } from "./stage/background.ts";
import { askDaemon } from "./stage/daemon.ts";
import { DEFAULT_STAGE_DIR, StageError } from "./stage/description.ts";
import { PluginError } from "./stage/plugin.ts";
import { addPod, type Pod, type PodHost, removePod } from "./stage/pods.ts";
import { openStage } from "./stage/stage.ts";
import {
  count,
  denoCommand,
  matrix,
  Printer,
  table,
} from "./stage/terminal.ts";

const USAGE = `deno task demo [--keep] [--yes]

  --keep   leave the stage running and say how to look around
  --yes    install missing packages without asking
`;

const STORY = `terway demo: an emulated Alibaba Cloud region, a VPC of network \
namespaces with
2 zones and 2 nodes, and a real terway daemon per node. 8 pods are made by the
real CNI plugin, ping each other, and are deleted; then cloud and kernel are
compared with what they were. Nothing outside this machine is called.`;

const SIZE = { zoneCount: 2, nodeCount: 2 };

const POD_NAMES = ["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"];

/** The exit status of a process that SIGINT ended. Source: bash(1). */
const INTERRUPTED_STATUS = 130;

/** What most steps need. */
interface Scene {
  readonly printer: Printer;
  readonly signal: AbortSignal;
}

/** Runs the demo. Gives the exit status. */
async function main(words: readonly string[]): Promise<number> {
  const printer = Printer.stdout();
  const interrupt = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (!interrupt.signal.aborted) printer.say("\ninterrupted: cleaning up");
      interrupt.abort();
    });
  }
  const { signal } = interrupt;
  try {
    const args = readArguments(words);
    if (args.help) {
      printer.say(USAGE.trimEnd());
      return 0;
    }
    printer.say(`${STORY}\n`);
    await prepare(printer, args.yes);
    await (args.keep ? keep : play)({ printer, signal });
    return 0;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED_STATUS;
    Deno.stderr.writeSync(
      new TextEncoder().encode(`\nthe demo failed: ${explain(error)}\n`),
    );
    return 1;
  }
}

/** The whole story, with its end. */
async function play({ printer, signal }: Scene): Promise<void> {
  const onStep = (text: string) => printer.step(text);
  await using stage = await openStage({ ...SIZE, onStep, signal });
  const before = takeSnapshot(stage);
  const pods = await showPods(stage, { printer, signal });
  const spoofedCount = await stage.region.fabric.spoofed();
  printer.say(`\n  The VPC dropped ${count(spoofedCount, "packet")} \
for a source that isn't its ENI's.`);
  signal.throwIfAborted();
  printer.heading("And back again");
  for (const pod of pods) {
    signal.throwIfAborted();
    await removePod(stage, pod.name);
  }
  printer.step(`${pods.length} pods deleted by the plugin`);
  await stage.drain();
  signal.throwIfAborted();
  printer.step("both daemons drained: the ENIs that they made are deleted");
  const after = takeSnapshot(stage);
  const left = differences(before, after);
  if (left.length > 0) {
    throw new StageError(`not all is as before\n  ${left.join("\n  ")}`);
  }
  printer.step("cloud and kernel are as before the first pod:");
  printer.say(indent(table(["compared", "holds"], figures(after))));
  await stage[Symbol.asyncDispose]();
  printer.step("daemons ended, namespaces and files removed");
  printer.say(`\n${pods.length} pods, ${pods.length ** 2} pings answered, \
nothing left behind: ${printer.seconds} s`);
}

/** The story without its end. */
async function keep({ printer, signal }: Scene): Promise<void> {
  const dir = DEFAULT_STAGE_DIR;
  const description = await startStage({ dir, ...SIZE }, signal);
  printer.step("cloud, VPC and daemons are up, in the background");
  try {
    await showPods({ dir, description }, { printer, signal });
  } catch (error) {
    printer.say(`\nwhat runs stays: ${denoCommand()} task stage down ends it`);
    throw error;
  }
  const deno = denoCommand();
  printer.say(`
Everything stays, in ${dir}. To look around:

  ${deno} task stage status
  ${deno} task stage pod exec a1 -- ip route
  ${deno} task stage node exec n1 -- ip rule
  ${deno} task stage pod add web
  ${deno} run -A main.ts status --socket ${description.nodes[0]?.socket}

And to end it: ${deno} task stage down`);
}

/** Makes the pods, shows what they got, and lets them ping. */
async function showPods(host: PodHost, scene: Scene): Promise<Pod[]> {
  const { printer, signal } = scene;
  const pods: Pod[] = [];
  for (const name of POD_NAMES) {
    signal.throwIfAborted();
    const node = name.startsWith("a") ? "n1" : "n2";
    pods.push(await addPod(host, { name, node }, signal));
  }
  printer.step(`${pods.length} pods made by the plugin`);
  const reach = await pingAll(pods, signal);
  printer.step(`${reach.answerCount} of ${pods.length ** 2} pings answered`);
  printer.heading("Pods");
  printer.say(indent(await podTable(host, pods)));
  printer.say(`\n  The first pod of a node waited for a new ENI, the others \
for one more address on it.`);
  printer.heading("Pings, in ms: from the row's pod to the column's");
  printer.say(indent(pingTable(pods, reach)));
  if (reach.answerCount < pods.length ** 2) {
    throw new StageError("not every pod reaches every pod");
  }
  return pods;
}

/** Tells each pod's card, as its node's daemon knows it. */
async function podTable(host: PodHost, pods: readonly Pod[]): Promise<string> {
  const cards = new Map<string, { id: string; mac: string }>();
  for (const { socket } of host.description.nodes) {
    const { leases } = await askDaemon(
      socket,
      "status",
      AbortSignal.timeout(5_000),
    ) as { leases: readonly { ip: string; attachment: { eni: Card } }[] };
    for (const { ip, attachment } of leases) cards.set(ip, attachment.eni);
  }
  return table(
    ["pod", "node", "ENI", "address", "the ENI's MAC", "ms"],
    pods.map(({ name, node, ip, addMs }) => [
      name,
      node,
      cards.get(ip)?.id ?? "?",
      ip,
      cards.get(ip)?.mac ?? "?",
      addMs.toFixed(1),
    ]),
  );
}

/** A card, in a lease. */
interface Card {
  readonly id: string;
  readonly mac: string;
}

function pingTable(pods: readonly Pod[], reach: Reach): string {
  const names = pods.map(({ name }) => name).sort();
  return matrix(names, (from, to) => reach.timeMs(from, to));
}

async function prepare(printer: Printer, yes: boolean): Promise<void> {
  if (Deno.build.os !== "linux") {
    throw new StageError("it needs Linux: pods are network namespaces");
  }
  if (Deno.uid() !== 0) {
    throw new StageError("it needs root, for network namespaces: use sudo");
  }
  const say = (line: string) => printer.say(`  ${line}`);
  const missing = await ensurePackages(NETWORK_PACKAGES, { yes, say });
  if (missing.length > 0) {
    const names = missing.map(({ name }) => name).join(" ");
    throw new StageError(`packages are missing: ${names}`);
  }
  printer.step("packages are there");
}

function readArguments(
  words: readonly string[],
): { keep: boolean; yes: boolean; help: boolean } {
  const { keep, yes, help } = parseArgs([...words], {
    boolean: ["keep", "yes", "help"],
    unknown: (word) => {
      throw new StageError(`it can't understand ${word}: see --help`);
    },
  });
  return { keep, yes, help };
}

/** Says what went wrong; a class's name where it isn't one of ours. */
function explain(error: unknown): string {
  if (error instanceof StageError || error instanceof PluginError) {
    return error.message;
  }
  return error instanceof Error
    ? `${error.name}: ${error.message}`
    : `${error}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}

Deno.exit(await main(Deno.args));
