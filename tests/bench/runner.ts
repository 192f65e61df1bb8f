/**
 * Runs plugins as a runtime does and tells what each call took, by a small
 * program inside the node's namespace: see `runner.c`.
 *
 * @module
 */

/** One call of a plugin. */
export interface Run {
  /** The executable. */
  readonly plugin: string;
  /** `ADD`, `CHECK`, `DEL`, … */
  readonly verb: string;
  /** The sandbox's id. */
  readonly containerId: string;
  /** The path of its namespace. */
  readonly netns: string;
  /** A file with the network configuration. */
  readonly conf: string;
}

/** What came of a call. */
export interface Ran {
  /** From fork to exit. */
  readonly tookMs: number;
  /** What the plugin and its children computed. */
  readonly cpuMs: number;
  /** What it printed. */
  readonly said: string;
}

/** Calls that were made together. */
export interface RanAll {
  /** Each, in the order in which they were asked for. */
  readonly runs: readonly Ran[];
  /** From the first fork to the last exit. */
  readonly tookMs: number;
}

/** A program in a node's namespace that runs plugins. */
export class Runner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #out: string;
  #rest = "";

  /**
   * Starts it.
   *
   * @param where The compiled `runner.c`, the node's namespace, a folder for
   * what plugins print, and where plugins find others.
   */
  constructor(
    where: { program: string; netns: string; dir: string; cniPath: string },
  ) {
    this.#out = `${where.dir}/out-${crypto.randomUUID()}`;
    this.#child = new Deno.Command("nsenter", {
      args: [`--net=${where.netns}`, where.program],
      env: { CNI_PATH: where.cniPath },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /**
   * Runs plugins, and waits for all of them.
   *
   * @param runs What to run.
   * @param atOnce How many at a time, at most.
   * @returns What came of them.
   * @throws {Error} When one fails: a failure's time tells nothing.
   */
  async run(runs: readonly Run[], atOnce: number): Promise<RanAll> {
    const lines = runs.map(({ plugin, verb, containerId, netns, conf }, at) =>
      [plugin, verb, containerId, netns, conf, `${this.#out}-${at}`].join(" ")
    );
    const request = [`${atOnce} ${runs.length}`, ...lines, ""].join("\n");
    await this.#input.write(new TextEncoder().encode(request));
    const answers: number[][] = [];
    for (const _ of runs) answers.push(await this.#numbers());
    const [totalUs = NaN] = await this.#numbers();
    const ran = await Promise.all(runs.map(async ({ plugin, verb }, at) => {
      const said = await Deno.readTextFile(`${this.#out}-${at}`);
      const [status, wallUs = NaN, cpuUs = NaN] = answers[at] ?? [];
      if (status !== 0) throw new Error(`${verb} by ${plugin} failed: ${said}`);
      return { tookMs: wallUs / 1000, cpuMs: cpuUs / 1000, said };
    }));
    return { runs: ran, tookMs: totalUs / 1000 };
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #numbers(): Promise<number[]> {
    while (true) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line.split(" ").map(Number);
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the benchmark's runner ended");
      this.#rest += value;
    }
  }
}
