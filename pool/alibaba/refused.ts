/**
 * The pool's error of an answer that refuses a call.
 *
 * @module
 */
import { CloudError } from "../cloud.ts";
import { kindOf } from "./errors.ts";

/** What was called. */
export interface RefusedCall {
  /** The service, as RAM policies name it. */
  readonly product: "ecs" | "vpc" | "sts";
  /** Such as `CreateNetworkInterface`. */
  readonly action: string;
}

/** What the answer says. */
export interface RefusalAnswer {
  /** The cloud's code. */
  readonly code: string;
  /** The cloud's words. */
  readonly message: string;
  /** The HTTP status. */
  readonly httpStatus: number;
  /** What the cloud's support asks for. */
  readonly requestId: string;
  /** The action that RAM refused, if the answer names it. */
  readonly authAction?: string | undefined;
}

/** Codes that say that a RAM policy lacks an action. */
const LACKING: ReadonlySet<string> = new Set(["Forbidden.RAM", "NoPermission"]);

/**
 * Makes the error.
 *
 * @example What a policy lacks is named, also where the cloud doesn't
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 *
 * const error = refused({ product: "ecs", action: "AttachNetworkInterface" }, {
 *   code: "Forbidden.RAM",
 *   message: "User not authorized",
 *   httpStatus: 403,
 *   requestId: "5C5B",
 * });
 * assertStringIncludes(error.message, "add ecs:AttachNetworkInterface");
 * ```
 * @param call What was called.
 * @param answer What came.
 * @returns The error.
 */
export function refused(call: RefusedCall, answer: RefusalAnswer): CloudError {
  const { code, httpStatus, requestId } = answer;
  const lacking = answer.authAction ?? `${call.product}:${call.action}`;
  const remedy = LACKING.has(code)
    ? `: add ${lacking} to the RAM policy of the key or role in use ` +
      '(Effect Allow, Resource "*")'
    : "";
  return new CloudError(
    `${call.action}: ${answer.message} [${code}]${remedy}`,
    {
      kind: kindOf(code, httpStatus),
      api: call.action,
      code,
      httpStatus,
      requestId,
    },
  );
}
