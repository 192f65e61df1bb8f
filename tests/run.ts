/**
 * `deno task test`: everything, from a machine that has Deno and nothing else.
 *
 * Installs the packages that the tests need, builds the launcher and the
 * executable so that the suites run them, runs all tests and examples, and
 * ends with one line: `N passed, N failed`, or `…, N skipped`. Where Go is, a
 * Kubernetes is built, once, and the walks in it are part of that. With
 * `--thorough` also what a commit only tries a part of.
 *
 * @module
 */
import { findGo, findTools } from "./cluster/build.ts";
import { AGNHOST_PACKAGES, CLUSTER_PACKAGES } from "./cluster/requirements.ts";
import { CLUSTER_TOOLS, CONFORMANCE_TOOLS } from "./cluster/tools.ts";
import {
  ensurePackages,
  LAUNCHER_PACKAGES,
  NETWORK_PACKAGES,
  TEST_PACKAGES,
} from "./packages.ts";
import { THOROUGH } from "./simulate/commit.ts";

const ROOT: string = new URL("../", import.meta.url).pathname;

/**
 * Tests of a whole machine: they change the namespaces of their threads,
 * measure time, or look for what is left over. They run one file after
 * another, and nothing beside them.
 */
const ALONE = [
  "netns",
  "tests/bandwidth",
  "tests/cni",
  "tests/daemon",
  "tests/explain",
  "tests/fabric",
  "tests/guest",
  "tests/install",
  "tests/stage",
  "tests/status",
  "tests/demo",
  "tests/cluster",
];

/** The folders of the code, which has its tests beside it. */
const CODE = new Set(["deploy", "k8s", "modes", "netns", "pool"]);

/** What happens in a real Kubernetes; `deno task test:cluster` is these alone. */
const WALKS = "tests/cluster/walks";

/** A run that takes longer hangs: it is killed, and has failed. */
const RUN_DEADLINE_MS = 25 * 60_000;

/** Of the hour that all may take, when a Kubernetes must be built. */
const BUILT_BY_MS = 40 * 60_000;

/** The latest that a walk begins. None takes half as long as it may. */
const WALK_BY_MS = 49 * 60_000;
const WALK_DEADLINE_MS = 10 * 60_000;

/** deploy/compile.ts: no base binary can be had here. */
const EXIT_NO_BASE = 3;

/** What a run of tests came to. */
interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

async function main(): Promise<number> {
  await prepare();
  const executable = await compile();
  const env = {
    ...executable.env,
    NO_COLOR: "1",
    ...(Deno.args.includes("--thorough") ? { [THOROUGH]: "1" } : {}),
  };
  const [together, alone] = await findTests();
  const total = sum([
    executable.count,
    await test(["--parallel", ...together], env),
    await test(alone, env),
    await walk(env),
  ]);
  const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
  say(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

/** Without a package its tests fail or are skipped, each saying why. */
async function prepare(): Promise<void> {
  const yes = Deno.args.includes("--yes");
  const hasGo = await findGo() !== undefined;
  const wanted = [
    ...[...NETWORK_PACKAGES, ...LAUNCHER_PACKAGES],
    ...TEST_PACKAGES,
    ...hasGo ? [...CLUSTER_PACKAGES, ...AGNHOST_PACKAGES] : [],
  ];
  await ensurePackages(wanted, { yes, say });
}

async function compile(): Promise<{
  readonly env: Readonly<Record<string, string>>;
  readonly count: Count;
}> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "deploy/compile.ts"],
    cwd: ROOT,
  }).spawn().status;
  const none = { passed: 0, failed: 0, skipped: 0 };
  if (code === 0) return { env: { TERWAY_COMPILED: "1" }, count: none };
  if (code === EXIT_NO_BASE) {
    say("skipped: the executable's own tests, for want of a base binary");
    return { env: {}, count: none };
  }
  say("FAILED: deno task compile");
  return { env: {}, count: { ...none, failed: 1 } };
}

/** The walks in a real Kubernetes; those that can't be are counted as skipped. */
async function walk(env: Readonly<Record<string, string>>): Promise<Count> {
  const all = [...CLUSTER_TOOLS, ...CONFORMANCE_TOOLS];
  const deadlineMs = Math.max(0, BUILT_BY_MS - performance.now());
  try {
    await findTools(all, { mayBuild: true, onStep: say, deadlineMs });
  } catch (error) {
    say(`FAILED: ${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const names = (await Array.fromAsync(Deno.readDir(ROOT + WALKS)))
    .map(({ name }) => `${WALKS}/${name}`).sort();
  const counts: Count[] = [];
  for (const name of names) {
    if (performance.now() < WALK_BY_MS) {
      counts.push(await test([name], env, WALK_DEADLINE_MS));
      continue;
    }
    say(`skipped: ${name}, as not enough is left of an hour`);
    counts.push({ passed: 0, failed: 0, skipped: 1 });
  }
  return sum(counts);
}

function sum(counts: readonly Count[]): Count {
  const total = (of: keyof Count): number =>
    counts.reduce((all, count) => all + count[of], 0);
  return {
    passed: total("passed"),
    failed: total("failed"),
    skipped: total("skipped"),
  };
}

/**
 * The paths of the two runs: folders, and of the files right in tests/ those
 * that are tests, as a file that is given is run even when it holds none.
 */
async function findTests(): Promise<readonly [string[], string[]]> {
  const inTests = (await Array.fromAsync(Deno.readDir(`${ROOT}tests`)))
    .filter(({ name, isDirectory }) => isDirectory || name.endsWith("_test.ts"))
    .map(({ name }) => `tests/${name}`).sort();
  const folders = (await Array.fromAsync(Deno.readDir(ROOT)))
    .map(({ name }) => name).filter((name) => CODE.has(name)).sort();
  const all = [...folders, ...inTests];
  const isAlone = (path: string): boolean =>
    ALONE.some((prefix) => path.startsWith(prefix));
  return [all.filter((path) => !isAlone(path)), all.filter(isAlone)];
}

async function test(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  deadlineMs = RUN_DEADLINE_MS,
): Promise<Count> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--doc", "--permit-no-files", ...args],
    cwd: ROOT,
    env: { ...env },
    stdout: "piped",
    signal: AbortSignal.timeout(deadlineMs),
  }).spawn();
  let summary = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    // The summary is the last line; only the end is kept.
    summary = (summary + text).slice(-500);
  }
  const { success } = await child.status;
  return countOf(summary, success);
}

/** A run that dies without a summary, or fails beside its tests, failed. */
function countOf(summary: string, success: boolean): Count {
  const line =
    summary.split("\n").findLast((text) => /^(ok|FAILED) \| /.test(text)) ?? "";
  const number = (word: string): number =>
    Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  const failed = number("failed");
  return {
    passed: number("passed"),
    failed: success ? failed : Math.max(failed, 1),
    skipped: number("ignored"),
  };
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await main());
