/**
 * `terway install` as a process on real folders: what a runtime finds at any
 * moment, after any accident, and after the way back.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  configNames,
  install,
  launcherPath,
  type Node,
  onNode,
  tree,
  whileServing,
  withoutLauncher,
  withoutStrace,
} from "./install/harness.ts";
import type { Tree } from "../modes/install/conflist.ts";
import { Caller } from "./daemon/harness.ts";
import { addPod, checkPod, removePod } from "./stage/pods.ts";
import { openStage } from "./stage/stage.ts";

const noLauncher = await withoutLauncher();
const noStrace = noLauncher ?? await withoutStrace();

/** Tests that can't run here are skipped aloud. */
function test(
  name: string,
  body: () => Promise<void>,
  missing = noLauncher,
): void {
  const why = missing === undefined ? "" : ` (skipped: ${missing})`;
  Deno.test({
    name: `terway install ${name}${why}`,
    ignore: missing !== undefined,
    fn: body,
  });
}

/** What changes files: a run may be killed at each of them. */
const SYSCALLS = ["mkdir", "flock", "chmod", "fsync", "rename", "unlink"];

/** More of one system call no thread makes that changes something. */
const NTH_LIMIT = 12;

async function write(
  node: Node,
  files: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const text = typeof content === "string"
      ? content
      : JSON.stringify(content);
    const mode = path.startsWith("bin/") ? 0o755 : 0o600;
    await Deno.writeTextFile(`${node.folder}/${path}`, text, { mode });
  }
}

async function conflist(node: Node): Promise<Record<string, unknown>> {
  const path = `${node.confDir}/10-terway.conflist`;
  return JSON.parse(await Deno.readTextFile(path));
}

/** A node that an older CNI served, with a chain of the user's. */
const PREDECESSOR = {
  "bin/terway": "#!/bin/sh\nexit 1\n",
  "bin/portmap": "#!/bin/sh\nexit 1\n",
  "net.d/10-eni.conf": { cniVersion: "0.3.0", name: "eni", type: "eni" },
  "net.d/10-terway.conf": { cniVersion: "0.3.1", name: "t", type: "terway" },
  "net.d/10-terway.conflist": {
    cniVersion: "0.4.0",
    name: "terway-chainer",
    plugins: [{ type: "terway" }, { type: "cilium-cni" }],
  },
  "net.d/99-loopback.conf": { cniVersion: "1.0.0", type: "loopback" },
};

test("has a real runtime's pods served once a daemon does", async () => {
  await using stage = await openStage({ nodeCount: 1, zoneCount: 1 });
  await onNode(async (empty) => {
    const [first] = stage.description.nodes;
    assert(first !== undefined);
    await stage.killDaemon("n1");
    const node = { ...empty, socket: first.socket };
    const installing = install(node, [
      ...["--state-dir", first.stateDir, "--wait", "60"],
    ]);
    await stage.restartDaemon("n1");
    const { status, stdout, stderr } = await installing;
    assertEquals([status, stderr], [0, ""], stdout);
    assertStringIncludes(stdout, `waiting for the daemon`);
    const { binDir: cniBinDir, confDir: cniConfDir } = node;
    const nodes = [{ ...first, cniBinDir, cniConfDir }];
    const host = {
      dir: stage.dir,
      description: { ...stage.description, nodes },
    };
    const pod = await addPod(host, { name: "web", node: "n1" });
    assertEquals(pod.result.cniVersion, "1.0.0");
    await checkPod(host, "web");
    await removePod(host, "web");
  });
});

test("runs beside the daemon too, as `terway daemon --install`", async () => {
  await onNode(async (node) => {
    await using stage = await openStage({
      nodeCount: 1,
      zoneCount: 1,
      daemonFlags: [
        ...["--install", "--cni-bin-dir", node.binDir],
        ...["--cni-conf-dir", node.confDir],
        ...["--launcher", await launcherPath()],
      ],
    });
    const caller = new Caller(stage);
    await caller.until(async () => (await configNames(node)).length === 1);
    assertEquals(Object.keys(await tree(node)), [
      "bin/terway",
      "net.d/10-terway.conflist",
    ]);
    const [plugin] = (await conflist(node))["plugins"] as [Tree];
    assertEquals(plugin["daemon_socket"], caller.node.socket);
  });
});

