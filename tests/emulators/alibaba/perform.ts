/**
 * One call from its parameters to its outcome: the one place where both
 * fronts meet, where faults happen, and where RAM and ClientToken are heeded.
 *
 * @module
 */
import { type AccessKey, demandAllowed, forbidden } from "./access_keys.ts";
import * as eni from "./actions_eni.ts";
import * as ipv6 from "./actions_ipv6.ts";
import * as region from "./actions_region.ts";
import * as route from "./actions_route.ts";
import { assumeRoleWithOidc } from "./actions_sts.ts";
import type { EmulatedCloud } from "./cloud.ts";
import type { Fault } from "./faults.ts";
import { Params } from "./params.ts";
import { errorBody, Refusal } from "./refusal.ts";
import type { Body } from "./tokens.ts";
import { wait } from "./wait.ts";

/** A call whose caller is known. */
export interface Call {
  /** Such as `CreateNetworkInterface`. */
  readonly action: string;
  /** The API's version, which tells ECS, VPC and STS apart. */
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

/** A service: what it is called in RAM policies, and what it can do. */
interface Product {
  readonly ram: string;
  readonly actions: Readonly<Record<string, Action>>;
  /** Whether RAM has no say, since the caller proves itself otherwise. */
  readonly isOpen?: boolean;
}

const PRODUCTS: Readonly<Record<string, Product>> = {
  "2014-05-26": {
    ram: "ecs",
    actions: {
      AssignIpv6Addresses: ipv6.assignIpv6Addresses,
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
      UnassignIpv6Addresses: ipv6.unassignIpv6Addresses,
      UnassignPrivateIpAddresses: eni.unassignPrivateIpAddresses,
    },
  },
  "2016-04-28": {
    ram: "vpc",
    actions: {
      CreateRouteEntry: route.createRouteEntry,
      DeleteRouteEntry: route.deleteRouteEntry,
      DescribeRouteEntryList: route.describeRouteEntryList,
      DescribeRouteTableList: route.describeRouteTableList,
      DescribeVSwitches: region.describeVSwitches,
    },
  },
  "2015-04-01": {
    ram: "sts",
    actions: { AssumeRoleWithOIDC: assumeRoleWithOidc },
    isOpen: true,
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
  return fault === undefined
    ? await answer(cloud, call)
    : await spoilt(cloud, call, fault);
}

/**
 * Tells which version of the API has an action.
 *
 * @param action Such as `CreateNetworkInterface`.
 * @returns Such as `2014-05-26`; that of ECS for an unknown action.
 */
export function versionOf(action: string): string {
  const found = Object.entries(PRODUCTS)
    .find(([, { actions }]) => Object.hasOwn(actions, action));
  return found?.[0] ?? "2014-05-26";
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
  fault: Fault,
): Promise<Outcome> {
  switch (fault.kind) {
    case "slow": // it is late by now
      return await answer(cloud, call);
    case "slow attach":
      cloud.delayAttach(call.params["NetworkInterfaceId"] ?? "", fault.ms);
      return await answer(cloud, call);
    case "throttle":
      cloud.throttle.block(call.action, cloud.clock.nowMs());
      return await answer(cloud, call);
    case "refuse":
      return refused(cloud, refusalOf(call, fault), call.host);
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

function refusalOf(
  { key, action, version }: Call,
  { code, message, status }: Extract<Fault, { kind: "refuse" }>,
): Refusal {
  if (code === "Forbidden.RAM" && message === undefined) {
    return forbidden(key, `${PRODUCTS[version]?.ram}:${action}`);
  }
  return new Refusal(
    code,
    message ?? `Request was denied due to ${code}.`,
    status === undefined ? {} : { status },
  );
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
  const product = PRODUCTS[call.version];
  if (product === undefined) {
    throw new Refusal(
      "InvalidVersion",
      "Specified parameter Version is not valid.",
    );
  }
  const action = Object.hasOwn(product.actions, call.action)
    ? product.actions[call.action]
    : undefined;
  if (action === undefined) {
    throw new Refusal(
      "InvalidAction.NotFound",
      "Specified api is not found, please check your url and method.",
    );
  }
  cloud.throttle.demand(call.action, cloud.clock.nowMs());
  if (product.isOpen !== true) {
    demandAllowed(call.key, `${product.ram}:${call.action}`);
  }
  const params = new Params(call.params);
  return await cloud.tokens.once(
    { caller: call.key.id, action: call.action, params: call.params },
    async () => await action(cloud, params),
  );
}
