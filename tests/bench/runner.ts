/**
 * Runs plugins as a runtime does and tells what each call took.
 *
 * The clock is read by a small shell beside the plugin, not by this process: a
 * fork of a large runtime would be measured along with the plugin. What fork
 * and exec cost there is the same for every plugin.
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

/** What came of it. */
export interface Ran {
  /** From fork to exit. */
  readonly tookMs: number;
  /** The exit status. */
  readonly status: number;
  /** What it printed, when it failed. */
  readonly said: string;
}

/**
 * `EPOCHREALTIME` is a number of microseconds without a dot when the dot is
 * taken out. Source: bash(1), "Shell Variables".
 */
const SCRIPT = `
export CNI_IFNAME=eth0 CNI_PATH="$BENCH_CNI_PATH" LC_ALL=C
while read -r plugin verb id netns conf out; do
  export CNI_COMMAND=$verb CNI_CONTAINERID=$id CNI_NETNS=$netns
  from=$EPOCHREALTIME
  "$plugin" < "$conf" > "$out" 2>&1
  status=$?
  to=$EPOCHREALTIME
  echo "$status $(( \${to/./} - \${from/./} ))"
done`;

/** A shell in a node's namespace. */
export class Runner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #out: string;
  #rest = "";

  /**
   * Starts the shell.
   *
   * @param where The node's namespace, a folder for what plugins print, and
   * where plugins find others.
   */
  constructor(where: { netns: string; dir: string; cniPath: string }) {
    this.#out = `${where.dir}/out-${crypto.randomUUID()}`;
    this.#child = new Deno.Command("nsenter", {
      args: [`--net=${where.netns}`, "bash", "-c", SCRIPT],
      env: { BENCH_CNI_PATH: where.cniPath },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /**
   * Runs a plugin, and waits for it.
   *
   * @param run What to run.
   * @returns What came of it.
   */
  async run(run: Run): Promise<Ran> {
    const { plugin, verb, containerId, netns, conf } = run;
    const line = [plugin, verb, containerId, netns, conf, this.#out].join(" ");
    await this.#input.write(new TextEncoder().encode(line + "\n"));
    const [status, took] = (await this.#line()).split(" ").map(Number);
    const failed = status !== 0;
    return {
      tookMs: (took ?? NaN) / 1000,
      status: status ?? -1,
      said: failed ? (await Deno.readTextFile(this.#out)).trim() : "",
    };
  }

  /** Ends the shell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#child.status;
  }

  async #line(): Promise<string> {
    while (true) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the shell of the benchmark ended");
      this.#rest += value;
    }
  }
}
