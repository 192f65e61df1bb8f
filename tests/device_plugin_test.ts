/**
 * `terway device-plugin` as a process: a real daemon beside it, and a kubelet's
 * device manager that counts what it advertises.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Caller, Sandbox } from "./daemon/harness.ts";
import { Kubelet } from "./emulators/kubelet/kubelet.ts";
import { openStage, type Stage } from "./stage/stage.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

const NODE = "cn-a.i-1";

/** 4 ENIs, and 16 members of a trunk. */
const TRUNK_TYPE = "ecs.g7.xlarge";

/** `terway device-plugin` beside a stage's first daemon. */
class Plugin implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "terway-" });
  readonly kubelet: Kubelet = new Kubelet(this.folder);
  readonly #start: () => Deno.ChildProcess;
  #child: Deno.ChildProcess;
  #log: Promise<string>;

  constructor(stage: Stage, ...flags: string[]) {
    const { socket } = new Caller(stage).node;
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", MAIN, "device-plugin"],
        ...["--socket", socket, "--kubelet-dir", this.folder],
        ...["--node-name", NODE, ...flags],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    this.#start = () => command.spawn();
    this.#child = this.#start();
    this.#log = new Response(this.#child.stderr).text();
  }

  /** Ends it, and starts another. */
  async restart(): Promise<void> {
    await this.stop();
    this.#child = this.#start();
    this.#log = new Response(this.#child.stderr).text();
  }

  /** `healthy of all` devices of a resource. */
  count(resource: string): string {
    const found = this.kubelet.resource(resource);
    return found === undefined
      ? "none"
      : `${found.allocatable.length} of ${found.capacity}`;
  }

  async until(resource: string, expected: string): Promise<void> {
    const endMs = performance.now() + 30_000;
    while (this.count(resource) !== expected) {
      if (performance.now() > endMs) {
        throw new Error(`${this.count(resource)}, not ${expected}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(): Promise<{ code: number; said: string[] }> {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    const lines = (await this.#log).trim().split("\n");
    return { code, said: lines.map((line) => JSON.parse(line).msg) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.kubelet[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("terway device-plugin advertises a node's ENIs, through pods, foreign ENIs, and restarts of daemon and kubelet", async () => {
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { max_pool_size: 1 },
    daemonFlags: ["--daemon-mode", "ENIOnly"],
  });
  const caller = new Caller(stage);
  await using plugin = new Plugin(stage);
  const { kubelet } = plugin;
  await kubelet.start();
  await plugin.until("aliyun/eni", "3 of 3"); // a type of 4
  assertEquals(kubelet.resource("aliyun/eni")?.allocatable, [
    `${NODE}-0`,
    `${NODE}-1`,
    `${NODE}-2`,
  ]);

  using web = new Sandbox(stage, "web");
  await kubelet.allocate("web", "aliyun/eni", 1);
  await caller.ok("ADD", web.env);
  await caller.ok("DEL", web.env);
  await caller.ok("ADD", web.env);
  assertEquals(plugin.count("aliyun/eni"), "3 of 3", "pods come and go");

  const { cloud } = stage.region;
  const [vSwitch] = stage.description.cloud.vSwitches;
  const { instanceId } = caller.node;
  const foreign = await cloud.stranger.createEni({
    vSwitchId: vSwitch?.id ?? "",
    securityGroupIds: [stage.description.cloud.securityGroupId],
    instanceId,
  });
  await stage.killDaemon("n1");
  await stage.restartDaemon("n1"); // it looks at once when it starts
  await plugin.until("aliyun/eni", "2 of 3");
  await stage.killDaemon("n1");
  await kubelet.kill();
  await kubelet.start();
  await plugin.until("aliyun/eni", "2 of 3"); // without a daemon
  await plugin.restart();
  await plugin.until("aliyun/eni", "2 of 2"); // as the last process said
  await stage.restartDaemon("n1");

  await caller.ok("DEL", web.env);
  await cloud.stranger.detachEni(foreign.id);
  await cloud.stranger.deleteEni(foreign.id);
  await stage.drain();
  await plugin.until("aliyun/eni", "0 of 2");
  const { code, said } = await plugin.stop();
  assertEquals(code, 0);
  const away = "the daemon gives no figures: its last figures stay in force";
  assert(said.includes(away), said.join("\n"));
  const left = await Array.fromAsync(
    Deno.readDir(plugin.folder),
    ({ name }) => name,
  );
  assertEquals(left, ["kubelet.sock"]);
});

Deno.test("terway device-plugin counts attached ENIs without hot plugging, and none where pods share them", async () => {
  let flags = ["--daemon-mode", "VPC", "--pod-cidr", "172.30.1.0/24"];
  await using stage = await openStage({
    nodeCount: 1,
    zoneCount: 1,
    config: { min_pool_size: 1 },
    daemonFlags: () => flags,
  });
  await using plugin = new Plugin(stage, "--resource", "alicloud/eni");
  await plugin.kubelet.start();
  await plugin.until("alicloud/eni", "3 of 3");
  const path = `${stage.dir}/n1/eni.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  config.hot_plug = false;
  await Deno.writeTextFile(path, JSON.stringify(config));
  await plugin.until("alicloud/eni", "1 of 3"); // the one in stock
  assertEquals(plugin.count("aliyun/eni"), "none");

  await stage.killDaemon("n1");
  flags = ["--daemon-mode", "ENIMultiIP"];
  await stage.restartDaemon("n1");
  await plugin.until("alicloud/eni", "0 of 3");
});

Deno.test("terway device-plugin advertises what a trunk takes, and nothing where it is switched off", async () => {
  const config: Record<string, unknown> = { "enable_eni_trunking": true };
  await using stage = await openStage({
    ...{ nodeCount: 1, zoneCount: 1, config, instanceType: TRUNK_TYPE },
  });
  await using plugin = new Plugin(stage);
  await plugin.kubelet.start();
  await plugin.until("aliyun/member-eni", "16 of 16");
  assertEquals(plugin.count("aliyun/eni"), "0 of 0");
  const { kubelet } = plugin;
  const [first] = kubelet.resource("aliyun/member-eni")?.allocatable ?? [];
  assertEquals(first, `${NODE}-0`);
  const names = (await Array.fromAsync(Deno.readDir(plugin.folder)))
    .map(({ name }) => name).sort();
  assertEquals(names, [
    "kubelet.sock",
    "terway-aliyun-eni.sock",
    "terway-aliyun-member-eni.sock",
  ]);

  config["disable_device_plugin"] = true; // a daemon is started with it
  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  await plugin.until("aliyun/member-eni", "0 of 16"); // known, so not forgotten
  await using late = new Plugin(stage, "--resource", "alicloud/eni");
  await late.kubelet.start();
  await plugin.kubelet.kill();
  await plugin.kubelet.start();
  await plugin.until("aliyun/member-eni", "0 of 16");
  assertEquals(late.count("alicloud/eni"), "none");
});

Deno.test("terway device-plugin says what to do without a kubelet's folder, and where flags are wrong", async () => {
  const run = async (...args: string[]) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", MAIN, "device-plugin", ...args],
    }).output();
    return { code, text: new TextDecoder().decode(stderr) };
  };
  const missing = await run("--kubelet-dir", "/nonexistent/device-plugins");
  assertEquals(missing.code, 1);
  for (
    const part of [
      "no folder /nonexistent/device-plugins",
      "mount it at the same path",
      "--kubelet-dir",
    ]
  ) assertStringIncludes(missing.text, part);
  const wrong = await run("--resource", "nvidia.com/gpu", "--speed", "9");
  assertEquals(wrong.code, 2);
  for (
    const part of [
      "--speed is not known",
      "--resource must be aliyun/eni or alicloud/eni",
    ]
  ) assertStringIncludes(wrong.text, part);
});
