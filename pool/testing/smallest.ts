/**
 * Makes a failing life smaller while it fails in the same way: fewer steps,
 * fewer kinds of trouble.
 *
 * @module
 */
import { type Life, live } from "./live.ts";
import type { Op, Script } from "./ops.ts";
import { CALL_TROUBLES, OTHER_TROUBLES, type Trouble } from "./world.ts";

/** A smaller life, and what came of it. */
export interface Smallest {
  /** The life. */
  readonly script: Script;
  /** What came of it; its violation is of the same rule. */
  readonly life: Life;
  /** How many lives were lived to find it. */
  readonly tryCount: number;
}

/** How many lives are lived at most. */
const TRIES_AT_MOST = 400;

/**
 * Makes a failing life smaller.
 *
 * @param script A life that fails.
 * @param failed What came of it.
 * @returns The smallest that was found; itself when nothing can go.
 */
export async function smallest(
  script: Script,
  failed: Life,
): Promise<Smallest> {
  const search = new Search(script, failed);
  // It ends in its last step, or after all of them.
  await search.keep(script.ops.slice(0, failed.stepCount));
  for (let size = Infinity; size > sizeOf(search.script);) {
    size = sizeOf(search.script);
    await search.dropKinds();
    await search.dropOps();
  }
  const life = await live(search.script);
  return { script: search.script, life, tryCount: search.tryCount };
}

class Search {
  script: Script;
  tryCount = 0;
  readonly #rule: string | undefined;

  constructor(script: Script, failed: Life) {
    this.script = script;
    this.#rule = failed.violation?.rule;
  }

  async keep(ops: readonly Op[]): Promise<boolean> {
    if (ops.length === this.script.ops.length) return false;
    return await this.#try({ ...this.script, ops });
  }

  async dropKinds(): Promise<void> {
    for (const kind of [...CALL_TROUBLES, ...OTHER_TROUBLES]) {
      if (this.script.without.includes(kind)) continue;
      const without: Trouble[] = [...this.script.without, kind];
      await this.#try({ ...this.script, without });
    }
  }

  /** Halves first, then ever smaller parts, each from the end. */
  async dropOps(): Promise<void> {
    const { length } = this.script.ops;
    for (let size = length >> 1; size >= 1; size >>= 1) {
      for (let end = this.script.ops.length; end > 0; end -= size) {
        const { ops } = this.script;
        const from = Math.max(0, end - size);
        await this.keep([...ops.slice(0, from), ...ops.slice(end)]);
      }
    }
  }

  async #try(script: Script): Promise<boolean> {
    if (this.tryCount >= TRIES_AT_MOST) return false;
    this.tryCount++;
    const { violation } = await live(script, { isQuiet: true });
    if (violation?.rule !== this.#rule) return false;
    this.script = script;
    return true;
  }
}

/** What can get less: any less is worth another round. */
function sizeOf({ ops, without }: Script): number {
  return ops.length - without.length;
}
