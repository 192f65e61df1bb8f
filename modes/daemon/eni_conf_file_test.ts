import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { ConfigError } from "./config.ts";
import { loadConfig, lookAtConfig } from "./eni_conf_file.ts";

async function inFolder(
  work: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("loadConfig() reads a file, or the folder of a ConfigMap", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/eni.conf`, '{"mtu":1400}');
    const file = await loadConfig({ path: `${folder}/eni.conf` });
    assertEquals(file.config.mtu, 1400);
    const named = await loadConfig({ path: folder });
    assertEquals(named.config.mtu, 1400);
    await Deno.writeTextFile(`${folder}/eni_conf`, "mtu: 1300\n");
    const keyed = await loadConfig({ path: `${folder}/` });
    assertEquals(keyed.config.mtu, 1300);
  });
});

Deno.test("loadConfig() lays the overlay over it, if there is one", async () => {
  await inFolder(async (folder) => {
    const places = { path: folder, overlayPath: `${folder}/node` };
    await Deno.writeTextFile(`${folder}/eni_conf`, '{"mtu":1400}');
    const without = await loadConfig(places);
    await Deno.writeTextFile(`${folder}/node`, '{"mtu":null}');
    const within = await loadConfig(places);
    assertEquals([without.config.mtu, within.config.mtu], [1400, undefined]);
  });
});

Deno.test("loadConfig() tells what can't be read as it tells what is wrong", async () => {
  await inFolder(async (folder) => {
    const missing = { path: `${folder}/none` };
    await assertRejects(() => loadConfig(missing), ConfigError, "--config");
    await assertRejects(() => loadConfig({ path: folder }), ConfigError);
    await Deno.mkdir(`${folder}/eni_conf`);
    await assertRejects(
      () => loadConfig({ path: folder }),
      ConfigError,
      "must be a file",
    );
    await Deno.writeTextFile(`${folder}/big`, "#".repeat(1_048_577));
    await assertRejects(
      () => loadConfig({ path: `${folder}/big` }),
      ConfigError,
      "at most 1048576 bytes",
    );
    const file = { path: `${folder}/big/eni_conf` };
    await assertRejects(() => loadConfig(file), ConfigError);
  });
});

Deno.test("lookAtConfig() tells texts apart without showing them", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/eni_conf`;
    await Deno.writeTextFile(path, '{"access_secret":"hush"}');
    const bad = await lookAtConfig({ path });
    const same = await lookAtConfig({ path });
    assertEquals(bad.digest, same.digest);
    assert(!Deno.inspect(bad).includes("hush"));
    await Deno.writeTextFile(path, "{}");
    const good = await lookAtConfig({ path });
    assertEquals(good.decode().digest, good.digest);
    assertNotEquals(good.digest, bad.digest);
  });
});
