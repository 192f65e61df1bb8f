/**
 * Opens a cloud by its name: the only file that sees adapters.
 *
 * @module
 */
import type { Cloud, Instance } from "./cloud.ts";
import {
  type ClientOptions,
  endpointsFrom,
  OpenApiTransport,
} from "./alibaba/client.ts";
import { AlibabaCloud } from "./alibaba/cloud.ts";
import {
  CredentialChain,
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
  /** A pair that the configuration holds, if any. */
  readonly accessKey?: { readonly id: string; readonly secret: string };
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
}

/**
 * Opens a cloud.
 *
 * Reads `ALIBABA_CLOUD_IMDS_ENDPOINT`, `ECS_ENDPOINT`, `VPC_ENDPOINT`,
 * `ALICLOUD_CLIENT_SCHEME`, `AK_ID` and `AK_SECRET`.
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
  const credentials = new CredentialChain([
    staticSource("AK_ID and AK_SECRET", {
      id: env("AK_ID"),
      secret: new Secret(env("AK_SECRET") ?? ""),
    }),
    staticSource("access_key and access_secret", config.accessKey ?? {}),
    roleSource(metadata),
  ]);
  const options: ClientOptions = {
    region,
    credentials,
    endpoints: endpointsFrom(region, env),
  };
  return {
    cloud: new AlibabaCloud(new OpenApiTransport(options)),
    identity: (until) => metadata.identity(until),
    credentialSource: async (until) => (await credentials.get(until)).source,
  };
}
