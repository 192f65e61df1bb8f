/**
 * The words in which the service refuses a call.
 *
 * Codes and statuses come from the error tables of the API pages
 * CreateNetworkInterface, AttachNetworkInterface, DetachNetworkInterface,
 * DeleteNetworkInterface, AssignPrivateIpAddresses,
 * UnassignPrivateIpAddresses, AssignIpv6Addresses and UnassignIpv6Addresses of
 * ECS 2014-05-26, and from the pages "Public error codes" and "Troubleshoot
 * API error codes"; those of routes from the VPC
 * page CreateRouteEntry, those of OIDC from the STS page "Error codes", all
 * read 2026-11-21. The pages give `%s` as the message of most codes: those sentences are ours.
 *
 * @module
 */

/** Every code that the emulator can refuse with, and its HTTP status. */
export const STATUSES = {
  "AuthenticationFail.NoPermission": 401,
  "AuthenticationFail.OIDCToken.Expired": 401,
  "AuthenticationFail.OIDCToken.Invalid": 401,
  "EniPerInstanceLimitExceeded": 403,
  "Forbidden.RAM": 403,
  "IdempotentFailed": 400,
  "IdempotentParameterMismatch": 400,
  "IncompleteSignature": 400,
  "IncorrectRouteEntryStatus": 400,
  "InternalError": 500,
  "InvalidAccessKeyId.Inactive": 400,
  "InvalidAccessKeyId.NotFound": 404,
  "InvalidAction.NotFound": 404,
  "InvalidCIDRBlock.Duplicate": 400,
  "InvalidCidrBlock": 400,
  "InvalidCidrBlock.Malformed": 400,
  "InvalidEcsId.NotFound": 404,
  "InvalidEniId.NotFound": 404,
  "InvalidInstanceId.NotFound": 404,
  "InvalidIp.Address": 403,
  "InvalidIp.IpAssigned": 403,
  "InvalidIp.IpRepeated": 403,
  "InvalidIp.IpUnassigned": 403,
  "InvalidNextHop.NotFound": 400,
  "InvalidOperation.AvailabilityZoneMismatch": 403,
  "InvalidOperation.DetachPrimaryEniNotAllowed": 400,
  "InvalidOperation.EniCountExceeded": 403,
  "InvalidOperation.InvalidEniState": 400,
  "InvalidOperation.InvalidEniType": 403,
  "InvalidOperation.Ipv4CountExceeded": 403,
  "InvalidOperation.Ipv6CountExceeded": 403,
  "InvalidOperation.Ipv6NotSupport": 403,
  "InvalidOperation.VpcMismatch": 403,
  "InvalidParameter": 400,
  "InvalidRouteEntry.NotFound": 404,
  "InvalidRouteTableId.NotFound": 404,
  "InvalidSecurityGroupId.NotFound": 404,
  "InvalidSecurityToken.Expired": 400,
  "InvalidSecurityToken.Malformed": 400,
  "InvalidTimeStamp.Expired": 400,
  "InvalidTimeStamp.Format": 400,
  "InvalidVSwitch.Ipv6NotTurnOn": 403,
  "InvalidVSwitchId.IpInvalid": 403,
  "InvalidVSwitchId.IpNotEnough": 403,
  // Its name's end is told by Terway's source, the whole by no stored page.
  "InvalidVSwitchId.IpPrefixNotEnough": 403,
  "InvalidVSwitchId.NotFound": 404,
  "InvalidVersion": 400,
  "MaxEniCountExceeded": 403,
  "MaxEniIpv6IpsCountExceeded": 403,
  "MissingParameter": 400,
  "MissingSecurityToken": 400,
  "Operation.Conflict": 403,
  "QuotaExceeded": 400,
  "QuotaExceeded.PrivateIpAddress": 403,
  "SecurityGroupInstanceLimitExceed": 403,
  "ServiceUnavailable": 503,
  // Clients see 400 from the gateway; an older table of ECS says 403.
  "SignatureDoesNotMatch": 400,
  "SignatureNonceUsed": 400,
  "Throttling": 400,
  "Throttling.Api": 400,
  "Throttling.User": 400,
} as const;

/** A code of {@linkcode STATUSES}. */
export type Code = keyof typeof STATUSES;

/** A call that the emulated service refuses. */
export class Refusal extends Error {
  /** The class's name. */
  override readonly name = "Refusal";
  /** The service's code, such as `InvalidEniId.NotFound`. */
  readonly code: string;
  /** The HTTP status of the answer. */
  readonly status: number;
  /** What else the answer's body says. */
  readonly detail: Readonly<Record<string, unknown>>;

  /**
   * Makes one.
   *
   * @param code The service's code.
   * @param message What the answer's `Message` says.
   * @param more The HTTP status, by default that of the code, and what else
   * the body says.
   */
  constructor(
    code: Code,
    message: string,
    more: { status?: number; detail?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = more.status ?? STATUSES[code];
    this.detail = more.detail ?? {};
  }
}

/**
 * Makes the body of an error answer.
 *
 * @param refusal Why.
 * @param at Which host answers, and the request's id.
 * @returns `Code`, `Message`, `RequestId`, `HostId`, `Recommend` and more.
 */
export function errorBody(
  refusal: Refusal,
  at: { host: string; requestId: string },
): Record<string, unknown> {
  const query = new URLSearchParams({
    q: refusal.code,
    product: "Ecs",
    requestId: at.requestId,
  });
  return {
    RequestId: at.requestId,
    HostId: at.host,
    Code: refusal.code,
    Message: refusal.message,
    Recommend: `https://api.aliyun.com/troubleshoot?${query}`,
    ...refusal.detail,
  };
}
