/**
 * A small region to try things in: what most tests begin with.
 *
 * @module
 */
import type { Cidr } from "../../../netns/ip.ts";
import { type CloudOptions, EmulatedCloud } from "./cloud.ts";

/** How a region shall be. */
export interface StandOptions extends CloudOptions {
  /** Whether the vSwitches of zone a have IPv6. @default {false} */
  readonly ipv6?: boolean;
  /** The node's type. @default {"ecs.g7.large"} */
  readonly instanceType?: string;
}

/** A region with one VPC, three vSwitches in two zones, a group and a node. */
export interface Stand {
  /** The region. */
  readonly cloud: EmulatedCloud;
  /** Its VPC. */
  readonly vpcId: string;
  /** 10.0.1.0/24 in zone a, where the node is; fd00:1::/64 with IPv6. */
  readonly vSwitchId: string;
  /** 10.0.2.0/29 in zone a: 4 addresses; fd00:2::/64 with IPv6. */
  readonly smallVSwitchId: string;
  /** 10.0.3.0/24 in zone b; never IPv6. */
  readonly farVSwitchId: string;
  /** The group. */
  readonly securityGroupId: string;
  /** Another group of the VPC; nothing is in it. */
  readonly otherSecurityGroupId: string;
  /** By default an ecs.g7.large: 3 cards of 6 addresses a family. */
  readonly instanceId: string;
  /** Its type. */
  readonly instanceType: string;
}

/**
 * Builds one.
 *
 * @param options How the region shall be.
 * @returns The region and what is in it.
 */
export function buildStand(options: StandOptions = {}): Stand {
  const cloud = new EmulatedCloud(options);
  const six = (cidr6: Cidr) => options.ipv6 === true ? { cidr6 } : {};
  const { id: vpcId } = cloud.addVpc("10.0.0.0/16");
  const zone = "cn-hangzhou-a";
  const near = cloud.addVSwitch({
    vpcId,
    zone,
    cidr: "10.0.1.0/24",
    ...six("fd00:1::/64"),
  });
  const small = cloud.addVSwitch({
    vpcId,
    zone,
    cidr: "10.0.2.0/29",
    ...six("fd00:2::/64"),
  });
  const far = cloud.addVSwitch({
    vpcId,
    zone: "cn-hangzhou-b",
    cidr: "10.0.3.0/24",
  });
  const group = cloud.addSecurityGroup({ vpcId });
  const other = cloud.addSecurityGroup({ vpcId });
  const { instanceType = "ecs.g7.large" } = options;
  const node = cloud.addInstance({ type: instanceType, vSwitchId: near.id });
  return {
    cloud,
    vpcId,
    vSwitchId: near.id,
    smallVSwitchId: small.id,
    farVSwitchId: far.id,
    securityGroupId: group.id,
    otherSecurityGroupId: other.id,
    instanceId: node.id,
    instanceType,
  };
}
