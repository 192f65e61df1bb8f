/**
 * The VPC's packet filter: the source check, and counters for those who watch.
 *
 * The source check is one rule for every ENI and both families: a packet may
 * come in where the router would send an answer, and nowhere else. Strict
 * `rp_filter` would not do: it drops ARP too, and an ENI's ARP carries the
 * node's primary address, which belongs to another ENI.
 *
 * Rules go through the `nft` command: it is no hot path, and the netlink of
 * nftables has no business in a test's process.
 *
 * @module
 */

/** What a counter saw. */
export interface Count {
  /** How many packets. */
  readonly packetCount: number;
  /** How many bytes, from the IP header on. */
  readonly byteCount: number;
}

/** The name of the counter of packets with a source that isn't the ENI's. */
const SPOOFED = "spoofed";

/** Raw comes before connection tracking: a spoofed packet leaves no trace. */
const RULES = `
table inet vpc {
  counter ${SPOOFED} { }
  chain source_check {
    type filter hook prerouting priority raw; policy accept;
    iifname != "e*" accept
    ip6 saddr { ::, fe80::/10 } accept
    fib saddr . iif oif missing counter name ${SPOOFED} drop
  }
  chain flows {
    type filter hook forward priority filter; policy accept;
  }
}
`;

/** What a fabric asks of a packet filter. */
export interface PacketFilter {
  /** Begins to count what the VPC forwards. */
  watch(match: string): Promise<() => Promise<Count>>;
  /** Reads how many packets the source check dropped. */
  spoofed(): Promise<number>;
}

/** The packet filter of one namespace. */
export class Filter implements PacketFilter {
  readonly #netns: string;
  #counterCount = 0;

  private constructor(netns: string) {
    this.#netns = netns;
  }

  /**
   * Installs the source check.
   *
   * @param netns The path of the VPC's namespace.
   * @returns The filter.
   */
  static async install(netns: string): Promise<Filter> {
    const filter = new Filter(netns);
    await filter.#nft(["--file", "-"], RULES);
    return filter;
  }

  /**
   * Begins to count what the VPC forwards.
   *
   * @param match What to count, in nft's words, such as `ip saddr 10.0.0.7`.
   * @returns Reads the count so far.
   */
  async watch(match: string): Promise<() => Promise<Count>> {
    const name = `flow${++this.#counterCount}`;
    await this.#nft(
      ["--file", "-"],
      `add counter inet vpc ${name}\n` +
        `add rule inet vpc flows ${match} counter name ${name}\n`,
    );
    return () => this.#read(name);
  }

  /** Reads how many packets the source check dropped. */
  async spoofed(): Promise<number> {
    return (await this.#read(SPOOFED)).packetCount;
  }

  async #read(name: string): Promise<Count> {
    const answer = JSON.parse(
      await this.#nft(["--json", "list", "counter", "inet", "vpc", name]),
    );
    for (const { counter } of answer.nftables) {
      if (counter === undefined) continue;
      return { packetCount: counter.packets, byteCount: counter.bytes };
    }
    throw new Error(`Cannot read counter ${name}: nft did not tell of it`);
  }

  async #nft(args: readonly string[], commands = ""): Promise<string> {
    const child = new Deno.Command("nsenter", {
      args: [`--net=${this.#netns}`, "nft", ...args],
      // After `su` root's own folder is in nobody's PATH.
      env: { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin` },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(commands));
    await writer.close();
    const { success, stdout, stderr } = await output;
    if (success) return new TextDecoder().decode(stdout);
    throw new Error(
      `nft failed: ${new TextDecoder().decode(stderr).trim().slice(0, 600)}`,
    );
  }
}
