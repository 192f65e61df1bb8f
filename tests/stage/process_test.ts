import { assert, assertEquals } from "@std/assert";
import { endProcess, identify, isRunning, launch } from "./process.ts";

Deno.test("launch() runs a command on its own and keeps its output", async () => {
  const log = await Deno.makeTempFile();
  const { id, ended } = launch({
    command: ["sh", "-c", "echo $WORD; echo oops >&2"],
    env: { WORD: "hello" },
    log,
  });
  assertEquals((await ended).code, 0);
  assert(!isRunning(id));
  assertEquals(await Deno.readTextFile(log), "hello\noops\n");
  await Deno.remove(log);
});

Deno.test("endProcess() kills what doesn't listen", async () => {
  const log = await Deno.makeTempFile();
  const { id, ended } = launch({
    command: ["sh", "-c", "trap '' TERM; echo; while :; do sleep 0.05; done"],
    log,
  });
  while ((await Deno.stat(log)).size === 0) await delay(5);
  await endProcess(id, 100);
  await ended;
  assert(!isRunning(id));
  await endProcess(id, 100);
  await Deno.remove(log);
});

Deno.test("isRunning() isn't fooled by a reused process id", () => {
  const self = identify(Deno.pid);
  assert(self !== undefined && isRunning(self));
  assert(!isRunning({ ...self, startTicks: self.startTicks - 1 }));
});

Deno.test("identify() finds nobody behind an id that isn't used", () => {
  assertEquals(identify(2 ** 22 + 1), undefined);
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
