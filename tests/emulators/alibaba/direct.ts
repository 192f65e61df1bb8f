/**
 * The front without a wire: the pool's Alibaba adapter over function calls.
 *
 * Everything else is the same as over HTTP: parameters, RAM, ClientToken,
 * faults, error codes and the adapter itself; only sockets and signatures are
 * missing. With a virtual clock a day of a node takes seconds, and the same
 * seed gives the same run.
 *
 * @module
 */
import { orAbort } from "../../../pool/alibaba/abort.ts";
import { AlibabaCloud } from "../../../pool/alibaba/cloud.ts";
import {
  type ApiCall,
  type ApiTransport,
  VERSIONS,
} from "../../../pool/alibaba/client.ts";
import { refused } from "../../../pool/alibaba/refused.ts";
import { type Cloud, CloudError } from "../../../pool/cloud.ts";
import type { AccessKey } from "./access_keys.ts";
import type { EmulatedCloud } from "./cloud.ts";
import { type Outcome, perform } from "./perform.ts";

/** Who calls, unless somebody else is named. */
const ANYBODY: AccessKey = { id: "direct", secret: "", allow: ["*"] };

/**
 * Opens an emulated cloud as the pool sees clouds.
 *
 * @param cloud The cloud.
 * @param key Who calls; by default one who may all.
 * @returns The pool's cloud.
 */
export function openDirect(
  cloud: EmulatedCloud,
  key: AccessKey = ANYBODY,
): Cloud {
  const transport: ApiTransport = {
    async call(call, signal): Promise<unknown> {
      const { product, action, params } = call;
      signal.throwIfAborted();
      const outcome = perform(cloud, {
        action,
        version: VERSIONS[product],
        params: { RegionId: cloud.model.region, ...params },
        key,
        host: "direct",
      });
      return bodyOf(call, await orAbort(outcome, signal), signal);
    },
  };
  return new AlibabaCloud(transport);
}

function bodyOf(
  call: ApiCall,
  outcome: Outcome,
  signal: AbortSignal,
): unknown {
  switch (outcome.kind) {
    case "reply": {
      const { status, body } = outcome;
      if (status < 400) return body;
      const detail = body["AccessDeniedDetail"] as
        | { readonly AuthAction?: string }
        | undefined;
      throw refused(call, {
        code: String(body["Code"]),
        message: String(body["Message"]),
        httpStatus: status,
        requestId: String(body["RequestId"]),
        authAction: detail?.AuthAction,
      });
    }
    case "garbage":
    case "lost":
      throw new CloudError(`${call.action}: no answer of the cloud`, {
        kind: "transient",
        api: call.action,
        code: "NoAnswer",
        httpStatus: 0,
        requestId: "",
      });
    case "hang":
      return orAbort(new Promise<never>(() => {}), signal);
  }
}
