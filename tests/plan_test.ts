/**
 * `terway plan max-pods` as a process, with a daemon to ask and without.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Caller } from "./daemon/harness.ts";
import { daemonEnvironment } from "./stage/daemon.ts";
import { openStage, type Stage } from "./stage/stage.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

async function plan(
  stage: Stage,
  ...args: string[]
): Promise<{ code: number; text: string; problem: string }> {
  const { node } = new Caller(stage);
  const { code, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [
      ...[`--net=${node.netns}`, Deno.execPath(), "run", "-A", "--quiet", MAIN],
      ...["plan", ...args, "--socket", node.socket],
    ],
    env: daemonEnvironment(stage.description.cloud),
  }).output();
  const [text, problem] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes)
  );
  return { code, text: text ?? "", problem: problem ?? "" };
}

Deno.test("terway plan max-pods tells by the daemon what each mode can serve, and by the cloud without one", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { max_eni: 2 },
    daemonFlags: ["--daemon-mode", "VPC", "--pod-cidr", "172.30.1.0/24"],
  });
  const byDaemon = await plan(stage, "max-pods", "--json", "--host-pods", "3");
  assertEquals(byDaemon.code, 0, byDaemon.problem);
  const { source, daemonMode, typeEniCount, modes } = JSON.parse(byDaemon.text);
  assertEquals([source, daemonMode, typeEniCount], ["daemon", "VPC", 4]);
  const counts = modes.map((
    { mode, podCount, maxPods }: Record<string, unknown>,
  ) => [mode, podCount, maxPods]);
  assertEquals(counts, [
    ["ENIMultiIP", 30, 33],
    ["ENIOnly", 2, 5],
    ["VPC", 253, 256],
  ]);

  await stage.killDaemon("n1");
  const byCloud = await plan(stage, "max-pods");
  assertEquals(byCloud.code, 0, byCloud.problem);
  for (
    const part of [
      "the type alone, without eni_conf and others' ENIs",
      "ENIMultiIP  45 pods: --max-pods=45 (3 ENIs for 15 pods each)",
      "ENIOnly     3 pods: --max-pods=3",
      "VPC         the node's pod CIDR isn't known: name it by --pod-cidr",
    ]
  ) assertStringIncludes(byCloud.text, part);
  const more = await plan(stage, "max-pods", "--ip-prefix");
  assertEquals(more.code, 0, more.problem);
  assertStringIncludes(more.text, "ENIMultiIP  675 pods: --max-pods=675");
  await stage.restartDaemon("n1");

  const wrong = await plan(stage, "pods", "--host-pods=-1", "--pod-cidr=10/8");
  assertEquals(wrong.code, 2);
  for (
    const part of ["max-pods must be", "--host-pods must", "--pod-cidr must"]
  ) {
    assertStringIncludes(wrong.problem, part);
  }
});
