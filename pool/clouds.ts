/**
 * Opens a cloud by its name: the only file that sees adapters.
 *
 * @module
 */
import type { Cloud, Instance } from "./cloud.ts";
import {
  type CallEnded,
  type ClientOptions,
  endpointsFrom,
  OpenApiTransport,
} from "./alibaba/client.ts";
import { AlibabaCloud } from "./alibaba/cloud.ts";
import { addonTokenSource, secretSource } from "./alibaba/credential_files.ts";
import { oidcSource, stsEndpointFrom } from "./alibaba/credential_oidc.ts";
import {
  CredentialChain,
  type CredentialStatus,
  roleSource,
  Secret,
  staticSource,
} from "./alibaba/credentials.ts";
import { Metadata } from "./alibaba/instance.ts";

/** The clouds that can be opened. */
export type CloudName = "alibaba";

/** What a cloud needs to be opened. */
export interface CloudConfig {
  /** Which. */
  readonly name: CloudName;
  /** The region; by default the one that the instance is in. */
  readonly region?: string;
  /** A pair that the configuration holds, if any; half of one is an error. */
  readonly accessKey?: { readonly id?: string; readonly secret?: string };
  /**
   * Where the Secret with `ak_id` and `ak_secret` is mounted, if it is.
   *
   * @default {"/var/run/secrets/terway/aliyun-eni-ak"}
   */
  readonly secretFolder?: string;
  /** The file of a managed cluster's addon token, `credential_path`, if any. */
  readonly credentialPath?: string;
  /** Hears of each call that ended; mustn't throw. */
  readonly onCall?: (ended: CallEnded) => void;
}

/** An opened cloud. */
export interface OpenedCloud {
  /** The pool's cloud. */
  readonly cloud: Cloud;
  /**
   * Tells which instance this is; asks metadata each time.
   *
   * @param signal Ends the wait.
   * @returns The instance.
   */
  identity(signal: AbortSignal): Promise<Instance>;
  /**
   * Tells where the credentials come from, and so whether there are any.
   *
   * @param signal Ends the wait.
   * @returns Such as `RAM role terway`; no secret.
   */
  credentialSource(signal: AbortSignal): Promise<string>;
  /**
   * Tells of the credentials in use without asking for any.
   *
   * @returns Their source, their end, and why they couldn't be renewed, if so;
   * no secret. Nothing before the first call.
   */
  credentialStatus(): CredentialStatus | undefined;
}

export type { CallEnded, CredentialStatus };

/**
 * Opens a cloud.
 *
 * Reads `ALIBABA_CLOUD_IMDS_ENDPOINT`, `ECS_ENDPOINT`, `VPC_ENDPOINT`,
 * `STS_ENDPOINT`, `ALICLOUD_ENDPOINT_TYPE`, `ALICLOUD_CLIENT_SCHEME`. The
 * credentials are those of the first of these that is set up; one that is set
 * up wrongly is an error, not passed over:
 *
 * 1. the mounted Secret's files `ak_id` and `ak_secret`,
 * 2. the variables `AK_ID` and `AK_SECRET`,
 * 3. the configuration's `access_key` and `access_secret`,
 * 4. the addon token of `credential_path`,
 * 5. RRSA: the variables `ALIBABA_CLOUD_ROLE_ARN`,
 *    `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, and
 *    `ALIBABA_CLOUD_ROLE_SESSION_NAME` if it is set,
 * 6. the RAM role that the instance bears, from metadata.
 *
 * @param config Which, and as whom.
 * @param env Reads a variable.
 * @param signal Ends the wait for metadata, when the region isn't given.
 * @returns The cloud.
 * @throws {CloudError} When metadata doesn't tell the region.
 */
export async function openCloud(
  config: CloudConfig,
  env: (name: string) => string | undefined,
  signal: AbortSignal,
): Promise<OpenedCloud> {
  const imds = env("ALIBABA_CLOUD_IMDS_ENDPOINT");
  const metadata = new Metadata(imds ? { endpoint: imds } : {});
  const region = config.region ?? (await metadata.identity(signal)).region;
  const credentials = credentialsOf(config, env, { metadata, region });
  const options: ClientOptions = {
    region,
    credentials,
    endpoints: endpointsFrom(region, env),
    ...config.onCall && { onCall: config.onCall },
  };
  return {
    cloud: new AlibabaCloud(new OpenApiTransport(options)),
    identity: (until) => metadata.identity(until),
    credentialSource: async (until) => (await credentials.get(until)).source,
    credentialStatus: () => credentials.status(),
  };
}

function credentialsOf(
  config: CloudConfig,
  env: (name: string) => string | undefined,
  { metadata, region }: { metadata: Metadata; region: string },
): CredentialChain {
  return new CredentialChain([
    secretSource(config.secretFolder),
    staticSource("AK_ID and AK_SECRET", {
      id: env("AK_ID"),
      secret: new Secret(env("AK_SECRET") ?? ""),
      names: ["AK_ID", "AK_SECRET"],
    }),
    staticSource("access_key and access_secret", {
      ...config.accessKey,
      names: ["access_key", "access_secret"],
    }),
    addonTokenSource(config.credentialPath),
    oidcSource({ env, endpoint: stsEndpointFrom(region, env) }),
    roleSource(metadata),
  ]);
}
