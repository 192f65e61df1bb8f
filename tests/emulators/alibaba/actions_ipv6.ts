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
import type { Wanted6 } from "./eni_ipv6.ts";
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
  const given = await cloud.assign6(id, wanted);
  const [ips, prefixes] = apart(given);
  return {
    NetworkInterfaceId: id,
    Ipv6Sets: { Ipv6Address: ips },
    Ipv6PrefixSets: { Ipv6Prefix: prefixes },
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
  if (typeof ips !== "object" || "prefixCount" in ips) {
    throw missing("Ipv6Address.N");
  }
  await cloud.unassign6(id, ips);
  return {};
}

/**
 * Reads which IPv6 addresses or prefixes a call asks for: one of
 * `Ipv6AddressCount`, `Ipv6Address.N`, `Ipv6PrefixCount` and `Ipv6Prefix.N`.
 *
 * @param params The call.
 * @returns How many, or which; nothing when it asks for none.
 * @throws {Refusal} `InvalidParameter`.
 */
export function ips6Of(params: Params): Wanted6 | undefined {
  const ips = wantedOf(params, "Ipv6Address", "Ipv6AddressCount");
  const prefixes = wantedOf(params, "Ipv6Prefix", "Ipv6PrefixCount");
  if (prefixes === undefined) {
    if (typeof ips === "object" && ips.some(isPrefix)) {
      throw invalid("Ipv6Address.N", ips.join());
    }
    return ips;
  }
  if (ips !== undefined) throw invalid("Ipv6Prefix.N", "besides addresses");
  if (typeof prefixes === "number") return { prefixCount: prefixes };
  const wrong = prefixes.find((prefix) => !isPrefix(prefix));
  if (wrong !== undefined) throw invalid("Ipv6Prefix.N", wrong);
  return prefixes;
}

/**
 * Tells addresses from prefixes.
 *
 * @param given Both.
 * @returns The addresses, and the prefixes.
 */
export function apart(
  given: readonly string[],
): readonly [readonly string[], readonly string[]] {
  return [given.filter((one) => !isPrefix(one)), given.filter(isPrefix)];
}

function isPrefix(text: string): boolean {
  return text.includes("/");
}

function wantedOf(
  params: Params,
  list: string,
  counter: string,
): number | readonly string[] | undefined {
  const count = params.count(counter);
  const all = params.list(list);
  if (count !== undefined && all.length > 0) {
    throw invalid(`${list}.N`, `besides ${counter}`);
  }
  if (count !== undefined && (count < 1 || count > IPV6_A_CALL)) {
    throw invalid(counter, count);
  }
  if (all.length > IPV6_A_CALL) {
    throw invalid(`${list}.N`, `${all.length} of them`);
  }
  return all.length > 0 ? all : count;
}

function missing(name: string): Refusal {
  return new Refusal(
    "MissingParameter",
    `The input parameter "${name}" that is mandatory for processing this request is not supplied.`,
  );
}
