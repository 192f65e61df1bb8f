/**
 * Preflight on real namespaces: each setting is set wrong, found, mended by
 * the very command that is told, or by `fix_host`, and put back.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Kernel, openKernel } from "../../netns/kernel.ts";
import { Lab, testWhere } from "../../netns/lab.ts";
import { type Capability, probe } from "../../netns/probe.ts";
import type { Log, LogFields } from "../log.ts";
import { NETWORK_FILE, RULES_FILE } from "./preflight_managers.ts";
import { runProgram } from "./preflight_program.ts";
import { type RecordPlace, writeRecord } from "./preflight_record.ts";
import { HostWatch, type WatchParts } from "./preflight_watch.ts";

const CARD_MAC = "00:16:3e:00:00:0a";

/** What preflight looks at, and what it changes besides. */
const LOOKED_AT = "^net\\.ipv[46]\\.(ip_forward|conf\\..*" +
  "\\.(forwarding|rp_filter|accept_redirects|disable_ipv6))$";

const DROP_TABLE =
  "{ chain FORWARD { type filter hook forward priority 0; policy drop; }; }";

const FWD_TABLE = `{"family":"inet","name":"fwd"}`;

function fwdChain(policy: string): string {
  return `{"family":"inet","table":"fwd","name":"fwd","type":"filter",` +
    `"hook":"forward","prio":0,"policy":"${policy}"}`;
}

/** A node with its own card and an ENI, a kernel, and a folder for state. */
class Host implements AsyncDisposable {
  readonly lab: Lab;
  readonly kernel: Kernel;
  readonly folder: string;
  readonly lines: (LogFields & { level: string; msg: string })[] = [];
  readonly #parts: AsyncDisposableStack;

  private constructor(
    { lab, kernel, folder, parts }: {
      lab: Lab;
      kernel: Kernel;
      folder: string;
      parts: AsyncDisposableStack;
    },
  ) {
    this.lab = lab;
    this.kernel = kernel;
    this.folder = folder;
    this.#parts = parts;
  }

  static async open(): Promise<Host> {
    await using stack = new AsyncDisposableStack();
    const lab = stack.use(new Lab());
    lab.attach("eth0", CARD_MAC);
    const folder = await Deno.makeTempDir();
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const kernel = stack.use(await openKernel({ netns: lab.node.path }));
    const host = new Host({ lab, kernel, folder, parts: stack.move() });
    // A new namespace takes the settings of the machine that runs it.
    host.sh(
      "sysctl -qw net.ipv4.conf.all.accept_redirects=1 " +
        "net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 " +
        "net.ipv4.conf.eth0.rp_filter=0 net.ipv6.conf.all.disable_ipv6=0",
    );
    return host;
  }

  /** Runs a line of shell on the node. */
  sh(line: string): string {
    return this.lab.node.run("sh", "-c", line);
  }

  get record(): RecordPlace {
    return { path: `${this.folder}/host.json`, boot: "b1" };
  }

  /** A watch, as a new process of the daemon makes one. */
  watch(more: Partial<WatchParts> = {}): HostWatch {
    const tell = (level: string) => (msg: string, fields: LogFields = {}) =>
      void this.lines.push({ ...fields, level, msg });
    const log: Log = {
      debug: tell("debug"),
      info: tell("info"),
      warning: tell("warning"),
      error: tell("error"),
    };
    return new HostWatch({
      kernel: this.kernel,
      run: async (program, args) => {
        const enter = [`--net=${this.lab.node.path}`, program, ...args];
        const ended = await runProgram("nsenter", enter);
        // What nsenter says of a program that isn't there.
        return ended?.stderr.includes("No such file") ? undefined : ended;
      },
      families: [4, 6],
      primaryMac: CARD_MAC,
      eniMacs: () => ["00:16:3e:00:00:02", "00:16:3e:00:00:01"],
      root: this.folder,
      fix: false,
      record: this.record,
      log,
      ...more,
    });
  }

