/**
 * Preflight in a running daemon: the host is looked at again and again, what
 * is found is told once, and with `fix_host` mended, until a drain undoes it.
 *
 * What is changed is written down before, so that the next process of the
 * daemon knows it too. `fix_host` switched off changes nothing back: pods may
 * count on it.
 *
 * @module
 */
import { familiesOf } from "../../pool/family.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { Journal } from "../../pool/journal.ts";
import { errorFields, type Log } from "../log.ts";
import type { DaemonConfig } from "./config.ts";
import type { NodeFacts } from "./node.ts";
import { type Finding, preflight } from "./preflight.ts";
import { carryOut, type FixParts, readSides, undo } from "./preflight_fix.ts";
import { commandsOf, type Mend, objectOf, valuesOf } from "./preflight_mend.ts";
import { observeHost, type ObserveParts } from "./preflight_observe.ts";
import { runProgram } from "./preflight_program.ts";
import {
  type HostChange,
  readRecord,
  type RecordPlace,
  writeRecord,
} from "./preflight_record.ts";

/** What preflight works with. */
export type WatchParts = ObserveParts & FixParts & {
  /** Whether what can be mended is. */
  readonly fix: boolean;
  /** Remembers what was changed. */
  readonly record: RecordPlace;
  /** Where findings and changes are told. */
  readonly log: Log;
};

/** What a daemon's preflight follows from. */
export interface WatchSource {
  /** The configuration in force. */
  readonly config: Pick<DaemonConfig, "fixHost" | "ipStack">;
  /** The node. */
  readonly node: Pick<NodeFacts, "instance">;
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Knows the ENIs. */
  readonly journal: Pick<Journal, "load">;
  /** The folder of the daemon's state. */
  readonly stateDir: string;
  /** Where findings and changes are told. */
  readonly log: Log;
}

/**
 * Gathers what a daemon's preflight works with.
 *
 * @param source What it follows from.
 * @returns The parts.
 */
export function watchParts(
  { config, node, kernel, journal, stateDir, log }: WatchSource,
): WatchParts {
  return {
    kernel,
    run: runProgram,
    families: familiesOf(config.ipStack),
    primaryMac: node.instance.primaryMac,
    eniMacs: () => journal.load().enis.flatMap(({ card }) => card?.mac ?? []),
    root: "",
    fix: config.fixHost,
    record: { path: `${stateDir}/host.json`, boot: bootId() },
    log,
  };
}

function bootId(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}

/** A finding as `terway status` tells it. */
export type FindingStatus = Omit<Finding, "mend"> & {
  /** Why `fix_host` couldn't mend it. */
  readonly failure?: string;
};

/** A change of the host as `terway status` tells it. */
export interface ChangeStatus {
  /** What was changed. */
  readonly object: string;
  /** What it was. */
  readonly was: string;
  /** What it is. */
  readonly now: string;
  /** The command that undoes it, as a drain does. */
  readonly undo: string;
  /** When, in milliseconds since 1970. */
  readonly atMs: number;
}

/** What `terway status` tells of the host. */
export interface HostStatus {
  /** What stands in the way of pods. */
  readonly findings: readonly FindingStatus[];
  /** What was changed for them, and is undone by a drain. */
  readonly changes: readonly ChangeStatus[];
}

/** Looks after the host. */
export class HostWatch {
  readonly #parts: WatchParts;
  #mayFix: boolean;
  #changes: readonly HostChange[] | undefined;
  #findings: readonly FindingStatus[] | undefined;
  #work: Promise<unknown> = Promise.resolve();

