/**
 * The host's settings and a whole daemon: what stands in the way of pods is
 * told with its command, mended by `fix_host`, and put back by a drain. And by
 * real packets: what preflight says is lost is lost.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HostWatch, type WatchParts } from "../modes/daemon/preflight_watch.ts";
import type { HostStatus } from "../modes/daemon/preflight_watch.ts";
import { statusProblems } from "../modes/status_schema.ts";
import { openKernel } from "../netns/kernel.ts";
import { Lab, testWhere } from "../netns/lab.ts";
import { probe } from "../netns/probe.ts";
import { askDaemon, startDaemon } from "./stage/daemon.ts";
import { openStage, type Stage } from "./stage/stage.ts";
import { Caller } from "./daemon/harness.ts";

const { nft } = probe();

const DROP_TABLE =
  "{ chain FORWARD { type filter hook forward priority 0; policy drop; }; }";

/** What makes the stage's node wrong; forwarding is off from its boot. */
const WRONGS = [
  "sysctl -w net.ipv4.conf.all.rp_filter=1",
  `nft 'table inet host_fw ${DROP_TABLE}'`,
];

/** What mends it. */
const COMMANDS = [
  "sysctl -w net.ipv4.ip_forward=1",
  "sysctl -w net.ipv4.conf.all.rp_filter=0",
  "nft 'chain inet host_fw FORWARD { policy accept; }'",
];

const LOOKED_AT =
  "^net\\.ipv4\\.(ip_forward|conf\\..*\\.(forwarding|rp_filter))$";

async function run(
  ...command: readonly [string, ...string[]]
): Promise<string> {
  const [program, ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, { args })
    .output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** The first node of a stage, and its daemon. */
class Node {
  readonly #stage: Stage;
  readonly #caller: Caller;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#caller = new Caller(stage);
  }

  /** Runs a line of shell on it. */
  sh(line: string): Promise<string> {
    const { netns } = this.#caller.node;
    return run("nsenter", `--net=${netns}`, "sh", "-c", line);
  }

  /** What preflight looks at, but of ENIs, which come and go. */
  async seen(): Promise<string> {
    const settings = await this.sh(`sysctl -a --pattern '${LOOKED_AT}'`);
    return settings.replaceAll(/^net\.ipv4\.conf\.eth[1-9].*\n/gm, "") +
      await this.sh("nft list ruleset");
  }

  /** What the daemon tells of its host, once it has looked. */
  async told(): Promise<HostStatus> {
    const { socket } = this.#caller.node;
    let host: unknown;
    await this.#caller.until(async () => {
      const signal = AbortSignal.timeout(5_000);
      const status = await askDaemon(socket, "status", signal);
      assertEquals(statusProblems(status), []);
      host = status["host"];
      return host !== undefined;
    });
    return host as HostStatus;
  }

  async restarted(): Promise<HostStatus> {
    await this.#stage.killDaemon("n1");
    await this.#stage.restartDaemon("n1");
    return await this.told();
  }
}

testWhere({
  needs: [nft],
  name:
    "terway daemon tells what stands in the way of pods, and its command mends it",
  fn: async () => {
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
    const node = new Node(stage);
    const { socket } = new Caller(stage).node;
    for (const wrong of WRONGS) await node.sh(wrong);
    const { findings, changes } = await node.restarted();
    assertEquals(findings.map(({ command }) => command), COMMANDS);
    assertEquals(changes, []);

    const log = await Deno.readTextFile(stage.daemon("n1").log);
    const main = new URL("../main.ts", import.meta.url).pathname;
    const text = await run(
      Deno.execPath(),
      ...["run", "-A", "--quiet", main, "status", "--socket", socket],
    );
    for (const { problem, meaning, command } of findings) {
      assertStringIncludes(log, JSON.stringify(command).slice(1, -1));
      assertStringIncludes(
        text,
        `host       warning: ${problem}. ${meaning} Run: ${command}\n`,
      );
    }

    for (const command of COMMANDS) await node.sh(command);
    assertEquals((await node.restarted()).findings, []);
    await stage.drain();
  },
});

