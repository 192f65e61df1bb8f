import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { startStage } from "./background.ts";
import { StageError, stageName } from "./description.ts";
import { readProcesses, tearDown } from "./ledger.ts";
import { addPod, listPods, type PodHost, removePod } from "./pods.ts";
import { isRunning } from "./process.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const MAIN = new URL("./main.ts", import.meta.url).pathname;

const { signal } = new AbortController();

Deno.test(
  "two stages live side by side, and down leaves nothing",
  lab,
  async () => {
    await using one = await Folder.make();
    await using two = await Folder.make();
    const size = { nodeCount: 1, zoneCount: 1 };
    const hosts: PodHost[] = await Promise.all(
      [one, two].map(async ({ dir }) => ({
        dir,
        description: await startStage({ dir, ...size }, signal),
      })),
    );
    await Promise.all(
      hosts.map((host) => addPod(host, { name: "web", node: "n1" })),
    );
    for (const host of hosts) {
      assertEquals((await listPods(host)).map(({ name }) => name), ["web"]);
    }
    const [first, second] = hosts;
    const processes = await readProcesses(one.dir);
    assertEquals(processes.map(({ role }) => role), ["server", "daemon n1"]);
    await tearDown(one.dir);
    assertEquals(processes.filter(isRunning), []);
    await one.assertGone();
    // The other one goes on as if nothing had been.
    assert(first !== undefined && second !== undefined);
    await addPod(second, { name: "db", node: "n1" });
    await removePod(second, "web");
    await tearDown(two.dir);
    await two.assertGone();
  },
);

Deno.test("down ends what a killed server left", lab, async () => {
  await using folder = await Folder.make();
  const { dir } = folder;
  await startStage({ dir, nodeCount: 1, zoneCount: 1 }, signal);
  const processes = await readProcesses(dir);
  Deno.kill(processes[0]?.pid ?? 0, "SIGKILL");
  await assertRejects(
    () => startStage({ dir, nodeCount: 1, zoneCount: 1 }, signal),
    StageError,
    "there is one",
  );
  await tearDown(dir);
  assertEquals(processes.filter(isRunning), []);
  await folder.assertGone();
});

Deno.test(
  "a stage that can't start says why and leaves nothing",
  lab,
  async () => {
    await using folder = await Folder.make();
    const { dir } = folder;
    const config = `${dir}.json`;
    await Deno.writeTextFile(config, '{ "max_pool_size": "many" }');
    const wish = { dir, nodeCount: 1, zoneCount: 1, config };
    try {
      const start = () => startStage(wish, signal);
      await assertRejects(start, StageError, "max_pool_size");
      await folder.assertGone();
      await Deno.writeTextFile(config, "[");
      await assertRejects(start, StageError, `Cannot use --config ${config}`);
    } finally {
      await Deno.remove(config);
    }
  },
);

Deno.test("a folder that holds other things is left alone", lab, async () => {
  await using folder = await Folder.make();
  const { dir } = folder;
  const precious = join(dir, "precious");
  await Deno.writeTextFile(precious, "");
  const start = () => startStage({ dir, nodeCount: 1, zoneCount: 1 }, signal);
  await assertRejects(start, StageError, "isn't empty");
  await assertRejects(() => tearDown(dir), StageError, "Cannot find a stage");
  await Deno.stat(precious);
  const long = join(dir, "x".repeat(100));
  await assertRejects(
    () => startStage({ dir: long, nodeCount: 1, zoneCount: 1 }, signal),
    StageError,
    "under 108 bytes",
  );
});

Deno.test("deno task stage says in a line what is wrong", lab, async () => {
  await using folder = await Folder.make();
  const { dir } = folder;
  assertEquals(await run(["pod", "ls"], dir), [
    2,
    `Cannot find a stage in ${dir}: begin one with ` +
    `\`deno task stage up --dir ${dir}\`\n`,
  ]);
  assertEquals((await run(["up", "--nodes", "1", "--zones", "1"], dir))[0], 0);
  const add = ["pod", "add", "web"];
  assertEquals(
    (await run([...add, "--node", "n7"], dir))[1],
    'Cannot find node "n7": there are n1\n',
  );
  assertEquals(await run(add, dir), [0, ""]);
  assertEquals(await run(add, dir), [
    2,
    'Cannot add pod "web": the name is taken\n',
  ]);
  assertEquals(
    (await run(["pod", "del", "db"], dir))[1],
    'Cannot find pod "db" on this stage\n',
  );
  assertEquals(await run(["status"], dir), [0, ""]);
  const shell = ["--", "sh", "-c", "ping -qc1 10.1.0.1 >&2 && exit 7"];
  assertEquals((await run(["pod", "exec", "web"], dir, shell))[0], 7);
  assertEquals((await run(["node", "exec", "n1"], dir, ["--", "true"]))[0], 0);
  assertEquals(await run(["pod", "check", "web"], dir), [0, ""]);
  assertEquals(await run(["down"], dir), [0, ""]);
  await folder.assertGone();
});

/** A stage's folder, which mustn't be there any more at the end. */
class Folder implements AsyncDisposable {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<Folder> {
    return new Folder(await Deno.makeTempDir({ prefix: "terway-" }));
  }

  async assertGone(): Promise<void> {
    await assertRejects(() => Deno.stat(this.dir), Deno.errors.NotFound);
    const prefix = `${stageName(this.dir)}-`;
    const names = (await Array.fromAsync(Deno.readDir("/run/netns")))
      .map(({ name }) => name);
    assertEquals(names.filter((name) => name.startsWith(prefix)), []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await tearDown(this.dir).catch(() => {});
    await Deno.remove(this.dir, { recursive: true }).catch(() => {});
  }
}

/** Runs a command. Gives its exit status and what it said of a mistake. */
async function run(
  words: readonly string[],
  dir: string,
  more: readonly string[] = [],
): Promise<[number, string]> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, ...words, "--dir", dir, ...more],
    stdout: "null",
    stderr: "piped",
  }).output();
  return [code, new TextDecoder().decode(stderr)];
}
