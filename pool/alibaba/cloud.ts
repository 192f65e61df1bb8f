/**
 * Alibaba Cloud behind the pool's {@linkcode Cloud}: the verbs and what they
 * are called there.
 *
 * @module
 */
import { type Cidr, type Family, familyOf, type Ip } from "../../netns/ip.ts";
import {
  type Cloud,
  CloudError,
  type Eni,
  type EniFilter,
  type EniWish,
  type Instance,
  type InstanceLimits,
  type VSwitch,
} from "../cloud.ts";
import {
  type Decoder,
  readAssigned,
  readAssigned6,
  readAssignedPrefixes,
  readAssignedPrefixes6,
  readDone,
  readEni,
  readEniPage,
  readInstances,
  readInstanceTypes,
  readVSwitches,
  requestIdOf,
} from "./answers.ts";
import type { ApiCall, ApiTransport } from "./client.ts";

/** Cards a page. Source: DescribeNetworkInterfaces, `MaxResults`. */
const ENIS_A_PAGE = 500;

/** Pages of one listing; more can only be an endless loop. */
const PAGES_AT_MOST = 100;

/** How addresses of one family are taken from a card. */
interface Unassigning {
  readonly action: string;
  /** What names them. */
  readonly param: string;
  /** Where a card shows them. */
  readonly field: "ips" | "ips6" | "prefixes";
}

const UNASSIGN_IPV4: Unassigning = {
  action: "UnassignPrivateIpAddresses",
  param: "PrivateIpAddress",
  field: "ips",
};

const UNASSIGN_PREFIXES: Unassigning = {
  action: "UnassignPrivateIpAddresses",
  param: "Ipv4Prefix",
  field: "prefixes",
};

const UNASSIGN_PREFIXES6: Unassigning = {
  action: "UnassignIpv6Addresses",
  param: "Ipv6Prefix",
  field: "prefixes",
};

const UNASSIGN_IPV6: Unassigning = {
  action: "UnassignIpv6Addresses",
  param: "Ipv6Address",
  field: "ips6",
};

/** The pool's cloud, over whatever carries the calls. */
export class AlibabaCloud implements Cloud {
  readonly #transport: ApiTransport;

  /**
   * Makes one.
   *
   * @param transport Carries the calls.
   */
  constructor(transport: ApiTransport) {
    this.#transport = transport;
  }

  /** {@inheritDoc Cloud.describeInstance} */
  async describeInstance(id: string, signal: AbortSignal): Promise<Instance> {
    const call = ecs("DescribeInstances", {
      InstanceIds: JSON.stringify([id]),
    });
    const body = await this.#transport.call(call, signal);
    const instance = readInstances(call.action, body)
      .find((one) => one.id === id);
    if (instance === undefined) throw missing(call, id, body);
    return instance;
  }

  /** {@inheritDoc Cloud.describeLimits} */
  async describeLimits(
    type: string,
    signal: AbortSignal,
  ): Promise<InstanceLimits> {
    const call = ecs("DescribeInstanceTypes", { "InstanceTypes.1": type });
    const body = await this.#transport.call(call, signal);
    const limits = readInstanceTypes(call.action, body).get(type);
    if (limits === undefined) {
      const what = `instance type ${type}, so how many ENIs and addresses ` +
        "it has can't be told";
      throw missing(call, what, body);
    }
    return limits;
  }

