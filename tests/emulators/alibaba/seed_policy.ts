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
