/**
 * The RAM policy that the README has asked for since the first Terway: what
 * the daemon must be able to do with, and not one action more.
 *
 * @module
 */

/** Its actions, all on any resource. */
export const SEED_POLICY: readonly string[] = [
  "ecs:CreateNetworkInterface",
  "ecs:DescribeNetworkInterfaces",
  "ecs:AttachNetworkInterface",
  "ecs:DetachNetworkInterface",
  "ecs:DeleteNetworkInterface",
  "ecs:DescribeInstanceAttribute",
  "ecs:DescribeInstanceTypes",
  "ecs:AssignPrivateIpAddresses",
  "ecs:UnassignPrivateIpAddresses",
  "ecs:DescribeInstances",
  "ecs:ModifyNetworkInterfaceAttribute",
  "vpc:DescribeVSwitches",
];

/**
 * What IPv6 needs besides: the seed's policy names neither. A card that is made
 * with IPv6 addresses needs only `ecs:CreateNetworkInterface`. Source: "RAM
 * authorization" of the API pages AssignIpv6Addresses, UnassignIpv6Addresses
 * and CreateNetworkInterface, read 2026-11-21.
 */
export const IPV6_POLICY: readonly string[] = [
  "ecs:AssignIpv6Addresses",
  "ecs:UnassignIpv6Addresses",
];
