/**
 * `prevResult`: what earlier plugins of a list answered, or for CHECK what the
 * whole list did. Decoded as far as we use it; all else is passed on.
 *
 * Source: CNI spec 1.1.0, sections 2 and 5 (read 2026-11-21).
 *
 * @module
 */
import { z } from "zod";
import { type Cidr, type Ip, parseCidr } from "../../netns/ip.ts";
import { isVersion } from "./versions.ts";

/** What earlier plugins said, its form checked; other keys are kept. */
export interface Previous {
  /** The links. */
  readonly interfaces: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly sandbox?: string;
  }[];
  /** The addresses. */
  readonly ips: readonly {
    readonly address: Cidr;
    readonly gateway?: string;
    /** An index into the interfaces. */
    readonly interface?: number;
  }[];
  /** The routes. */
  readonly routes: readonly {
    readonly dst: Cidr;
    readonly gw?: string;
    /** The routing table; main when absent. */
    readonly table?: number;
  }[];
  /** The resolver's settings. */
  readonly dns: Readonly<Record<string, unknown>>;
}

/** Go writes an empty list as null, or not at all. */
function listOf<T extends z.ZodType>(
  item: T,
): z.ZodType<readonly z.output<T>[]> {
  return z.array(item).nullish().transform((list) => list ?? []);
}

const cidr = z.string().refine(isCidr, "must be an address with its prefix");

const text = z.string().exactOptional();

/** The form of a `prevResult`. */
export const previous: z.ZodType<Previous> = z.looseObject({
  cniVersion: z.custom(isVersion, "must be a version that is spoken")
    .optional(),
  interfaces: listOf(
    z.looseObject({ name: z.string().min(1), mac: text, sandbox: text }),
  ),
  ips: listOf(z.looseObject({
    address: cidr,
    gateway: text,
    interface: z.int().min(0).exactOptional(),
  })),
  routes: listOf(
    z.looseObject({ dst: cidr, gw: text, table: z.int().exactOptional() }),
  ),
  dns: z.looseObject({}).nullish().transform((dns) => dns ?? {}),
}).superRefine(({ interfaces, ips }, context) => {
  for (const [at, ip] of ips.entries()) {
    if ((ip.interface ?? -1) < interfaces.length) continue;
    context.addIssue({
      code: "custom",
      path: ["ips", at, "interface"],
      message: `must be one of the ${interfaces.length} interfaces`,
    });
  }
});

/** What a sandbox has, as a result would say it. */
export interface Held {
  /** The interface's name. */
  readonly ifName: string;
  /** The path of its namespace. */
  readonly netns: string;
  /** Its addresses. */
  readonly ips: readonly Ip[];
}

/**
 * Tells where a result isn't of what a sandbox has. What later plugins changed
 * or added is theirs; only our interface and its addresses must be there.
 *
 * @param result What the runtime kept.
 * @param held What the sandbox has.
 * @returns A text a problem; empty when it is the same attachment.
 */
export function mismatches(
  result: Previous,
  { ifName, netns, ips }: Held,
): readonly string[] {
  const at = result.interfaces.findIndex(({ name, sandbox }) =>
    name === ifName && sandbox === netns
  );
  if (at < 0) return [`prevResult has no interface ${ifName} in ${netns}`];
  const said = result.ips.filter((ip) => ip.interface === at)
    .map(({ address }) => parseCidr(address).ip);
  return ips.filter((ip) => !said.includes(ip)).map((ip) =>
    `prevResult has ${said.join(", ") || "no address"} on ${ifName}, ` +
    `not ${ip}`
  );
}

function isCidr(text: string): boolean {
  try {
    parseCidr(text);
    return true;
  } catch {
    return false;
  }
}
