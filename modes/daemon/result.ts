/**
 * What a runtime hears: results and errors as the CNI spec writes them. The
 * only file that knows CNI's error codes for our errors.
 *
 * Source: CNI spec 1.1.0, section 5 "Result Types" (read 2026-11-21).
 *
 * @module
 */
import type { Plan } from "../../netns/step.ts";
import { behind, resultOf } from "./cni_result.ts";
import { ConfigError } from "./config.ts";
import {
  CNI_CODE,
  CNI_VERSIONS,
  type CniVersion,
  type NetworkConfig,
  RequestError,
} from "./request.ts";

/** A pod's network isn't as it was made; CHECK says so with this code. */
export const CODE_CHANGED = 100;

/** The kernel refused. */
export const CODE_KERNEL = 101;

/** The interface's name is taken by somebody else. */
export const CODE_TAKEN = 102;

/** The cloud refused in a way that no retry cures. */
export const CODE_CLOUD = 103;

/** Anything else: a bug, or a broken state. */
export const CODE_INTERNAL = 199;

/** What goes back to the caller. */
export interface Answer {
  /** 0, or 1 when the document is an error. */
  readonly status: number;
  /** One line of JSON, or nothing. */
  readonly document: string;
}

/** An answer that says nothing but that it went well. */
export const NOTHING: Answer = { status: 0, document: "" };

/**
 * Writes the result of an ADD in the version that was asked for.
 *
 * @param plans What was applied for the pod, a plan an interface.
 * @param config The network configuration; a result of earlier plugins in the
 * list becomes part of ours.
 * @returns The answer.
 */
export function addAnswer(
  plans: readonly Plan[],
  { cniVersion, prevResult }: Pick<NetworkConfig, "cniVersion" | "prevResult">,
): Answer {
  const own = plans.map((plan) => resultOf(plan, cniVersion)).reduce(behind);
  return answer(prevResult === undefined ? own : behind(prevResult, own));
}

/**
 * Writes the answer to VERSION.
 *
 * @param version The version of the network configuration.
 * @returns The answer.
 */
export function versionAnswer(version: CniVersion): Answer {
  return answer({ cniVersion: version, supportedVersions: CNI_VERSIONS });
}

/**
 * Writes any value as an answer that went well.
 *
 * @param value What JSON can say.
 * @returns The answer.
 */
export function answer(value: unknown): Answer {
  return { status: 0, document: JSON.stringify(value) + "\n" };
}

/**
 * Writes an error as the spec's document.
 *
 * @param error What was thrown.
 * @param version The version of the network configuration.
 * @returns The answer; its status is 1.
 */
export function errorAnswer(error: unknown, version: CniVersion): Answer {
  const { code, msg, details } = meaning(error);
  const document = { cniVersion: version, code, msg, details };
  return { status: 1, document: JSON.stringify(document) + "\n" };
}

/**
 * Tells what an error means to a runtime: 11 only for what a retry can cure.
 *
 * @param error What was thrown.
 * @returns The code, what happened, and the rest.
 */
export function meaning(
  error: unknown,
): { code: number; msg: string; details: string } {
  if (error instanceof RequestError) {
    return { code: error.code, msg: error.message, details: error.details };
  }
  if (error instanceof AggregateError) {
    const all = error.errors.map(meaning);
    return {
      code: all[0]?.code ?? CODE_INTERNAL,
      msg: error.message,
      details: all.map(({ msg }) => msg).join("; "),
    };
  }
  if (error instanceof ConfigError) {
    return { code: CNI_CODE.invalidConfig, msg: error.message, details: "" };
  }
  if (!(error instanceof Error)) {
    return { code: CODE_INTERNAL, msg: String(error), details: "" };
  }
  return { code: codeOf(error), msg: error.message, details: causes(error) };
}

/** By the name, as errors of the kernel's Worker come as copies. */
function codeOf(error: Error): number {
  const kind = "kind" in error ? error.kind : undefined;
  switch (error.name) {
    case "PoolError":
      return kind === "broken" ? CODE_INTERNAL : CNI_CODE.tryAgain;
    case "CloudError":
      return kind === "denied" || kind === "invalid"
        ? CODE_CLOUD
        : CNI_CODE.tryAgain;
    case "JournalError":
      return CNI_CODE.io;
    case "NamespaceError":
      return CNI_CODE.invalidVariable;
    case "TakenError":
      return CODE_TAKEN;
    case "NetlinkError":
    case "ApplyError":
      return CODE_KERNEL;
    case "TimeoutError":
    case "AbortError":
      return CNI_CODE.tryAgain;
  }
  return CODE_INTERNAL;
}

function causes(error: Error): string {
  const lines: string[] = [];
  let cause = error.cause;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    lines.push(cause.message);
    cause = cause.cause;
  }
  return lines.join("; ");
}