  /** {@inheritDoc Cloud.describeVSwitches} */
  async describeVSwitches(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly VSwitch[]> {
    const found: VSwitch[] = [];
    for (const id of ids) { // `VSwitchId` takes one
      const call: ApiCall = {
        product: "vpc",
        action: "DescribeVSwitches",
        params: { VSwitchId: id },
      };
      const vSwitches = await this.#call(call, readVSwitches, signal);
      found.push(...vSwitches.filter((vSwitch) => vSwitch.id === id));
    }
    return found;
  }

  /** {@inheritDoc Cloud.describeEnis} */
  async describeEnis(
    filter: EniFilter,
    signal: AbortSignal,
  ): Promise<readonly Eni[]> {
    const enis: Eni[] = [];
    let nextToken = "";
    for (let page = 0; page < PAGES_AT_MOST; page++) {
      const call = ecs("DescribeNetworkInterfaces", {
        MaxResults: String(ENIS_A_PAGE),
        ...(nextToken === "" ? {} : { NextToken: nextToken }),
        ...(filter.instanceId === undefined
          ? {}
          : { InstanceId: filter.instanceId }),
        ...list("NetworkInterfaceId", filter.ids ?? []),
        ...tagParams(filter.tags ?? {}),
      });
      const piece = await this.#call(call, readEniPage, signal);
      enis.push(...piece.enis);
      nextToken = piece.nextToken;
      if (nextToken === "") return enis;
    }
    throw new CloudError("DescribeNetworkInterfaces: the pages never end", {
      kind: "transient",
      api: "DescribeNetworkInterfaces",
      code: "EndlessPages",
      httpStatus: 200,
      requestId: "",
    });
  }

  /** {@inheritDoc Cloud.createEni} */
  async createEni(wish: EniWish, signal: AbortSignal): Promise<Eni> {
    const secondaryCount = wish.ipCount - 1; // the primary one comes by itself
    const { ip6Count = 0, prefixCount = 0, prefix6Count = 0 } = wish;
    const call = ecs("CreateNetworkInterface", {
      VSwitchId: wish.vSwitchId,
      ...list("SecurityGroupIds", wish.securityGroupIds),
      InstanceType: wish.trunk ? "Trunk" : "Secondary",
      ...(secondaryCount > 0
        ? { SecondaryPrivateIpAddressCount: String(secondaryCount) }
        : {}),
      ...(prefixCount > 0 ? { Ipv4PrefixCount: String(prefixCount) } : {}),
      ...(ip6Count > 0 ? { Ipv6AddressCount: String(ip6Count) } : {}),
      ...(prefix6Count > 0 ? { Ipv6PrefixCount: String(prefix6Count) } : {}),
      ...(wish.resourceGroupId === undefined
        ? {}
        : { ResourceGroupId: wish.resourceGroupId }),
      Description: wish.description,
      ...tagParams(wish.tags),
      ClientToken: wish.token,
    });
    return await this.#call(call, readEni, signal);
  }

  /** {@inheritDoc Cloud.attachEni} */
  async attachEni(
    call: { eniId: string; instanceId: string },
    signal: AbortSignal,
  ): Promise<void> {
    const params = {
      NetworkInterfaceId: call.eniId,
      InstanceId: call.instanceId,
    };
    await this.#call(ecs("AttachNetworkInterface", params), readDone, signal);
  }

  /** {@inheritDoc Cloud.detachEni} */
  async detachEni(
    call: { eniId: string; instanceId: string },
    signal: AbortSignal,
  ): Promise<void> {
    const params = {
      NetworkInterfaceId: call.eniId,
      InstanceId: call.instanceId,
    };
    await orGone(
      this.#call(ecs("DetachNetworkInterface", params), readDone, signal),
    );
  }

  /** {@inheritDoc Cloud.deleteEni} */
  async deleteEni(eniId: string, signal: AbortSignal): Promise<void> {
    const params = { NetworkInterfaceId: eniId };
    await orGone(
      this.#call(ecs("DeleteNetworkInterface", params), readDone, signal),
    );
  }

  /** {@inheritDoc Cloud.assignIps} */
  async assignIps(
    call: { eniId: string; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Ip[]> {
    const params = {
      NetworkInterfaceId: call.eniId,
      SecondaryPrivateIpAddressCount: String(call.count),
      ClientToken: call.token,
    };
    return await this.#call(
      ecs("AssignPrivateIpAddresses", params),
      readAssigned,
      signal,
    );
  }

  /** {@inheritDoc Cloud.unassignIps} */
  async unassignIps(
    call: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#unassignLeft(UNASSIGN_IPV4, call, signal);
  }

  /** {@inheritDoc Cloud.assignPrefixes} */
  async assignPrefixes(
    call: { eniId: string; family: Family; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Cidr[]> {
    const { eniId, family, token } = call;
    const params = { NetworkInterfaceId: eniId, ClientToken: token };
    const count = String(call.count);
    if (family === 6) {
      const six = { ...params, Ipv6PrefixCount: count };
      const api = ecs("AssignIpv6Addresses", six);
      return await this.#call(api, readAssignedPrefixes6, signal);
    }
    const four = { ...params, Ipv4PrefixCount: count };
    const api = ecs("AssignPrivateIpAddresses", four);
    return await this.#call(api, readAssignedPrefixes, signal);
  }

  /** {@inheritDoc Cloud.unassignPrefixes} */
  async unassignPrefixes(
    { eniId, prefixes: ips }: { eniId: string; prefixes: readonly Cidr[] },
    signal: AbortSignal,
  ): Promise<void> {
    const way = familyOf(ips[0] ?? "") === 6
      ? UNASSIGN_PREFIXES6
      : UNASSIGN_PREFIXES;
    await this.#unassignLeft(way, { eniId, ips }, signal);
  }

  /** {@inheritDoc Cloud.assignIp6s} */
  async assignIp6s(
    call: { eniId: string; count: number; token: string },
    signal: AbortSignal,
  ): Promise<readonly Ip[]> {
    const params = {
      NetworkInterfaceId: call.eniId,
      Ipv6AddressCount: String(call.count),
      ClientToken: call.token,
    };
    return await this.#call(
      ecs("AssignIpv6Addresses", params),
      readAssigned6,
      signal,
    );
  }

  /** {@inheritDoc Cloud.unassignIp6s} */
  async unassignIp6s(
    call: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void> {
    await this.#unassignLeft(UNASSIGN_IPV6, call, signal);
  }

  /** {@inheritDoc Cloud.setSecurityGroups} */
  async setSecurityGroups(
    call: { eniId: string; securityGroupIds: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const params = {
      NetworkInterfaceId: call.eniId,
      ...list("SecurityGroupId", call.securityGroupIds),
    };
    await this.#call(
      ecs("ModifyNetworkInterfaceAttribute", params),
      readDone,
      signal,
    );
  }

  /** Takes what is still there. */
  async #unassignLeft(
    way: Unassigning,
    call: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#unassign(way, call, signal);
    } catch (error) {
      if (!(error instanceof CloudError) || error.kind !== "notFound") {
        throw error;
      }
      // The cloud refuses all when one is gone: the others are still there.
      if (call.ips.length === 1) return;
      const [eni] = await this.describeEnis({ ids: [call.eniId] }, signal);
      const ips = call.ips.filter((ip) => eni?.[way.field]?.includes(ip));
      if (ips.length === 0) return;
      await orGone(this.#unassign(way, { eniId: call.eniId, ips }, signal));
    }
  }

  async #unassign(
    way: Unassigning,
    { eniId, ips }: { eniId: string; ips: readonly Ip[] },
    signal: AbortSignal,
  ): Promise<void> {
    const params = { NetworkInterfaceId: eniId, ...list(way.param, ips) };
    await this.#call(ecs(way.action, params), readDone, signal);
  }

  async #call<T>(
    call: ApiCall,
    read: Decoder<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return read(call.action, await this.#transport.call(call, signal));
  }
}

function ecs(
  action: string,
  params: Readonly<Record<string, string>>,
): ApiCall {
  return { product: "ecs", action, params };
}

function list(name: string, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value, place) => [`${name}.${place + 1}`, value]),
  );
}

function tagParams(
  tags: Readonly<Record<string, string>>,
): Record<string, string> {
  // Sorted: a repeated call must equal the first one word for word.
  const pairs = Object.entries(tags).sort(([a], [b]) => a < b ? -1 : 1);
  return Object.fromEntries(
    pairs.flatMap(([key, value], place) => [
      [`Tag.${place + 1}.Key`, key],
      [`Tag.${place + 1}.Value`, value],
    ]),
  );
}

async function orGone(work: Promise<undefined | void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== "notFound") {
      throw error;
    }
  }
}

function missing(call: ApiCall, what: string, body: unknown): CloudError {
  const { action: api } = call;
  return new CloudError(`${api}: there is no ${what}`, {
    kind: "notFound",
    api,
    code: "Missing",
    httpStatus: 200,
    requestId: requestIdOf(body),
  });
}