  /**
   * Does nothing yet.
   *
   * @param parts What it works with.
   */
  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#mayFix = parts.fix;
  }

  /**
   * Tells what is known; nothing before the first look.
   *
   * @returns Findings and changes.
   */
  status(): HostStatus | undefined {
    if (this.#findings === undefined) return undefined;
    return {
      findings: this.#findings,
      changes: (this.#changes ?? []).map(({ mend, atMs }) => ({
        object: objectOf(mend),
        ...valuesOf(mend),
        undo: commandsOf(mend).undo,
        atMs,
      })),
    };
  }

  /**
   * Looks at the host, tells what is new, and mends it if it shall.
   *
   * @returns When that is done; what couldn't be mended is told, not thrown.
   * @throws {Error} When the host can't be looked at, or the record be read.
   */
  look(): Promise<void> {
    return this.#inTurn(() => this.#look());
  }

  /**
   * Undoes every change, the last first, and mends nothing from now on.
   *
   * @returns When the host is as it was.
   * @throws {Error} That names the commands for what couldn't be undone.
   */
  undo(): Promise<void> {
    this.#mayFix = false;
    return this.#inTurn(() => this.#undo());
  }

  async #look(): Promise<void> {
    const found = preflight(await observeHost(this.#parts));
    const failures = this.#mayFix ? await this.#mendAll(found) : new Map();
    const isMended = found.some(({ object, mend }) =>
      mend !== undefined && this.#mayFix && !failures.has(object)
    );
    const left = isMended ? preflight(await observeHost(this.#parts)) : found;
    this.#tell(left.map(({ mend: _, ...finding }) => {
      const failure = failures.get(finding.object);
      return { ...finding, ...failure !== undefined && { failure } };
    }));
    await this.#recorded();
  }

  /** Gives what couldn't be mended, and why. */
  async #mendAll(found: readonly Finding[]): Promise<Map<string, string>> {
    const failures = new Map<string, string>();
    for (const { object, mend, problem } of found) {
      if (mend === undefined) continue;
      try {
        await this.#mend(mend);
        this.#parts.log.warning("the host was changed, as fix_host says", {
          object,
          problem,
          ...valuesOf(mend),
          ...commandsOf(mend),
        });
      } catch (error) {
        failures.set(object, messageOf(error));
      }
    }
    return failures;
  }

  async #mend(mend: Mend): Promise<void> {
    const changes = await this.#recorded();
    const isKnown = changes.some((one) =>
      objectOf(one.mend) === objectOf(mend)
    );
    // Somebody set it back: what was before the first change counts.
    if (!isKnown) {
      const sides = await readSides(mend, this.#parts);
      await this.#write([...changes, { mend, sides, atMs: Date.now() }]);
    }
    await carryOut(mend, this.#parts);
  }

  async #undo(): Promise<void> {
    const { log } = this.#parts;
    const left: string[] = [];
    const causes: unknown[] = [];
    for (const change of (await this.#recorded()).toReversed()) {
      const { mend } = change;
      const { command, undo: back } = commandsOf(mend);
      try {
        const isUndone = await undo(change, this.#parts);
        await this.#write(this.#changes?.filter((one) => one !== change) ?? []);
        log.info(
          isUndone
            ? "the host is as it was"
            : "somebody has changed the host since: it is left as it is",
          { object: objectOf(mend), did: command, undo: back },
        );
      } catch (error) {
        left.push(back);
        causes.push(error);
      }
    }
    if (left.length === 0) return;
    throw new Error(
      `Cannot put the host back as it was: run ${left.join("; ")}`,
      { cause: causes[0] },
    );
  }

  /** What was changed, read from the file when it is first needed. */
  async #recorded(): Promise<readonly HostChange[]> {
    return this.#changes ??= await readRecord(this.#parts.record);
  }

  async #write(changes: readonly HostChange[]): Promise<void> {
    await writeRecord(this.#parts.record, changes);
    this.#changes = changes;
  }

  #tell(findings: readonly FindingStatus[]): void {
    const { log } = this.#parts;
    const before = new Map(
      (this.#findings ?? []).map((one) => [one.object, one]),
    );
    for (const finding of findings) {
      const told = before.get(finding.object);
      before.delete(finding.object);
      const isTold = told?.problem === finding.problem &&
        told.failure === finding.failure;
      if (isTold) continue;
      const { severity, ...fields } = finding;
      const level = severity === "note" ? "info" : severity;
      log[level]("the host isn't as pods need it", fields);
    }
    for (const object of before.keys()) {
      log.info("the host is as pods need it again", { object });
    }
    this.#findings = findings;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {}); // whoever asked hears of it
    return done;
  }
}

function messageOf(error: unknown): string {
  return String(errorFields(error).err);
}
