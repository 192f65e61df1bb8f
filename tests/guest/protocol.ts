/**
 * What travels over a guest's serial line: a line of JSON for each request and
 * for each answer, with a number that brings the two together.
 *
 * @module
 */
import type { NamespaceDump } from "../../netns/dump.ts";

/** A program to be run. */
export interface Run {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Added to the environment of the guest's first process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads. */
  readonly stdin?: string;
  /** After this it is killed. @default 20000 */
  readonly deadlineMs?: number;
}

/** How a program ended. */
export interface Ran {
  /** Its exit status. */
  readonly code: number;
  /** What it printed. */
  readonly stdout: string;
  /** What it complained of. */
  readonly stderr: string;
  /** From its start to its end, by the guest's clock. */
  readonly tookMs: number;
}

/** What each request takes and gives. */
export interface Requests {
  /** Sets the primary card up as DHCP does. */
  readonly configure: {
    in: {
      readonly link: string;
      readonly cidr: string;
      readonly gateway: string;
    };
    out: null;
  };
  /** Runs a program to its end. */
  readonly run: { in: Run; out: Ran };
  /** Starts a program whose output goes to a file. */
  readonly start: { in: Run & { readonly log: string }; out: number };
  /** Signals a program that was started. */
  readonly signal: {
    in: { readonly pid: number; readonly signal: Deno.Signal };
    out: null;
  };
  /** Asks the daemon, as an operator's command does. */
  readonly ask: {
    in: { readonly socket: string; readonly command: string; body?: unknown };
    out: { readonly status: number; readonly document: string };
  };
  /** Makes a sandbox's namespace, its loopback up. */
  readonly addNamespace: { in: string; out: null };
  /** Removes it. */
  readonly removeNamespace: { in: string; out: null };
  /** Describes a namespace; the node's own when the path is empty. */
  readonly dump: { in: string; out: NamespaceDump };
  /** Sets the link of a MAC down, in whichever namespace it is. */
  readonly setDown: { in: string; out: boolean };
}

/** The name of a request. */
export type Verb = keyof Requests;

/** A request. */
export type Request = {
  [V in Verb]: {
    readonly id: number;
    readonly verb: V;
    readonly argument: Requests[V]["in"];
  };
}[Verb];

/** An answer; the first one, with number 0, says that the guest is up. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/**
 * Divides text into lines, whatever pieces it comes in.
 *
 * @param source The pieces.
 * @returns The lines, without their ends; what follows the last end is lost.
 */
export async function* linesOf(
  source: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of source.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
