import { assert, assertEquals, assertRejects } from "@std/assert";
import { Kubelet } from "../../tests/emulators/kubelet/kubelet.ts";
import type { Log } from "../log.ts";
import { devicesOf } from "./capacity.ts";
import { keepRegistered, nextDeed, type Seen } from "./keep.ts";
import { PluginServer, ServedError } from "./plugin.ts";

const RESOURCE = "aliyun/eni";
const ENDPOINT = "terway-aliyun-eni.sock";

const WELL: Seen = {
  madeSocket: "a",
  ownSocket: "a",
  kubeletSocket: "k",
  registeredAt: "k",
  registeredForMs: 60_000,
  isWatched: true,
};

Deno.test("nextDeed() serves, registers or waits by what it sees", () => {
  const check = (change: Partial<Seen>, expected: string): void =>
    assertEquals(nextDeed({ ...WELL, ...change }), expected);
  check({}, "wait");
  check({ madeSocket: undefined }, "serve");
  check({ ownSocket: undefined }, "serve");
  check({ ownSocket: "another's" }, "serve");
  check({ ownSocket: undefined, kubeletSocket: undefined }, "serve");
  check({ kubeletSocket: undefined }, "wait");
  check({ kubeletSocket: "new" }, "register");
  check({ registeredAt: undefined }, "register");
  check({ isWatched: false }, "register");
  check({ isWatched: false, registeredForMs: 100 }, "wait");
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!await holds()) {
    if (performance.now() > endMs) throw new Error("it never held");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A folder of device plugins, and a plugin that is kept known there. */
class Rig implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "terway-" });
  readonly kubelet: Kubelet = new Kubelet(this.folder);
  readonly told: string[] = [];
  count = 2;
  listedCount = 3;
  readonly server: PluginServer = new PluginServer(
    `${this.folder}/${ENDPOINT}`,
    () =>
      devicesOf({
        nodeName: "n1",
        count: this.count,
        listedCount: this.listedCount,
      }),
  );
  readonly #stop = new AbortController();
  #kept: Promise<void> = Promise.resolve();

  keep(): Promise<void> {
    const tell = (message: string): void => {
      this.told.push(message);
    };
    const log: Log = { debug: tell, info: tell, warning: tell, error: tell };
    const { folder, server } = this;
    const plugin = { endpoint: ENDPOINT, resource: RESOURCE };
    this.#kept = keepRegistered(
      { folder, server, ...plugin, log },
      this.#stop.signal,
    );
    return this.#kept;
  }

  healthyCount(): number {
    return this.kubelet.resource(RESOURCE)?.allocatable.length ?? -1;
  }

  async untilHealthy(count: number): Promise<void> {
    await until(() => this.healthyCount() === count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#kept.catch(() => {});
    await this.server.close();
    await this.kubelet[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("a plugin registers, lists its devices, and gives a container nothing", async () => {
  await using rig = new Rig();
  await rig.kubelet.start();
  rig.keep();
  await rig.untilHealthy(2);
  assertEquals(rig.kubelet.resource(RESOURCE), {
    allocatable: ["n1-0", "n1-1"],
    capacity: 3,
  });
  const [first] = rig.kubelet.registrations;
  assertEquals(first?.version, "v1beta1");
  assertEquals(first?.endpoint, ENDPOINT);
  const given = await rig.kubelet.allocate("web", RESOURCE, 1);
  assertEquals(given, {
    envs: {},
    mounts: [],
    devices: [],
    annotations: {},
    cdiDevices: [],
  });
  assertEquals(rig.kubelet.allocated.get("web"), ["n1-0"]);
  rig.count = 1;
  rig.server.tell();
  await rig.untilHealthy(1);
  assertEquals(rig.kubelet.resource(RESOURCE)?.capacity, 3);
  await assertRejects(() => rig.kubelet.allocate("db", RESOURCE, 1));
});

Deno.test("a plugin is known again after each restart of the kubelet", async () => {
  await using rig = new Rig();
  await rig.kubelet.start();
  rig.keep();
  for (let count = 1; count <= 3; count++) {
    await rig.untilHealthy(2);
    assertEquals(rig.kubelet.registrations.length, count);
    // Its socket's file stays, then goes with all others.
    await rig.kubelet.kill();
    assert((await Deno.lstat(`${rig.folder}/kubelet.sock`)).isSocket);
    await rig.kubelet.start();
  }
  await rig.untilHealthy(2);
});

Deno.test("a plugin waits for a kubelet that comes later, and says so once", async () => {
  await using rig = new Rig();
  rig.keep();
  const own = `${rig.folder}/${ENDPOINT}`;
  await until(() => Deno.lstat(own).then(() => true, () => false));
  await rig.kubelet.start();
  await rig.untilHealthy(2);
  assertEquals(rig.told, [
    "the kubelet isn't there: waiting for its socket",
    "registered with the kubelet",
  ]);
});

Deno.test("a plugin whose socket somebody took away serves again", async () => {
  await using rig = new Rig();
  await rig.kubelet.start();
  rig.keep();
  await rig.untilHealthy(2);
  await Deno.remove(`${rig.folder}/${ENDPOINT}`);
  await until(() => rig.kubelet.registrations.length === 2);
  await rig.untilHealthy(2);
});

Deno.test("a plugin takes away what it left, and nothing of others", async () => {
  await using rig = new Rig();
  const own = `${rig.folder}/${ENDPOINT}`;
  const others = `${rig.folder}/other-eni.sock`;
  for (const path of [own, others]) {
    const listener = Deno.listen({ transport: "unix", path: `${path}.new` });
    await Deno.rename(`${path}.new`, path);
    listener.close(); // the file stays, as of a process that was killed
  }
  await rig.server.serve();
  assert((await Deno.lstat(others)).isSocket);
  await rig.server.close();
  const left = await Array.fromAsync(
    Deno.readDir(rig.folder),
    ({ name }) => name,
  );
  assertEquals(left, ["other-eni.sock"]);
});

Deno.test("a plugin leaves a socket alone on which another one serves", async () => {
  await using rig = new Rig();
  await rig.kubelet.start();
  rig.keep();
  await rig.untilHealthy(2);
  const second = new PluginServer(`${rig.folder}/${ENDPOINT}`, () => []);
  await assertRejects(() => second.serve(), ServedError, "another process");
  assertEquals(rig.healthyCount(), 2);
  await Deno.writeTextFile(`${rig.folder}/file.sock`, "");
  const third = new PluginServer(`${rig.folder}/file.sock`, () => []);
  await assertRejects(() => third.serve(), ServedError, "no socket");
});
