/**
 * What a daemon says that can't run: the Secret, the RAM policy, the instance's
 * type, the clock. The node says the same, for `kubectl describe`.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type InCluster, openInCluster } from "./daemon/in_cluster.ts";
import { SEED_POLICY } from "./emulators/alibaba/seed_policy.ts";
import { daemonEnvironment } from "./stage/daemon.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** Runs a daemon to its end; what it says is what the node says. */
async function refusalOf(
  cluster: InCluster,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stage, caller: { node } } = cluster;
  const { cloud } = stage.region;
  const before = cluster.events("TerwayFailed").length;
  const { code, stderr } = await new Deno.Command("nsenter", {
    args: [
      `--net=${node.netns}`,
      ...[Deno.execPath(), "run", "-A", "--quiet", MAIN, "daemon"],
      ...["--socket", node.socket, "--state-dir", node.stateDir],
      ...["--node", "n1", "--kubeconfig", `${stage.dir}/kubeconfig`],
    ],
    env: { ...daemonEnvironment(stage.description.cloud), ...env },
  }).output();
  cloud.faults.clear();
  const said = new TextDecoder().decode(stderr);
  assertEquals(code, 1, said);
  const told = cluster.events("TerwayFailed").slice(before);
  assertEquals(told.length, 1, said);
  const [message = ""] = told;
  assertStringIncludes(message, "terway can't run on this node: ");
  const why = message.slice(message.indexOf(": ") + 2);
  // The log has quotes escaped.
  assertStringIncludes(said, JSON.stringify(why.slice(0, 60)).slice(1, -1));
  return why;
}

Deno.test("a daemon that can't run says why and what to do, and its node does", async (t) => {
  await using cluster = await openInCluster();
  const { stage } = cluster;
  const { cloud } = stage.region;
  const { accessKeyId: id } = stage.description.cloud;
  await stage.killDaemon("n1");
  const check = (
    name: string,
    env: Readonly<Record<string, string>>,
    parts: readonly string[],
  ) =>
    t.step(name, async () => {
      const why = await refusalOf(cluster, env);
      for (const part of parts) assertStringIncludes(why, part);
    });

  const none = { AK_ID: "", AK_SECRET: "" };
  await check("no Secret and no RAM role", none, [
    "credentials must come from one of",
    "AK_ID and AK_SECRET",
    "the instance's RAM role",
  ]);
  await check("half a Secret", { AK_SECRET: "" }, [
    "both halves must be set: AK_SECRET is missing",
  ]);
  await check("a key that there isn't", { AK_ID: "LTAInobody" }, [
    "[InvalidAccessKeyId.NotFound]",
    "the key of AK_ID and AK_SECRET",
    "the Secret aliyun-eni-ak",
  ]);
  await check("a wrong secret", { AK_ID: id, AK_SECRET: "wrong" }, [
    "[SignatureDoesNotMatch]",
    "the Secret aliyun-eni-ak",
  ]);
  const lacking = "ecs:DescribeInstanceTypes";
  const poor = cloud.keys.add({
    allow: SEED_POLICY.filter((action) => action !== lacking),
  });
  await check("a RAM policy that lacks an action", {
    AK_ID: poor.id,
    AK_SECRET: poor.secret,
  }, [`add ${lacking} to the RAM policy`]);
  cloud.faults.add({ kind: "refuse", code: "InvalidTimeStamp.Expired" }, {
    times: 10,
  });
  await check("a clock that is off", {}, [
    "[InvalidTimeStamp.Expired]",
    "this machine's clock is off",
    "NTP",
  ]);
  const { instanceType } = stage.description.nodes[0] ?? {};
  cloud.model.types.delete(instanceType ?? "");
  await check("a type that the cloud doesn't know", {}, [
    `there is no instance type ${instanceType}`,
  ]);
});
