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
import { type ApiTransport, VERSIONS } from "../../../pool/alibaba/client.ts";
import { kindOf } from "../../../pool/alibaba/errors.ts";
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
    async call({ product, action, params }, signal): Promise<unknown> {
      signal.throwIfAborted();
      const outcome = perform(cloud, {
        action,
        version: VERSIONS[product],
        params: { RegionId: cloud.model.region, ...params },
        key,
        host: "direct",
      });
      return bodyOf(action, await orAbort(outcome, signal), signal);
    },
  };
  return new AlibabaCloud(transport);
}

function bodyOf(
  api: string,
  outcome: Outcome,
  signal: AbortSignal,
): unknown {
  switch (outcome.kind) {
    case "reply": {
      const { status, body } = outcome;
      if (status < 400) return body;
      const code = String(body["Code"]);
      throw new CloudError(`${api}: ${body["Message"]} [${code}]`, {
        kind: kindOf(code, status),
        api,
        code,
        httpStatus: status,
        requestId: String(body["RequestId"]),
      });
    }
    case "garbage":
    case "lost":
      throw new CloudError(`${api}: no answer of the cloud`, {
        kind: "transient",
        api,
        code: "NoAnswer",
        httpStatus: 0,
        requestId: "",
      });
    case "hang":
      return orAbort(new Promise<never>(() => {}), signal);
  }
}
