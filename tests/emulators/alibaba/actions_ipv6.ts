/**
 * The calls on IPv6 addresses of cards: parameters in, the verb, the answer's
 * body out.
 *
 * Shapes are those of the typed models of the official ECS 2014-05-26 client,
 * 7.11.6, and of its API pages of the same names, read 2026-11-21.
 *
 * @module
 */
import type { EmulatedCloud } from "./cloud.ts";
import { IPV6_A_CALL } from "./limits.ts";
import { invalid, type Params } from "./params.ts";
import { Refusal } from "./refusal.ts";
import type { Body } from "./tokens.ts";

/**
 * AssignIpv6Addresses.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export async function assignIpv6Addresses(
  cloud: EmulatedCloud,
  params: Params,
): Promise<Body> {
  params.required("RegionId");
  const id = params.required("NetworkInterfaceId");
  const wanted = ips6Of(params);
  if (wanted === undefined) throw missing("Ipv6AddressCount");
  const ips = await cloud.assign6(id, wanted);
  return {
    NetworkInterfaceId: id,
    Ipv6Sets: { Ipv6Address: ips },
    Ipv6PrefixSets: { Ipv6Prefix: [] },
  };
}

/**
 * UnassignIpv6Addresses.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export async function unassignIpv6Addresses(
  cloud: EmulatedCloud,
  params: Params,
): Promise<Body> {
  params.required("RegionId");
  const id = params.required("NetworkInterfaceId");
  const ips = ips6Of(params);
  if (ips === undefined || typeof ips === "number") {
    throw missing("Ipv6Address.N");
  }
  await cloud.unassign6(id, ips);
  return {};
}

/**
 * Reads which IPv6 addresses a call asks for: `Ipv6AddressCount` or
 * `Ipv6Address.N`, not both.
 *
 * @param params The call.
 * @returns How many, or which; nothing when it asks for none.
 * @throws {Refusal} `InvalidParameter`.
 */
export function ips6Of(
  params: Params,
): number | readonly string[] | undefined {
  const count = params.count("Ipv6AddressCount");
  const ips = params.list("Ipv6Address");
  if (count !== undefined && ips.length > 0) {
    throw invalid("Ipv6Address.N", "besides Ipv6AddressCount");
  }
  if (count !== undefined && (count < 1 || count > IPV6_A_CALL)) {
    throw invalid("Ipv6AddressCount", count);
  }
  if (ips.length > IPV6_A_CALL) {
    throw invalid("Ipv6Address.N", `${ips.length} of them`);
  }
  return ips.length > 0 ? ips : count;
}

function missing(name: string): Refusal {
  return new Refusal(
    "MissingParameter",
    `The input parameter "${name}" that is mandatory for processing this request is not supplied.`,
  );
}
