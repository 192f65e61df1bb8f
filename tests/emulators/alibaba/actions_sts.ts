/**
 * The one call of STS that is emulated. Nobody signs it.
 *
 * Shape: STS page AssumeRoleWithOIDC, read 2026-11-21.
 *
 * @module
 */
import type { EmulatedCloud } from "./cloud.ts";
import { invalid, type Params } from "./params.ts";
import type { Body } from "./tokens.ts";

/** How long a session lasts, in seconds: the bounds, and unless told. */
const SECONDS = { least: 900, most: 43_200, usual: 3_600 };

/**
 * AssumeRoleWithOIDC.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function assumeRoleWithOidc(cloud: EmulatedCloud, params: Params): Body {
  const name = params.required("RoleSessionName");
  const roleArn = params.required("RoleArn");
  const seconds = params.count("DurationSeconds") ?? SECONDS.usual;
  if (seconds < SECONDS.least || seconds > SECONDS.most) {
    throw invalid("DurationSeconds", seconds);
  }
  const session = cloud.oidc.assume({
    providerArn: params.required("OIDCProviderArn"),
    roleArn,
    token: params.required("OIDCToken"),
    expiresAtMs: cloud.clock.nowMs() + seconds * 1000,
  });
  return {
    Credentials: {
      AccessKeyId: session.id,
      AccessKeySecret: session.secret,
      SecurityToken: session.token,
      Expiration: iso(session.expiresAtMs ?? 0),
    },
    AssumedRoleUser: {
      Arn: `${roleArn}/${name}`.replace(":role/", ":assumed-role/"),
      AssumedRoleId: `${cloud.model.ownerId}:${name}`,
    },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19) + "Z";
}
