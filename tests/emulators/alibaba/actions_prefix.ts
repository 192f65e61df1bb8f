/**
 * What calls say of IPv4 prefixes: read from parameters, written to answers.
 *
 * @module
 */
import { type Cidr, parseCidr } from "../../../netns/ip.ts";
import {
  PREFIX_LENGTH,
  prefixAround,
  PREFIXES_PER_CALL,
} from "../../../pool/prefix.ts";
import { invalid, type Params } from "./params.ts";

/**
 * Reads which prefixes a call asks for: `Ipv4PrefixCount` or `Ipv4Prefix.N`,
 * not both.
 *
 * @param params The call.
 * @returns How many, or which; nothing when it asks for none.
 * @throws {Refusal} `InvalidParameter`.
 */
export function prefixesOf(
  params: Params,
): number | readonly Cidr[] | undefined {
  const count = params.count("Ipv4PrefixCount");
  const prefixes = params.list("Ipv4Prefix");
  if (count !== undefined && prefixes.length > 0) {
    throw invalid("Ipv4Prefix.N", "besides Ipv4PrefixCount");
  }
  if (count !== undefined && (count < 1 || count > PREFIXES_PER_CALL)) {
    throw invalid("Ipv4PrefixCount", count);
  }
  if (prefixes.length > PREFIXES_PER_CALL) {
    throw invalid("Ipv4Prefix.N", `${prefixes.length} of them`);
  }
  for (const prefix of prefixes) {
    if (!isPrefix(prefix)) throw invalid("Ipv4Prefix.N", prefix);
  }
  return prefixes.length > 0 ? prefixes : count;
}

/**
 * Shows prefixes as answers do.
 *
 * @param prefixes The prefixes.
 * @returns What `Ipv4PrefixSet` holds.
 */
export function prefixSet(
  prefixes: readonly Cidr[],
): readonly { readonly Ipv4Prefix: Cidr }[] {
  return prefixes.map((Ipv4Prefix) => ({ Ipv4Prefix }));
}

function isPrefix(text: string): boolean {
  try {
    const { ip, length } = parseCidr(text);
    return length === PREFIX_LENGTH && prefixAround(ip) === text;
  } catch {
    return false;
  }
}