test("writes nothing that a runtime could use before a daemon serves", async () => {
  await onNode(async (node) => {
    const { status, stdout, stderr } = await install(node, ["--wait", "1"]);
    assertEquals(status, 1);
    assertStringIncludes(stdout, node.socket);
    assertStringIncludes(stderr, "no daemon serves after 1 s");
    assertEquals(Object.keys(await tree(node)), ["bin/terway"]);
    const early = await install(node, ["--launcher-only"]);
    assertEquals([early.status, early.stderr], [0, ""]);
    assertEquals(Object.keys(await tree(node)), ["bin/terway"]);
  });
});

test("changes nothing when all is as wanted, and nothing on a dry run", async () => {
  await onNode(async (node) => {
    await write(node, PREDECESSOR);
    const before = await tree(node);
    const dry = await install(node, ["--dry-run"]);
    assertEquals([dry.status, dry.stderr], [0, ""]);
    for (const name of ["10-eni.conf", "10-terway.conf", "bin/terway"]) {
      assertStringIncludes(dry.stdout, name);
    }
    assertEquals(await tree(node), before);
    await whileServing(node, async () => {
      assertEquals((await install(node)).status, 0);
      const { mtime } = await Deno.stat(`${node.confDir}/10-terway.conflist`);
      const after = await tree(node);
      assertStringIncludes((await install(node)).stdout, "nothing was done");
      assertEquals(await tree(node), after);
      const again = await Deno.stat(`${node.confDir}/10-terway.conflist`);
      assertEquals(again.mtime, mtime);
    });
    const { plugins } = await conflist(node);
    assertEquals((plugins as { type: string }[]).map(({ type }) => type), [
      "terway",
      "portmap",
    ]);
  });
});

test("gives a predecessor back byte for byte", async () => {
  await onNode(async (node) => {
    await write(node, PREDECESSOR);
    const before = await tree(node);
    await whileServing(node, async () => {
      assertEquals((await install(node)).status, 0);
    });
    assertEquals(await configNames(node), [
      "10-terway.conflist",
      "99-loopback.conf",
    ]);
    assertEquals((await install(node, ["--uninstall"])).status, 0);
    assertEquals(await tree(node), before);
    assertEquals((await install(node, ["--uninstall"])).status, 0);
    assertEquals(await tree(node), before);
  });
});

test("keeps what a user chained", async () => {
  await onNode(async (node) => {
    const tuning = { type: "tuning", sysctl: { "net.core.somaxconn": "9" } };
    const old = { type: "terway", mtu: 1400, "daemon_socket": "/old" };
    await write(node, {
      "net.d/10-terway.conflist": {
        cniVersion: "0.4.0",
        name: "terway",
        plugins: [tuning, old, { type: "sbr" }],
      },
    });
    await whileServing(node, async () => {
      assertEquals((await install(node)).status, 0);
    });
    assertEquals(await conflist(node), {
      cniVersion: "1.0.0",
      name: "terway",
      plugins: [
        tuning,
        {
          type: "terway",
          mtu: 1400,
          capabilities: { bandwidth: true, portMappings: true },
          "daemon_socket": node.socket,
        },
        { type: "sbr" },
      ],
    });
  });
});

test("names line and column of a list that is no JSON, and changes nothing", async () => {
  await onNode(async (node) => {
    await write(node, {
      ...PREDECESSOR,
      "net.d/10-terway.conflist": '{\n  "name": "terway",\n  "plugins": x\n}',
    });
    const before = await tree(node);
    for (const args of [[], ["--uninstall"]]) {
      const { status, stderr } = await install(node, args);
      assertEquals(status, 1);
      assertStringIncludes(
        stderr,
        `${node.confDir}/10-terway.conflist: line 3, column 14`,
      );
      assertEquals(await tree(node), before);
    }
  });
});

