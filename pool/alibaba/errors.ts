/**
 * What the cloud's error codes mean for the pool: the only table of them.
 *
 * Sources: error tables of the API pages of the calls in `cloud.ts`, "Public
 * error codes" and "API throttling" of ECS, "Error codes" of STS, and the codes
 * that Terway heeds, all read 2026-11-21.
 *
 * @module
 */
import type { CloudErrorKind } from "../cloud.ts";

/** Codes that mean the same whatever follows them. */
const KINDS: Readonly<Record<string, CloudErrorKind>> = {
  "1011": "notFound", // EFLO's codes are numbers
  "1013": "quota",
  "EniPerInstanceLimitExceeded": "quota",
  "IdempotentFailed": "token",
  "IdempotentParameterMismatch": "token", // tags of another configuration
  "IdempotentProcessing": "conflict",
  "IncorrectRouteEntryStatus": "conflict", // a table takes one change at a time
  "InternalError": "transient",
  "InvalidAccessKeyId": "denied",
  "InvalidAccessKeyId.Inactive": "denied",
  "InvalidAccessKeyId.NotFound": "denied",
  "InvalidCIDRBlock.Duplicate": "conflict",
  "InvalidIp.IpUnassigned": "notFound",
  "InvalidOperation.EniCountExceeded": "quota",
  "InvalidOperation.InvalidEcsState": "conflict",
  "InvalidOperation.InvalidEniState": "conflict",
  "InvalidOperation.Ipv4CountExceeded": "quota",
  "InvalidOperation.Ipv6CountExceeded": "quota",
  "InvalidStatus": "conflict",
  "InvalidTimeStamp.Expired": "denied", // this machine's clock is off
  "InvalidVSwitchId.IpNotEnough": "exhausted",
  "InvalidVSwitchId.IpPrefixNotEnough": "exhausted",
  "MaxEniCountExceeded": "quota",
  "MaxEniIpv6IpsCountExceeded": "quota",
  "MissingSecurityToken": "denied",
  "Operation.Conflict": "conflict",
  "QuotaExceeded.PrivateIpAddress": "exhausted",
  "SecurityGroupInstanceLimitExceed": "quota",
  "ServiceUnavailable": "transient",
  "SignatureDoesNotMatch": "denied",
  "SignatureNonceUsed": "transient", // a repeated call signs with a new one
  "TaskConflict": "conflict",
};

/** Families of codes, by their beginning; asked after {@linkcode KINDS}. */
const FAMILIES: readonly (readonly [string, CloudErrorKind])[] = [
  ["Throttling", "throttled"],
  ["Forbidden", "denied"],
  ["Abs.InvalidAccount", "denied"],
  ["AuthenticationFail", "denied"],
  ["EntityNotExist", "denied"], // of STS: the role or its issuer
  ["InvalidSecurityToken", "denied"],
  ["NoPermission", "denied"],
  ["QuotaExceed", "quota"],
  ["ServiceUnavailable", "transient"],
];

/**
 * Tells what an error code means.
 *
 * @example An unknown code goes by its ending, then by its status
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(kindOf("Throttling.User", 400), "throttled");
 * assertEquals(kindOf("InvalidNovelty.NotFound", 404), "notFound");
 * assertEquals(kindOf("Novelty", 503), "transient");
 * ```
 * @param code The cloud's code.
 * @param httpStatus The answer's status; 0 when there was no answer.
 * @returns What it means.
 */
export function kindOf(code: string, httpStatus: number): CloudErrorKind {
  if (Object.hasOwn(KINDS, code)) return KINDS[code] ?? "invalid";
  const family = FAMILIES.find(([start]) => code.startsWith(start));
  if (family !== undefined) return family[1];
  if (httpStatus === 429) return "throttled";
  if (httpStatus === 0 || httpStatus >= 500) return "transient";
  // Its beginning is on no stored page; Terway's source tells its end.
  if (code.endsWith("IpPrefixNotEnough")) return "exhausted";
  return code.endsWith(".NotFound") ? "notFound" : "invalid";
}
