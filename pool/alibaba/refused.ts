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
  /** Where the credentials of the call come from, if that is known. */
  readonly source?: string | undefined;
}

/** Codes that say that a RAM policy lacks an action. */
const LACKING: ReadonlySet<string> = new Set(["Forbidden.RAM", "NoPermission"]);

/** Codes that say that the key isn't the cloud's. */
const WRONG_KEY = /^(InvalidAccessKeyId|SignatureDoesNotMatch)/;

/** Calls are signed with the time. Source: "Request signatures" of ECS. */
const WRONG_TIME = "InvalidTimeStamp.Expired";

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
  return new CloudError(
    `${call.action}: ${answer.message} [${code}]${remedyOf(call, answer)}`,
    {
      kind: kindOf(code, httpStatus),
      api: call.action,
      code,
      httpStatus,
      requestId,
    },
  );
}

function remedyOf(call: RefusedCall, answer: RefusalAnswer): string {
  const { code, source = "the configuration" } = answer;
  if (LACKING.has(code)) {
    const lacking = answer.authAction ?? `${call.product}:${call.action}`;
    return `: add ${lacking} to the RAM policy of the key or role in use ` +
      '(Effect Allow, Resource "*")';
  }
  if (WRONG_KEY.test(code)) {
    return `: the cloud doesn't take the key of ${source}; correct it there ` +
      "(in a cluster AK_ID and AK_SECRET are of the Secret aliyun-eni-ak), " +
      "then restart the daemon";
  }
  if (code !== WRONG_TIME) return "";
  return ": this machine's clock is off by more than 15 minutes, and calls " +
    "are signed with its time; let NTP set it (`chronyc tracking` or " +
    "`timedatectl` tell whether it does)";
}
