/**
 * From a request on the wire to its answer: which verb, and what it returns.
 *
 * @module
 */
import { addressesOf } from "../../netns/attachment.ts";
import { KernelError } from "../../netns/kernel.ts";
import { PoolError } from "../../pool/error.ts";
import { errorFields, type Log } from "../log.ts";
import type { WireRequest } from "../wire.ts";
import type { Meter } from "./meter.ts";
import type { PodBook } from "./pod_book.ts";
import type { Attacher } from "./attach.ts";
import { eniOf } from "./attached.ts";
import {
  CNI_CODE,
  type CniRequest,
  decodeRequest,
  RequestError,
  versionOf,
} from "./request.ts";
import {
  addAnswer,
  type Answer,
  answer,
  errorAnswer,
  meaning,
  NOTHING,
  versionAnswer,
} from "./result.ts";
import type { SandboxRequest } from "./wish.ts";

/** An answer, and how to take back what it stands for. */
export interface Served {
  /** What the caller shall hear. */
  readonly answer: Answer;
  /** Run once the caller has it. */
  readonly heard?: () => void;
  /** Run when the caller can't hear it any more. */
  readonly undo?: () => Promise<void>;
}

/** What operators can ask over the same socket, by name. */
export type OperatorCommands = Readonly<
  Record<string, (body: unknown, signal: AbortSignal) => Promise<unknown>>
>;

/** Why no ADD can be served now. */
export interface NotReady {
  /** For people. */
  readonly why: string;
  /** Whether pods that are there suffer too. */
  readonly isLimited: boolean;
}

/** What a dispatcher works with. */
export interface DispatchParts {
  /** Serves the verbs of sandboxes. */
  readonly attacher: Attacher;
  /** Says whether an ADD could be served now: nothing, or why not. */
  readonly notReady: () => NotReady | undefined;
  /** Lets the ports of the node that lead to a pod answer. */
  readonly wayBack: { open(): Promise<void> };
  /** What an orchestrator knows of pods, and hears; absent without one. */
  readonly pods?: PodBook;
  /** How long an ADD may take before the runtime is told to come again. */
  readonly addDeadlineMs: number;
  /** Told of an error after which nothing can be trusted any more. */
  readonly broken: (error: Error) => void;
  /** Serves operators. */
  readonly commands: OperatorCommands;
  /** Hears how long each verb took. */
  readonly meter?: Pick<Meter, "verbEnded">;
  /** Where failures are told. */
  readonly log: Log;
}

/**
 * Serves one request; whatever goes wrong becomes an error's document.
 *
 * @param parts What it works with.
 * @param request The request.
 * @param gone Ends when the caller does.
 * @returns The answer.
 */
export async function dispatch(
  parts: DispatchParts,
  request: WireRequest,
  gone: AbortSignal,
): Promise<Served> {
  const startMs = performance.now();
  const name = request.variables.get("TERWAY_COMMAND");
  const verb = name ?? request.variables.get("CNI_COMMAND") ?? "";
  const fields = {
    op: verb,
    container: request.variables.get("CNI_CONTAINERID"),
    ifname: request.variables.get("CNI_IFNAME"),
    netns: request.variables.get("CNI_NETNS"),
  };
  const tookMs = (): number =>
    Math.round((performance.now() - startMs) * 100) / 100;
  const measure = (outcome: "ok" | "refused"): void =>
    parts.meter?.verbEnded({ name: verb, outcome, seconds: tookMs() / 1000 });
  try {
    const served = name === undefined
      ? await serveVerb(parts, request, gone)
      : { answer: await serveCommand(parts, { name, request }, gone) };
    parts.log.debug("served", { ...fields, took_ms: tookMs() });
    measure("ok");
    return served;
  } catch (error) {
    measure("refused");
    parts.log.warning("refused", {
      ...fields,
      took_ms: tookMs(),
      ...errorFields(error),
    });
    if (isBroken(error)) parts.broken(error);
    return { answer: errorAnswer(error, versionOf(request.stdin)) };
  }
}

/** The kernel's thread has died, or an invariant of the pool doesn't hold. */
function isBroken(error: unknown): error is Error {
  return error instanceof KernelError ||
    (error instanceof PoolError && error.kind === "broken");
}

async function serveVerb(
  parts: DispatchParts,
  wire: WireRequest,
  gone: AbortSignal,
): Promise<Served> {
  // Whoever asks for the versions may know none of ours.
  if (wire.variables.get("CNI_COMMAND") === "VERSION") {
    return { answer: versionAnswer(versionOf(wire.stdin)) };
  }
  const request = decodeRequest(wire.variables, wire.stdin);
  const { attacher } = parts;
  switch (request.verb) {
    case "ADD":
      return await orTell(
        parts,
        request,
        () => serveAdd(parts, ofSandbox(request), gone),
      );
    case "CHECK":
      await attacher.check(ofSandbox(request));
      return { answer: NOTHING };
    case "DEL":
      await attacher.delete(ofSandbox(request).owner);
      return { answer: NOTHING };
    case "GC":
      await serveGc(attacher, request);
      return { answer: NOTHING };
    case "STATUS":
      return { answer: status(parts) };
  }
}

