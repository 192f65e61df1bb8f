/**
 * What `ip_stack` asks of a node: whether its type and its vSwitches can give
 * pods IPv6. Pure.
 *
 * @module
 */
import type { InstanceLimits } from "../../pool/cloud.ts";
import { hasIp6, type IpStack } from "../../pool/family.ts";
import type { VSwitchChoice } from "../../pool/limits.ts";

/** What a node has. */
export interface StackNeeds {
  /** The instance's type. */
  readonly type: string;
  /** What it allows. */
  readonly limits: Pick<InstanceLimits, "ipv6PerEniCount">;
  /** Where new ENIs would be made. */
  readonly vSwitches: readonly VSwitchChoice[];
}

/** Where ENIs may be made, and what an operator should be told. */
export interface StackChoice {
  /** In order of preference; each with IPv6 where pods have it. */
  readonly vSwitches: readonly VSwitchChoice[];
  /** A line each. */
  readonly warnings: readonly string[];
}

/**
 * Leaves out vSwitches that can't give pods what they shall have.
 *
 * @param stack The families of pods' addresses.
 * @param node What the node has.
 * @returns At least one vSwitch.
 * @throws {Error} When the type or all vSwitches lack IPv6; says what to do.
 */
export function requireStack(stack: IpStack, node: StackNeeds): StackChoice {
  const { type, limits, vSwitches } = node;
  if (!hasIp6(stack)) return { vSwitches, warnings: [] };
  if (limits.ipv6PerEniCount === 0) {
    throw new Error(
      `Cannot use ip_stack ${stack}: instance type ${type} allows no IPv6 ` +
        "address on an ENI (EniIpv6AddressQuantity is 0): change the node's " +
        "type, or set ip_stack to ipv4",
    );
  }
  const usable = vSwitches.filter(({ cidr6 }) => cidr6 !== undefined);
  const poor = vSwitches.filter(({ cidr6 }) => cidr6 === undefined)
    .map(({ id }) => id);
  if (usable.length === 0) {
    throw new Error(
      `Cannot use ip_stack ${stack}: no vSwitch of this node has an IPv6 ` +
        `prefix (${poor.join(", ")}): turn IPv6 on for one of them in the ` +
        "VPC, list another one under vswitches, or set ip_stack to ipv4",
    );
  }
  return {
    vSwitches: usable,
    warnings: poor.map((id) =>
      `no ENI is made on ${id} as ip_stack is ${stack} and it has no IPv6 ` +
      "prefix: turn IPv6 on for it in the VPC"
    ),
  };
}
