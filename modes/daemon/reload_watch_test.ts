import { assert, assertEquals } from "@std/assert";
import { loadConfig, type LoadedConfig } from "./eni_conf_file.ts";
import { watchConfig } from "./reload_watch.ts";

/** Quick enough for a test, and slow beside one write. */
const PERIOD_MS = 10;

/** A ConfigMap as the kubelet mounts it: a link in a folder is swapped. */
class Mount {
  readonly folder: string;
  #version = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  async put(text: string): Promise<void> {
    const data = `..version_${++this.#version}`;
    await Deno.mkdir(`${this.folder}/${data}`);
    await Deno.writeTextFile(`${this.folder}/${data}/eni_conf`, text);
    await Deno.symlink(data, `${this.folder}/..data_tmp`);
    await Deno.rename(`${this.folder}/..data_tmp`, `${this.folder}/..data`);
    if (this.#version > 1) {
      const old = `${this.folder}/..version_${this.#version - 1}`;
      await Deno.remove(old, { recursive: true });
      return;
    }
    await Deno.symlink("..data/eni_conf", `${this.folder}/eni_conf`);
  }
}

interface Watched {
  readonly mount: Mount;
  readonly changes: AsyncGenerator<LoadedConfig, void, void>;
  /** What was told of bad ones. */
  readonly told: string[];
  readonly stop: () => void;
}

async function watching(
  work: (watched: Watched) => Promise<void>,
): Promise<void> {
  const mount = new Mount(await Deno.makeTempDir());
  const stopping = new AbortController();
  try {
    await mount.put('{"mtu":1500}');
    const told: string[] = [];
    const path = `${mount.folder}/eni_conf`;
    const changes = watchConfig({
      path,
      from: await loadConfig({ path }),
      signal: stopping.signal,
      periodMs: PERIOD_MS,
      onProblem: ({ problems }) => {
        told.push(problems.map(({ rule }) => rule).join(", "));
      },
    });
    await work({ mount, changes, told, stop: () => stopping.abort() });
  } finally {
    stopping.abort();
    await Deno.remove(mount.folder, { recursive: true });
  }
}

async function mtuOf(changes: Watched["changes"]): Promise<number | undefined> {
  const next = await changes.next();
  return next.value?.config.mtu;
}

/** Long enough for some looks; what isn't seen by then is only seen later. */
function lookAgain(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PERIOD_MS * 6));
}

/** A busy machine looks late. */
async function untilTold(told: readonly string[]): Promise<void> {
  for (let count = 0; told.length === 0; count++) {
    assert(count < 1_000, "nothing was told in a thousand looks");
    await lookAgain();
  }
}

Deno.test("watchConfig() follows a ConfigMap from version to version", async () => {
  await watching(async ({ mount, changes, told }) => {
    for (const mtu of [1400, 1300, 1500]) {
      const change = mtuOf(changes);
      await mount.put(JSON.stringify({ mtu }));
      assertEquals(await change, mtu);
    }
    assertEquals(told, []);
  });
});

Deno.test("watchConfig() tells a bad one once, and goes on with the next good one", async () => {
  await watching(async ({ mount, changes, told }) => {
    const change = mtuOf(changes);
    await mount.put('{"mtu":1,"min_pool_size":9}');
    await untilTold(told);
    await lookAgain();
    assertEquals(told, [
      "must be at least 1280, must not exceed max_pool_size",
    ]);
    await mount.put('{"mtu":1400}');
    assertEquals(await change, 1400);
    assertEquals(told.length, 1);
  });
});

Deno.test("watchConfig() gives the last good one again when the file goes back to it", async () => {
  await watching(async ({ mount, changes, told }) => {
    const change = mtuOf(changes);
    await mount.put("");
    await untilTold(told);
    await mount.put('{"mtu":1500}');
    assertEquals(await change, 1500);
    assertEquals(told.length, 1);
  });
});

Deno.test("watchConfig() tells of a file that is gone, and takes it up again", async () => {
  await watching(async ({ mount, changes, told }) => {
    const change = mtuOf(changes);
    await Deno.remove(`${mount.folder}/eni_conf`);
    await untilTold(told);
    await Deno.writeTextFile(`${mount.folder}/eni_conf`, "mtu: 1400");
    assertEquals(await change, 1400);
    assertEquals(told, ["must be there: give its path by --config"]);
  });
});

Deno.test("watchConfig() gives who is slow the newest only", async () => {
  await watching(async ({ mount, changes }) => {
    const first = mtuOf(changes);
    await mount.put('{"mtu":1400}');
    assertEquals(await first, 1400);
    await mount.put('{"mtu":1300}');
    await lookAgain();
    await mount.put('{"mtu":1350}');
    assertEquals(await mtuOf(changes), 1350);
  });
});

Deno.test("watchConfig() says nothing while nothing changes, and ends when told", async () => {
  await watching(async ({ mount, changes, told, stop }) => {
    const next = changes.next();
    await mount.put('{"mtu":1500}');
    await lookAgain();
    stop();
    assertEquals(await next, { done: true, value: undefined });
    assertEquals(told, []);
    assert((await changes.next()).done);
  });
});

Deno.test("watchConfig() ends at once when it was told before it began", async () => {
  await watching(async ({ changes, stop }) => {
    stop();
    assert((await changes.next()).done);
  });
});
