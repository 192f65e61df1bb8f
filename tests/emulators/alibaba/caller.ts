/**
 * Calls of an emulated cloud by their bare names, for tests of the service
 * itself rather than of the pool's adapter.
 *
 * @module
 */
import type { AccessKey } from "./access_keys.ts";
import type { EmulatedCloud } from "./cloud.ts";
import { perform, versionOf } from "./perform.ts";

/** An answer. */
export interface Answer {
  /** The HTTP status. */
  readonly status: number;
  /** The error's code, or `OK`. */
  readonly code: string;
  /** The body. */
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Makes a call.
 *
 * @param cloud The cloud.
 * @param action Such as `CreateNetworkInterface`.
 * @param params Its parameters, besides `RegionId`.
 * @param key Who calls; by default one who may all.
 * @returns The answer.
 * @throws {Error} When a fault leaves no answer.
 */
export async function ask(
  cloud: EmulatedCloud,
  action: string,
  params: Readonly<Record<string, string>>,
  key: AccessKey = { id: "test", secret: "", allow: ["*"] },
): Promise<Answer> {
  const outcome = await perform(cloud, {
    action,
    version: versionOf(action),
    params: { RegionId: cloud.model.region, ...params },
    key,
    host: "test",
  });
  if (outcome.kind !== "reply") throw new Error(`${action}: ${outcome.kind}`);
  const { status, body } = outcome;
  return { status, body, code: String(body["Code"] ?? "OK") };
}

/**
 * Makes a card that must come into being.
 *
 * @param stand Where, and in which group.
 * @param params What else is wished.
 * @returns Its id.
 */
export async function make(
  stand: { cloud: EmulatedCloud; vSwitchId: string; securityGroupId: string },
  params: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { status, code, body } = await ask(
    stand.cloud,
    "CreateNetworkInterface",
    {
      VSwitchId: stand.vSwitchId,
      SecurityGroupId: stand.securityGroupId,
      ...params,
    },
  );
  if (status !== 200) throw new Error(`CreateNetworkInterface: ${code}`);
  return String(body["NetworkInterfaceId"]);
}
