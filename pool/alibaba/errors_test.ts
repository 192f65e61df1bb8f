import { assertEquals } from "@std/assert";
import type { CloudErrorKind } from "../cloud.ts";
import { kindOf } from "./errors.ts";

const TABLE: readonly [string, number, CloudErrorKind][] = [
  ["EniPerInstanceLimitExceeded", 403, "quota"],
  ["Forbidden.RAM", 403, "denied"],
  ["Forbidden.SubUser", 403, "denied"],
  ["IdempotentFailed", 400, "invalid"],
  ["InternalError", 500, "transient"],
  ["InvalidAccessKeyId.NotFound", 404, "denied"],
  ["InvalidEcsId.NotFound", 404, "notFound"],
  ["InvalidEniId.NotFound", 404, "notFound"],
  ["InvalidIp.IpUnassigned", 403, "notFound"],
  ["InvalidOperation.InvalidEniState", 400, "conflict"],
  ["InvalidOperation.Ipv4CountExceeded", 403, "quota"],
  ["InvalidOperation.Ipv6CountExceeded", 403, "quota"],
  ["InvalidParameter", 400, "invalid"],
  ["InvalidSecurityGroupId.NotFound", 404, "notFound"],
  ["InvalidSecurityToken.Expired", 400, "denied"],
  ["InvalidVSwitchId.IpNotEnough", 403, "exhausted"],
  ["Operation.Conflict", 403, "conflict"],
  ["QuotaExceeded.PrivateIpAddress", 403, "exhausted"],
  ["QuotaExceeded.Something", 403, "quota"],
  ["SecurityGroupInstanceLimitExceed", 403, "quota"],
  ["ServiceUnavailable", 503, "transient"],
  ["SignatureDoesNotMatch", 400, "denied"],
  ["Throttling", 400, "throttled"],
  ["Throttling.Api", 400, "throttled"],
  ["Throttling.User", 400, "throttled"],
  ["Unheard.Of", 400, "invalid"],
  ["Unheard.Of", 429, "throttled"],
  ["Unheard.Of", 502, "transient"],
  ["Unheard.NotFound", 404, "notFound"],
  ["ECONNREFUSED", 0, "transient"],
  ["constructor", 400, "invalid"],
];

for (const [code, status, kind] of TABLE) {
  Deno.test(`kindOf() takes ${code} with ${status} for ${kind}`, () => {
    assertEquals(kindOf(code, status), kind);
  });
}