testWhere({
  needs: [nft],
  name:
    "terway daemon mends the host if it shall, goes on after kill -9, and a drain undoes it",
  fn: async () => {
    const config = { "fix_host": true };
    await using stage = await openStage({ nodeCount: 1, zoneCount: 1, config });
    const node = new Node(stage);
    const { stateDir } = new Caller(stage).node;
    assertEquals((await node.told()).findings, []);
    for (const wrong of WRONGS) await node.sh(wrong);
    const { findings, changes } = await node.restarted();
    assertEquals(findings, []);
    assertEquals(changes.map(({ object, was, now }) => [object, was, now]), [
      ["net.ipv4.ip_forward", "0", "1"],
      ["net.ipv4.conf.all.rp_filter", "1", "0"],
      ["chain inet host_fw FORWARD", "drop", "accept"],
    ]);
    assertEquals((await node.restarted()).changes, changes);

    await stage.killDaemon("n1");
    const [region] = stage.region.nodes;
    assert(region !== undefined);
    const drain = await startDaemon({
      dir: stage.dir,
      node: region,
      cloud: stage.region.description,
      config,
      flags: ["--drain"],
    });
    assertEquals((await drain.ended).code, 0);
    const seen = await node.seen();
    for (
      const part of [
        "ip_forward = 0",
        "conf.eth0.forwarding = 0",
        "conf.all.rp_filter = 1",
        "policy drop",
      ]
    ) assertStringIncludes(seen, part);
    const left = await Array.fromAsync(Deno.readDir(stateDir));
    assert(left.every(({ name }) => !name.startsWith("host")));
  },
});

Deno.test("terway daemon undoes what it changed when it is drained while it runs", async () => {
  const config = { "fix_host": true, "min_pool_size": 1 };
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1, config });
  const node = new Node(stage);
  const { changes } = await node.told();
  assertEquals(changes.map(({ undo }) => undo), [
    "sysctl -w net.ipv4.ip_forward=0",
  ]);
  await stage.drain();
  assertEquals(await node.sh("sysctl -n net.ipv4.ip_forward"), "0\n");
  assertEquals((await node.told()).changes, []);
});

const POD = "10.0.0.20";
const OUTSIDE = "9.9.9.9";

/** A pod on an ENI; packets from outside come by the node's own card. */
function connect(lab: Lab): void {
  lab.attach("eth0", "00:16:3e:00:00:0a");
  for (
    const line of [
      "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0",
      "sysctl -qw net.ipv4.conf.eth0.rp_filter=0",
      "ip link set eth0 up",
      "ip address add 10.0.0.10/24 dev eth0",
    ]
  ) lab.node.run("sh", "-c", line);
  for (
    const line of [
      "sysctl -qw net.ipv4.conf.all.rp_filter=0",
      "sysctl -qw net.ipv4.conf.vpc-eth0.rp_filter=0",
      "sysctl -qw net.ipv4.conf.vpc-eth1.rp_filter=0",
      `ip address add ${OUTSIDE}/32 dev lo`,
      "ip address add 10.0.0.253/32 dev vpc-eth1",
      `ip route add ${POD} via 10.0.0.10 dev vpc-eth0 onlink src ${OUTSIDE}`,
    ]
  ) lab.vpc.run("sh", "-c", line);
}

function pings(lab: Lab): boolean {
  const wait = ["-c", "1", "-W", "1", "-I", OUTSIDE];
  try {
    lab.vpc.run("ping", "-q", ...wait, POD);
    return true;
  } catch {
    return false;
  }
}

testWhere({
  needs: [nft],
  name:
    "each wrong setting loses packets of pods, until it is mended, and again once that is undone",
  fn: async () => {
    using lab = new Lab();
    connect(lab);
    await using kernel = await openKernel({ netns: lab.node.path });
    await kernel.apply(lab.eniPlan());
    await kernel.apply(lab.plan(lab.pod()));
    assert(pings(lab));
    const silent = (): void => {};
    const folder = await Deno.makeTempDir();
    const parts: WatchParts = {
      kernel,
      run: () => Promise.resolve(undefined),
      families: [4],
      primaryMac: "00:16:3e:00:00:0a",
      eniMacs: () => [],
      root: "",
      fix: true,
      record: { path: `${folder}/host.json`, boot: "b1" },
      log: { debug: silent, info: silent, warning: silent, error: silent },
    };
    const wrongs = [
      // The plan of ENI and pod is put back by the repairer.
      "sysctl -w net.ipv4.ip_forward=0 net.ipv4.conf.eth1.forwarding=1 " +
      "net.ipv4.conf.cali73291bf21a5.forwarding=1",
      "sysctl -w net.ipv4.conf.eth0.forwarding=0",
      "sysctl -w net.ipv4.conf.all.rp_filter=1",
      "sysctl -w net.ipv4.conf.eth0.rp_filter=1",
      WRONGS[1] ?? "",
    ];
    for (const wrong of wrongs) {
      lab.node.run("sh", "-c", wrong);
      assert(!pings(lab), wrong);
      const watch = new HostWatch(parts);
      await watch.look();
      assert(pings(lab), `mended: ${wrong}`);
      await watch.undo();
      assert(!pings(lab), `undone: ${wrong}`);
      await new HostWatch(parts).look();
    }
    await Deno.remove(folder, { recursive: true });
  },
});
