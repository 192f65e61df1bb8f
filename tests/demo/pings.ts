/**
 * Who reaches whom: one real ping from every pod to every pod.
 *
 * @module
 */
import type { Pod } from "../stage/pods.ts";

/** More at once would measure this machine's processes. */
const AT_ONCE = 4;

/** Answers, by who asks and who is asked. */
export class Reach {
  readonly #timesMs = new Map<string, number>();

  /** How many answers came. */
  get answerCount(): number {
    return this.#timesMs.size;
  }

  /**
   * Gives how long an answer took.
   *
   * @param from Who asked.
   * @param to Who was asked.
   * @returns In ms; `undefined` when none came.
   */
  timeMs(from: string, to: string): number | undefined {
    return this.#timesMs.get(`${from} ${to}`);
  }

  /**
   * Notes an answer.
   *
   * @param from Who asked.
   * @param to Who was asked.
   * @param timeMs How long it took.
   */
  note(from: string, to: string, timeMs: number): void {
    this.#timesMs.set(`${from} ${to}`, timeMs);
  }
}

/**
 * Pings every pod from every pod, itself included.
 *
 * @param pods The pods.
 * @param signal Gives it up.
 * @returns Who reached whom.
 */
export async function pingAll(
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<Reach> {
  const reach = new Reach();
  const pairs = pods.flatMap((from) => pods.map((to) => ({ from, to })));
  const next = pairs.values();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (const { from, to } of next) {
      signal.throwIfAborted();
      const timeMs = await ping(from, to);
      if (timeMs !== undefined) reach.note(from.name, to.name, timeMs);
    }
  }));
  return reach;
}

async function ping(from: Pod, to: Pod): Promise<number | undefined> {
  const { stdout } = await new Deno.Command("nsenter", {
    args: [
      `--net=${from.sandbox.netns}`,
      ...["ping", "-n", "-c", "1", "-W", "2", to.ip],
    ],
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const time = /time=([\d.]+) ms/.exec(text)?.[1];
  return time === undefined ? undefined : Number(time);
}