  /** All that preflight looks at, as other programs show it. */
  seen(): readonly string[] {
    return [
      this.sh(`sysctl -a --pattern '${LOOKED_AT}'`),
      this.sh("nft list ruleset"),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

function commandsIn(watch: HostWatch): (string | undefined)[] | undefined {
  return watch.status()?.findings.map(({ command }) => command);
}

function can(...command: readonly [string, ...string[]]): Capability {
  try {
    using lab = new Lab();
    lab.node.run(...command);
    return { can: true };
  } catch (error) {
    return { can: false, reason: String(error) };
  }
}

const { nft } = probe();
const iptables = can("sh", "-c", "iptables --version | grep nf_tables");
const legacy = can("iptables-legacy", "-S", "FORWARD");

/** What makes a host wrong, and the command that mends it. */
const WRONGS: readonly (readonly [
  wrong: string,
  command: string,
  ...needs: readonly Capability[],
])[] = [
  ["sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"],
  [
    "sysctl -w net.ipv4.conf.eth0.forwarding=0",
    "sysctl -w net.ipv4.conf.eth0.forwarding=1",
  ],
  [
    "sysctl -w net.ipv4.conf.all.rp_filter=1",
    "sysctl -w net.ipv4.conf.all.rp_filter=0",
  ],
  [
    "sysctl -w net.ipv4.conf.eth0.rp_filter=1",
    "sysctl -w net.ipv4.conf.eth0.rp_filter=0",
  ],
  [
    "sysctl -w net.ipv6.conf.all.disable_ipv6=1",
    "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
  ],
  [
    `nft 'table inet host_fw ${DROP_TABLE}'`,
    "nft 'chain inet host_fw FORWARD { policy accept; }'",
    nft,
  ],
  [
    // Words of nft's own language can't be named in it.
    `nft -j '{"nftables":[{"add":{"table":${FWD_TABLE}}},` +
    `{"add":{"chain":${fwdChain("drop")}}}]}'`,
    `nft -j '{"nftables":[{"add":{"chain":${fwdChain("accept")}}}]}'`,
    nft,
  ],
  ["iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT", nft, iptables],
  [
    "iptables-legacy -P FORWARD DROP",
    "iptables-legacy -P FORWARD ACCEPT",
    legacy,
  ],
];

for (const [wrong, command, ...needs] of WRONGS) {
  testWhere({
    needs,
    name: `HostWatch finds \`${wrong}\`, and its command mends it`,
    fn: async () => {
      await using host = await Host.open();
      const watch = host.watch();
      await watch.look();
      assertEquals(commandsIn(watch), []);
      host.sh(wrong);
      await watch.look();
      await watch.look();
      assertEquals(commandsIn(watch), [command]);
      host.sh(command);
      await watch.look();
      assertEquals(commandsIn(watch), []);
      // Each change is told once.
      assertEquals(
        host.lines.map(({ level, msg, command }) => [level, msg, command]),
        [
          ["warning", "the host isn't as pods need it", command],
          ["info", "the host is as pods need it again", undefined],
        ],
      );
    },
  });
}

testWhere({
  needs: [nft],
  name: "HostWatch with fix_host mends all, and a later process undoes it",
  fn: async () => {
    await using host = await Host.open();
    const wrongs = WRONGS.filter(([, , ...needs]) =>
      needs.every((one) => one.can)
    );
    for (const [wrong] of wrongs) host.sh(wrong);
    // The card is off with the node; an ENI's forwarding is its plan's.
    host.sh("sysctl -w net.ipv4.conf.eth1.forwarding=1");
    const before = host.seen();

    const first = host.watch({ fix: true });
    await first.look();
    assertEquals(first.status()?.findings, []);
    const changed = first.status()?.changes.map(({ object }) => object);
    assertEquals(changed?.length, wrongs.length - 1, String(changed));

    const plain = host.watch();
    await plain.look();
    assertEquals(plain.status(), first.status());
    host.sh("ip link add later type veth peer name peer");
    host.sh("ip link del later");

    await host.watch().undo();
    assertEquals(host.seen(), before);
    assertEquals(await Array.fromAsync(Deno.readDir(host.folder)), []);
    await host.watch().undo();
    assertEquals(host.seen(), before);
  },
});

Deno.test("HostWatch mends nothing after it was undone", async () => {
  await using host = await Host.open();
  host.sh("sysctl -w net.ipv4.conf.all.rp_filter=1");
  const watch = host.watch({ fix: true });
  await watch.look();
  await watch.undo();
  await watch.look();
  assertEquals(commandsIn(watch), ["sysctl -w net.ipv4.conf.all.rp_filter=0"]);
});

Deno.test("HostWatch keeps what was first, and leaves what somebody else changed", async () => {
  await using host = await Host.open();
  host.sh("sysctl -w net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=1");
  const watch = host.watch({ fix: true });
  await watch.look();
  host.sh("sysctl -w net.ipv4.conf.all.rp_filter=1");
  await watch.look();
  const was = watch.status()?.changes.map(({ object, was }) => [object, was]);
  assertEquals(was, [
    ["net.ipv4.ip_forward", "0"],
    ["net.ipv4.conf.all.rp_filter", "1"],
  ]);
  host.sh("sysctl -w net.ipv4.conf.all.rp_filter=2");
  await watch.undo();
  assertEquals(
    host.sh("sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.rp_filter"),
    "0\n2\n",
  );
});

Deno.test("HostWatch changes nothing that it can't write down before, and says why", async () => {
  await using host = await Host.open();
  host.sh("sysctl -w net.ipv4.conf.all.rp_filter=1");
  const before = host.seen();
  const record = { path: `${host.folder}/none/host.json`, boot: "b1" };
  const watch = host.watch({ fix: true, record });
  await watch.look();
  assertEquals(host.seen(), before);
  const [finding] = watch.status()?.findings ?? [];
  assertStringIncludes(finding?.failure ?? "", "No such file or directory");
  assertEquals(watch.status()?.changes, []);
  await watch.look();
  assertEquals(host.lines.length, 1);
});

Deno.test("HostWatch goes on from a change that was only written down", async () => {
  await using host = await Host.open();
  host.sh("sysctl -w net.ipv4.conf.all.rp_filter=1");
  const before = host.seen();
  const key = "net/ipv4/conf/all/rp_filter";
  const mend = { kind: "setting", key, was: "1", value: "0" } as const;
  await writeRecord(host.record, [
    { mend, sides: {}, atMs: 1 },
  ]);
  const next = host.watch({ fix: true });
  await next.look();
  assertEquals(next.status()?.findings, []);
  assertEquals(next.status()?.changes.map(({ atMs }) => atMs), [1]);
  await next.undo();
  assertEquals(host.seen(), before);

  // And one that was written down only, and is undone before it is done.
  await writeRecord(host.record, [
    { mend, sides: {}, atMs: 1 },
  ]);
  await host.watch().undo();
  assertEquals(host.seen(), before);
});

Deno.test("HostWatch keeps other programs off the ENIs by files, and takes back its own alone", async () => {
  await using host = await Host.open();
  const [rules, network] = [RULES_FILE, NETWORK_FILE]
    .map((path) => host.folder + path);
  const read = (path = ""): Promise<string> => Deno.readTextFile(path);
  const macs = ["00:16:3e:00:00:01"];
  const watch = (more: Partial<WatchParts> = {}): HostWatch =>
    host.watch({ ...more, eniMacs: () => macs });
  for (const name of ["NetworkManager/devices", "systemd/netif/state"]) {
    await Deno.mkdir(`${host.folder}/run/${name}`, { recursive: true });
  }
  // The command that is told makes the file.
  const plain = watch();
  await plain.look();
  const told = (): readonly (string | undefined)[] =>
    (commandsIn(plain) ?? []).filter((one) => one?.includes("/run/"));
  const commands = told();
  assertEquals(commands.length, 2);
  for (const command of commands) {
    host.sh((command ?? "").replaceAll("/run/", `${host.folder}/run/`));
  }
  const byHand = [await read(rules), await read(network)];
  await plain.look();
  assertEquals(told(), []);

  for (const path of [rules, network]) await Deno.remove(path ?? "");
  const fixing = watch({ fix: true });
  await fixing.look();
  assertEquals([await read(rules), await read(network)], byHand);
  // Another ENI comes.
  macs.push("00:16:3e:00:00:02");
  await fixing.look();
  assertStringIncludes(await read(rules), "00:16:3e:00:00:02");
  assertEquals(
    fixing.status()?.changes.map(({ object, was }) => [object, was]),
    [[RULES_FILE, "absent"], [NETWORK_FILE, "absent"]],
  );
  // Somebody else has written one of them since.
  await Deno.writeTextFile(network ?? "", "[Match]\n");
  await watch().undo();
  assertEquals(await read(network), "[Match]\n");
  const folder = (rules ?? "").replace(/[^/]*$/, "");
  assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
});