/** Lets the orchestrator hear why a pod has no network. */
async function orTell<T>(
  { pods }: DispatchParts,
  { pod }: CniRequest,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { msg, details } = meaning(error);
    const why = details === "" ? msg : `${msg}: ${details}`;
    if (pod !== undefined) pods?.refused(pod, why);
    throw error;
  }
}

async function serveAdd(
  { attacher, wayBack, addDeadlineMs, pods, log }: DispatchParts,
  asked: SandboxRequest,
  gone: AbortSignal,
): Promise<Served> {
  const deadline = AbortSignal.timeout(addDeadlineMs);
  const startMs = performance.now();
  const request = await withAsks(asked, pods);
  if (request.config.hasHostPorts) await wayBack.open();
  const { attachments, plans, heard, undo } = await attacher.add(
    request,
    AbortSignal.any([gone, deadline]),
  );
  const tookMs = Math.round((performance.now() - startMs) * 100) / 100;
  const [first] = attachments;
  if (first !== undefined && request.pod !== undefined) {
    const eniId = eniOf(first)?.id;
    // A pod's addresses are those of the interface that the runtime named.
    const ips = addressesOf(first);
    pods?.attached(request.pod, { ips, tookMs, ...eniId && { eniId } });
  }
  log.info("attached", {
    ...(request.pod === undefined
      ? {}
      : { pod: `${request.pod.namespace}/${request.pod.name}` }),
    container: request.owner.containerId,
    ifname: attachments.map(({ owner }) => owner.ifName).join(", "),
    netns: first?.netns,
    eni: attachments.flatMap((one) => eniOf(one)?.id ?? []).join(", "),
    ip: attachments.flatMap(addressesOf).join(", "),
    took_ms: tookMs,
  });
  return { answer: addAnswer(plans, request.config), heard, undo };
}

/** What the runtime says comes first: it has read the same pod. */
async function withAsks(
  request: SandboxRequest,
  pods: PodBook | undefined,
): Promise<SandboxRequest> {
  const { pod, config } = request;
  if (pods === undefined || pod === undefined) return request;
  const asks = await pods.asksOf(pod);
  const { bandwidth, interfaces, wantsEni, keepsAddress, hindrance } = asks;
  if (hindrance !== undefined) {
    const { mayPass, message, problems } = hindrance;
    const { tryAgain, invalidConfig } = CNI_CODE;
    const code = mayPass ? tryAgain : invalidConfig;
    throw new RequestError(code, message, problems);
  }
  return {
    ...request,
    ...asks.wantsMember && {
      askMember: (node, signal) => pods.memberOf(pod, node, signal),
    },
    config: {
      ...bandwidth && { bandwidth },
      ...interfaces && { interfaces },
      ...wantsEni && { eni: "exclusive" },
      ...keepsAddress && { keepsAddress },
      ...config,
    },
  };
}

async function serveGc(attacher: Attacher, request: CniRequest): Promise<void> {
  const { name, validAttachments } = request.config;
  if (validAttachments === undefined) {
    throw new RequestError(
      CNI_CODE.invalidConfig,
      "GC needs cni.dev/valid-attachments: nothing was removed",
    );
  }
  await attacher.collect({ network: name, valid: validAttachments });
}

/**
 * A node without a free address isn't unready: runtimes make a node NotReady
 * by this, and Kubernetes then takes its pods away.
 */
function status({ notReady }: DispatchParts): Answer {
  const reason = notReady();
  if (reason === undefined) return NOTHING;
  const { notAvailable, limited } = CNI_CODE;
  throw new RequestError(
    reason.isLimited ? limited : notAvailable,
    reason.why,
  );
}

async function serveCommand(
  { commands }: DispatchParts,
  { name, request }: { name: string; request: WireRequest },
  signal: AbortSignal,
): Promise<Answer> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new RequestError(
      CNI_CODE.invalidVariable,
      `TERWAY_COMMAND must be ${Object.keys(commands).join(", ")}: it is ` +
        `"${name}"`,
    );
  }
  const text = new TextDecoder().decode(request.stdin);
  let body: unknown;
  try {
    body = text.trim() === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new RequestError(CNI_CODE.decode, "the request must be JSON", [
      String(error),
    ]);
  }
  return answer(await command(body, signal));
}

function ofSandbox(request: CniRequest): SandboxRequest {
  const { owner } = request;
  if (owner === undefined) {
    throw new Error(`Cannot serve ${request.verb} as it names no sandbox`);
  }
  return { ...request, owner };
}
