import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { stageName } from "./stage/description.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const DEMO = new URL("./demo.ts", import.meta.url).pathname;

Deno.test("the demo ends with nothing left behind", lab, async () => {
  await using demo = await Demo.start();
  const said = await demo.read();
  assertStringIncludes(said, "64 of 64 pings answered");
  assertStringIncludes(said, "cloud and kernel are as before the first pod");
  assertEquals((await demo.status).code, 0);
  assert(!said.includes("\x1b"), "colour is for terminals");
  assertEquals(await demo.leftovers(), []);
});

for (const moment of ["cloud and VPC", "daemons serve", "8 pods made"]) {
  Deno.test(`Ctrl-C after "${moment}" cleans up`, lab, async () => {
    await using demo = await Demo.start();
    await demo.read(moment);
    const dirs = await demo.dirs();
    demo.interrupt();
    assertStringIncludes(await demo.read(), "interrupted: cleaning up");
    assertEquals((await demo.status).code, 130);
    assertEquals(dirs.length, 1);
    assertEquals(await demo.leftovers(dirs), []);
  });
}

/** A demo in a process of its own, its files in a folder of its own. */
class Demo implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", DEMO, "--yes"],
      env: { TMPDIR: folder },
      stdout: "piped",
    }).spawn();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  static async start(): Promise<Demo> {
    return new Demo(await Deno.makeTempDir({ prefix: "demo-" }));
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  /** Reads until a text comes, or to the end. */
  async read(until?: string): Promise<string> {
    let text = "";
    while (until === undefined || !text.includes(until)) {
      const { value, done } = await this.#output.read();
      if (done) break;
      text += value;
    }
    return text;
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  /** Finds the stage's folder. */
  async dirs(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.#folder));
    return entries.map(({ name }) => `${this.#folder}/${name}`);
  }

  /** Finds files, and namespaces of the stages that were in these folders. */
  async leftovers(dirs: readonly string[] = []): Promise<string[]> {
    const prefixes = dirs.map((dir) => `${stageName(dir)}-`);
    const namespaces = (await Array.fromAsync(Deno.readDir("/run/netns")))
      .map(({ name }) => name)
      .filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
    return [...await this.dirs(), ...namespaces];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output.cancel();
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}
