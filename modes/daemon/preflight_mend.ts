/**
 * What mends a thing of the host, and what undoes that: plain data, and the
 * command that it equals. `preflight_fix.ts` carries it out.
 *
 * @module
 */
import type { NftCommand } from "../../netns/nft.ts";
import type { ForwardChain } from "./preflight_seen.ts";

/** A setting of the kernel. */
export interface SettingMend {
  /** Discriminates. */
  readonly kind: "setting";
  /** Such as `net/ipv4/ip_forward`. */
  readonly key: string;
  /** What it is. */
  readonly was: string;
  /** What it shall be. */
  readonly value: string;
}

/** A chain of nftables, whose policy shall be `accept`. */
export interface ChainMend {
  /** Discriminates. */
  readonly kind: "chain";
  /** The chain as it is. */
  readonly chain: ForwardChain;
  /** The program by which people know it, when it is that program's own. */
  readonly tool?: "iptables" | "ip6tables";
}

/** The chain `FORWARD` of the older filter, whose policy shall be `ACCEPT`. */
export interface LegacyMend {
  /** Discriminates. */
  readonly kind: "legacy";
  /** Such as `iptables-legacy`. */
  readonly program: string;
}

/** A file, which is ours. */
export interface FileMend {
  /** Discriminates. */
  readonly kind: "file";
  /** Where, in a folder that a boot empties. */
  readonly path: string;
  /** All of it; its first line is {@linkcode FIRST_LINE}. */
  readonly text: string;
}

/** By this line a file is known to be ours. */
export const FIRST_LINE = "# Made by terway, as fix_host says.\n";

/** Changes one thing of the host. */
export type Mend = SettingMend | ChainMend | LegacyMend | FileMend;

/**
 * Tells what a mend changes, and from what to what.
 *
 * @param mend What is to be done.
 * @returns The value before and after, as kernel or program show it.
 */
export function valuesOf(
  mend: Mend,
): { readonly was: string; readonly now: string } {
  switch (mend.kind) {
    case "setting":
      return { was: mend.was, now: mend.value };
    case "chain":
      return { was: mend.chain.policy, now: "accept" };
    case "legacy":
      return { was: "DROP", now: "ACCEPT" };
    case "file":
      return { was: "absent", now: "there" };
  }
}

/**
 * Names what a mend changes: the same name, the same thing.
 *
 * @param mend What is to be done.
 * @returns The name by which people know it.
 */
export function objectOf(mend: Mend): string {
  switch (mend.kind) {
    case "setting":
      return settingName(mend.key);
    case "chain": {
      const { family, table, name } = mend.chain;
      return `chain ${family} ${table} ${name}`;
    }
    case "legacy":
      return `chain FORWARD of ${mend.program}`;
    case "file":
      return mend.path;
  }
}

/**
 * Writes a mend as commands.
 *
 * @example A setting, and the way back
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const mend = { kind: "setting", key: "net/ipv4/ip_forward", was: "0", value: "1" } as const;
 * assertEquals(commandsOf(mend), {
 *   command: "sysctl -w net.ipv4.ip_forward=1",
 *   undo: "sysctl -w net.ipv4.ip_forward=0",
 * });
 * ```
 * @param mend What is to be done.
 * @returns Lines for a shell of the host: what does it, and what undoes it.
 */
export function commandsOf(
  mend: Mend,
): { readonly command: string; readonly undo: string } {
  const { was, now } = valuesOf(mend);
  return { command: commandFor(mend, now), undo: commandFor(mend, was) };
}

function commandFor(mend: Mend, value: string): string {
  switch (mend.kind) {
    case "setting":
      return `sysctl -w ${objectOf(mend)}=${value}`;
    case "chain":
      return mend.tool === undefined
        ? `nft ${nftWords({ ...mend.chain, policy: value })}`
        : `${mend.tool} -P ${mend.chain.name} ${value.toUpperCase()}`;
    case "legacy":
      return `${mend.program} -P FORWARD ${value}`;
    case "file": {
      const { path, text } = mend;
      if (value === "absent") return `rm ${path}`;
      const folder = path.slice(0, path.lastIndexOf("/"));
      return `mkdir -p ${folder} && printf %s ${shellWord(text)} > ${path}`;
    }
  }
}

/**
 * The command by which nftables sets a chain's policy.
 *
 * @param chain The chain as it shall be.
 * @returns A command of libnftables' JSON.
 */
export function policyCommand(
  { family, table, name, type, prio, policy }: ForwardChain,
): NftCommand {
  const chain = { family, table, name, type, hook: "forward", prio, policy };
  return { add: { chain } };
}

/** Names that nft's language takes, as words that have no meaning in it. */
const PLAIN_NAME = /[A-Z_]|^(filter|forward|mangle|raw|security)$/;

/** Others may be words of nft's language, as `fwd` is: JSON takes them all. */
function nftWords(chain: ForwardChain): string {
  const { family, table, name, policy } = chain;
  const words = `chain ${family} ${table} ${name} { policy ${policy}; }`;
  return PLAIN_NAME.test(table) && PLAIN_NAME.test(name)
    ? shellWord(words)
    : `-j ${shellWord(JSON.stringify({ nftables: [policyCommand(chain)] }))}`;
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** sysctl(8) takes a dot for a slash, so a link's dots need slashes around. */
function settingName(key: string): string {
  return key.includes(".") ? key : key.replaceAll("/", ".");
}