test("says what to do when the folder of lists can't be written", async () => {
  await onNode(async (node) => {
    const mount = ["mount", "-t", "tmpfs", "-o", "ro", "none", node.confDir];
    await outcome(mount);
    try {
      await whileServing(node, async () => {
        const { status, stderr } = await install(node);
        assertEquals(status, 1);
        for (
          const part of [
            `cannot write ${node.confDir}/10-terway.conflist`,
            "ead-only file system",
            "in a container with the folder mounted read-write",
            "running this again goes on from there",
          ]
        ) assertStringIncludes(stderr, part);
      });
    } finally {
      await outcome(["umount", node.confDir]);
    }
    await whileServing(node, async () => {
      assertEquals((await install(node)).status, 0);
      assertEquals(await configNames(node), ["10-terway.conflist"]);
    });
  });
});

test("doesn't replace a plugin by one that doesn't run here", async () => {
  await onNode(async (node) => {
    await write(node, { "bin/terway": "TERWAY-SLOT-0001, an older one" });
    const before = await tree(node);
    const launcher = `${node.folder}/launcher`;
    const bytes = new Uint8Array(500);
    bytes.set(new TextEncoder().encode("\x7fELF"));
    bytes[18] = Deno.build.arch === "x86_64" ? 62 : 183;
    bytes.set(new TextEncoder().encode("TERWAY-SLOT-0001"), 64);
    await Deno.writeFile(launcher, bytes);
    const { status, stderr } = await install(node, ["--launcher", launcher]);
    assertEquals(status, 1);
    assertStringIncludes(stderr, `cannot place the plugin ${node.binDir}`);
    assertEquals(await tree(node), before);
  });
});

test("may run several times at once", async () => {
  await onNode(async (node) => {
    await write(node, PREDECESSOR);
    await whileServing(node, async () => {
      const all = await Promise.all([1, 2, 3, 4].map(() => install(node)));
      assertEquals(all.map(({ stderr }) => stderr), ["", "", "", ""]);
      assertStringIncludes((await install(node)).stdout, "nothing was done");
    });
  });
});

test(
  "can be killed at any step, there and back, and goes on from there",
  async () => {
    const wanted = await settled([]);
    for (const args of [[], ["--uninstall"]]) {
      const end = args.length === 0 ? wanted : await settled(args);
      for (const syscall of SYSCALLS) {
        for (let nth = 1; nth <= NTH_LIMIT; nth++) {
          if (!await survives({ args, syscall, nth, end })) break;
        }
      }
    }
  },
  noStrace,
);

/** The folders after an undisturbed run, from a predecessor's or from ours. */
async function settled(
  args: readonly string[],
): Promise<Record<string, string>> {
  let after: Record<string, string> = {};
  await onNode((node) =>
    whileServing(node, async () => {
      await write(node, PREDECESSOR);
      assertEquals((await install(node)).status, 0);
      if (args.length > 0) await install(node, args);
      after = await tree(node);
    })
  );
  return after;
}

/** Whether the run was killed; if so, the next one must end as any does. */
async function survives(
  { args, syscall, nth, end }: {
    args: readonly string[];
    syscall: string;
    nth: number;
    end: Record<string, string>;
  },
): Promise<boolean> {
  let isKilled = false;
  await onNode((node) =>
    whileServing(node, async () => {
      await write(node, PREDECESSOR);
      if (args.length > 0) await install(node);
      const killed = await install(node, args, { syscall, nth });
      isKilled = killed.status !== 0;
      const where = `killed at ${syscall} ${nth} of ${args}`;
      for (const name of await configNames(node)) {
        JSON.parse(await Deno.readTextFile(`${node.confDir}/${name}`));
      }
      const { mode } = await Deno.stat(`${node.binDir}/terway`);
      assertEquals((mode ?? 0) & 0o777, 0o755, where);
      const { status, stderr } = await install(node, args);
      assertEquals([status, stderr], [0, ""], where);
      assertEquals(besides(await tree(node)), besides(end), where);
    })
  );
  return isKilled;
}

/** The list and the launcher name the socket, which is another each time. */
function besides(files: Record<string, string>): Record<string, string> {
  const list = "net.d/10-terway.conflist";
  return { ...files, "bin/terway": "", [list]: String(list in files) };
}

async function outcome([name = "", ...args]: readonly string[]): Promise<void> {
  const { success } = await new Deno.Command(name, { args }).output();
  assert(success, `${name} ${args.join(" ")}`);
}
