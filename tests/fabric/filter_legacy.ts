/**
 * The VPC's source check where a kernel has no nftables for IP, as that of a
 * guest: by iptables, and only what it needs.
 *
 * @module
 */
import type { Count, PacketFilter } from "./filter.ts";

/** Both families; IPv6 of a link's own is nobody's to check. */
const RULES = [
  ["iptables-legacy", ["-m", "rpfilter", "--invert", "-j", "DROP"]],
  ["ip6tables-legacy", ["-s", "fe80::/10", "-j", "ACCEPT"]],
  ["ip6tables-legacy", ["-s", "::", "-j", "ACCEPT"]],
  ["ip6tables-legacy", ["-m", "rpfilter", "--invert", "-j", "DROP"]],
] as const;

const CHAIN = ["-t", "raw"] as const;

/** The packet filter of one namespace, by iptables. */
export class LegacyFilter implements PacketFilter {
  readonly #netns: string;

  private constructor(netns: string) {
    this.#netns = netns;
  }

  /**
   * Installs the source check.
   *
   * @param netns The path of the VPC's namespace.
   * @returns The filter.
   */
  static async install(netns: string): Promise<LegacyFilter> {
    const filter = new LegacyFilter(netns);
    for (const [program, rule] of RULES) {
      const place = ["-A", "PREROUTING", "-i", "e+"];
      await filter.#run(program, [...CHAIN, ...place, ...rule]);
    }
    return filter;
  }

  /** It counts nothing but what it drops. */
  watch(): Promise<() => Promise<Count>> {
    return Promise.reject(new Error("Cannot count flows without nftables"));
  }

  /** Reads how many packets the source check dropped. */
  async spoofed(): Promise<number> {
    let count = 0;
    for (const program of ["iptables-legacy", "ip6tables-legacy"]) {
      const list = [...CHAIN, "-nvxL", "PREROUTING"];
      for (const line of (await this.#run(program, list)).split("\n")) {
        const [packets, , target] = line.trim().split(/\s+/);
        if (target === "DROP") count += Number(packets);
      }
    }
    return count;
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [`--net=${this.#netns}`, program, ...args],
    }).output();
    if (success) return new TextDecoder().decode(stdout);
    const why = new TextDecoder().decode(stderr).trim();
    throw new Error(`${program} failed: ${why}`);
  }
}
