/**
 * CNI mode: the executable as a CNI plugin. It hands the runtime's call to the
 * daemon and prints what the daemon says; the daemon does the work.
 *
 * It starts for every pod, so it loads nothing: `modes/wire.ts` and this
 * folder, no package and no `node:` module.
 *
 * @module
 */
import { ask, type Reply, WireError } from "../wire.ts";
import { type Call, readCall, readToEnd } from "./call.ts";
import {
  offlineReply,
  unknownVerbReply,
  unreadableReply,
  type Verb,
  VERBS,
  versionReply,
} from "./offline.ts";

/** How long a daemon may be away in a rolling update, unnoticed. */
const CONNECT_MS = 2_000;

/** How long to wait before connecting again. */
const CONNECT_PAUSE_MS = 50;

/**
 * Runs the plugin.
 *
 * Effects: standard output holds one JSON document or nothing, as the CNI spec
 * says, and nothing else ever.
 *
 * @returns The exit status.
 */
export async function main(): Promise<number> {
  const { status, document } = await reply();
  const bytes = new TextEncoder().encode(document);
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
  return status;
}

async function reply(): Promise<Reply> {
  try {
    const call = readCall(readEnvironment(), readInput());
    if (call.verb === "VERSION") return versionReply(call);
    const verb = VERBS.get(call.verb);
    if (verb === undefined) return unknownVerbReply(call);
    return await relay(call, verb);
  } catch (error) {
    return unreadableReply(error);
  }
}

/** `Deno.env` gives text only; this is what the runtime wrote. */
function readEnvironment(): Uint8Array {
  return Deno.readFileSync("/proc/self/environ");
}

/** A person who tries `CNI_COMMAND=VERSION terway` has nothing to type. */
function readInput(): Uint8Array {
  return Deno.stdin.isTerminal() ? new Uint8Array() : readToEnd(Deno.stdin);
}

async function relay(call: Call, verb: Verb): Promise<Reply> {
  const begunMs = performance.now();
  while (true) {
    try {
      return await askOnce(call, call.replyTimeoutMs ?? verb.replyTimeoutMs);
    } catch (error) {
      if (!(error instanceof WireError) || error.kind === "large") throw error;
      const isLost = performance.now() - begunMs > CONNECT_MS;
      if (error.kind !== "absent" || isLost) {
        return offlineReply(call, verb, error);
      }
      await new Promise((done) => setTimeout(done, CONNECT_PAUSE_MS));
    }
  }
}

async function askOnce(call: Call, timeoutMs: number): Promise<Reply> {
  const reply = await ask(
    call.socket,
    call.body,
    AbortSignal.timeout(timeoutMs),
  );
  // An ADD that went well always has a result: this one was lost.
  if (call.verb === "ADD" && reply.document === "") {
    throw new WireError("broken", "The reply was cut short after 1 byte");
  }
  return reply;
}
