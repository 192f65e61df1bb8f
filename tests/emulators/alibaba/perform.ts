/**
 * One call from its parameters to its outcome: the one place where both
 * fronts meet, where faults happen, and where RAM and ClientToken are heeded.
 *
 * @module
 */
import { type AccessKey, demandAllowed } from "./access_keys.ts";
import * as eni from "./actions_eni.ts";
import * as region from "./actions_region.ts";
import type { EmulatedCloud } from "./cloud.ts";
import type { Fault } from "./faults.ts";
import { Params } from "./params.ts";
import { errorBody, Refusal, STATUSES } from "./refusal.ts";
import type { Body } from "./tokens.ts";
import { wait } from "./wait.ts";

/** A call whose caller is known. */
export interface Call {
  /** Such as `CreateNetworkInterface`. */
  readonly action: string;
  /** The API's version, which tells ECS from VPC. */
  readonly version: string;
  /** Its own parameters; none of the signature's. */
  readonly params: Readonly<Record<string, string>>;
  /** Who calls. */
  readonly key: AccessKey;
  /** The host that was called; the answer's `HostId`. */
  readonly host: string;
}

/** What comes of a call. */
export type Outcome =
  /** An answer: HTTP status and JSON body. */
  | { readonly kind: "reply"; readonly status: number; readonly body: Body }
  /** An answer that isn't one. */
  | { readonly kind: "garbage"; readonly status: number; readonly text: string }
  /** No answer, ever. */
  | { readonly kind: "hang" }
  /** The connection breaks in the answer. */
  | { readonly kind: "lost" };

type Action = (cloud: EmulatedCloud, params: Params) => Body | Promise<Body>;

const ACTIONS: Readonly<
  Record<string, { ram: string; actions: Readonly<Record<string, Action>> }>
> = {
  "2014-05-26": {
    ram: "ecs",
    actions: {
      AssignPrivateIpAddresses: eni.assignPrivateIpAddresses,
      AttachNetworkInterface: eni.attachNetworkInterface,
      CreateNetworkInterface: eni.createNetworkInterface,
      DeleteNetworkInterface: eni.deleteNetworkInterface,
      DescribeInstanceAttribute: region.describeInstanceAttribute,
      DescribeInstances: region.describeInstances,
      DescribeInstanceTypes: region.describeInstanceTypes,
      DescribeNetworkInterfaces: eni.describeNetworkInterfaces,
      DetachNetworkInterface: eni.detachNetworkInterface,
      ModifyNetworkInterfaceAttribute: eni.modifyNetworkInterfaceAttribute,
      UnassignPrivateIpAddresses: eni.unassignPrivateIpAddresses,
    },
  },
  "2016-04-28": {
    ram: "vpc",
    actions: { DescribeVSwitches: region.describeVSwitches },
  },
};

/** What a proxy in the way might say. */
const GARBAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>";

/**
 * Performs a call.
 *
 * @param cloud The cloud.
 * @param call The call.
 * @returns What comes of it; it never throws.
 */
export async function perform(
  cloud: EmulatedCloud,
  call: Call,
): Promise<Outcome> {
  const fault = cloud.before(call);
  const lateMs = cloud.replyMs + (fault?.kind === "slow" ? fault.ms : 0);
  try {
    if (lateMs > 0) await wait(cloud.clock, lateMs, cloud.signal);
  } catch {
    return { kind: "hang" }; // the cloud was closed
  }
  if (fault === undefined || fault.kind === "slow") {
    return await answer(cloud, call);
  }
  return await spoilt(cloud, call, fault);
}

/**
 * Makes the outcome of a call that is refused.
 *
 * @param cloud The cloud, which gives the request id.
 * @param refusal Why.
 * @param host The host that was called.
 * @returns The answer.
 */
export function refused(
  cloud: EmulatedCloud,
  refusal: Refusal,
  host: string,
): Outcome {
  const requestId = cloud.identity.requestId();
  const body = errorBody(refusal, { host, requestId });
  return { kind: "reply", status: refusal.status, body };
}

async function spoilt(
  cloud: EmulatedCloud,
  call: Call,
  fault: Exclude<Fault, { kind: "slow" }>,
): Promise<Outcome> {
  switch (fault.kind) {
    case "refuse": {
      const { code, message, status } = fault;
      const refusal = new Refusal(
        code,
        message ?? `Request was denied due to ${code}.`,
        status ?? STATUSES[code],
      );
      return refused(cloud, refusal, call.host);
    }
    case "hang":
      if (fault.done) await answer(cloud, call);
      return { kind: "hang" };
    case "lost":
      await answer(cloud, call);
      return { kind: "lost" };
    case "garbage":
      if (fault.done) await answer(cloud, call);
      return { kind: "garbage", status: fault.status ?? 200, text: GARBAGE };
  }
}

async function answer(cloud: EmulatedCloud, call: Call): Promise<Outcome> {
  try {
    const body = await work(cloud, call);
    return {
      kind: "reply",
      status: 200,
      body: { RequestId: cloud.identity.requestId(), ...body },
    };
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(
      "InternalError",
      "The request processing has failed due to some unknown error.",
    );
    return refused(cloud, refusal, call.host);
  }
}

async function work(cloud: EmulatedCloud, call: Call): Promise<Body> {
  const product = ACTIONS[call.version];
  if (product === undefined) {
    throw new Refusal(
      "InvalidVersion",
      "Specified parameter Version is not valid.",
    );
  }
  const action = product.actions[call.action];
  if (action === undefined) {
    throw new Refusal(
      "InvalidAction.NotFound",
      "Specified api is not found, please check your url and method.",
    );
  }
  demandAllowed(call.key, `${product.ram}:${call.action}`);
  const params = new Params(call.params);
  return await cloud.tokens.once(
    { caller: call.key.id, action: call.action, params: call.params },
    async () => await action(cloud, params),
  );
}
