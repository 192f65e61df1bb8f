import { assert, assertEquals } from "@std/assert";
import { mix } from "../pool/testing/chance.ts";
import { live } from "../pool/testing/live.ts";
import { scriptBy } from "../pool/testing/ops.ts";
import { commitSeed } from "./simulate/commit.ts";
import { failureLines } from "./simulate/report.ts";

const SEED_COUNT = 200;
const STEP_COUNT = 100;

Deno.test("200 lives of this commit keep every promise", async () => {
  const { name, seed: first } = await commitSeed();
  for (let i = 0; i < SEED_COUNT; i++) {
    const script = scriptBy(mix(first, i), STEP_COUNT);
    const life = await live(script, { isQuiet: true });
    if (life.violation === undefined) continue;
    const options = { stepCount: STEP_COUNT, lineCount: 60 };
    const lines = await failureLines(script, life, options);
    throw new Error(`life ${i} of ${name}:\n${lines.join("\n")}`, {
      cause: life.violation,
    });
  }
});

async function simulate(line: string): Promise<{ code: number; out: string }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "tests/simulate/main.ts", ...line.split(" ")],
    cwd: new URL("..", import.meta.url),
  }).output();
  return { code, out: new TextDecoder().decode(stdout) };
}

Deno.test("deno task simulate tells the same seed with the same words", async () => {
  const [one, two] = [
    await simulate("--seed 7 --steps 60"),
    await simulate("--seed 7 --steps 60"),
  ];
  assertEquals(one, two);
  assertEquals(one.code, 0);
  const last = one.out.trimEnd().split("\n").at(-1) ?? "";
  assert(/; nothing broken; trace [0-9a-f]{64}$/.test(last), last);
});

Deno.test("deno task simulate runs many seeds and says what came of them", async () => {
  const { code, out } = await simulate("--seeds 1..3 --steps 20");
  assertEquals(code, 0);
  assert(/^3 seeds: 60 steps, .*; nothing broken; /.test(out), out);
  assertEquals((await simulate("--seeds 3..1")).code, 2);
});
