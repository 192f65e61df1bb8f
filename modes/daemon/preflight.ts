/**
 * Preflight: what on the host stands in the way of pods, and the command that
 * mends it. Plans set up the links of ENIs and pods; what is here is the
 * host's own, and often another program's.
 *
 * Only what does harm is told: a packet that forwarding, reverse path
 * filtering or a policy drops is no pod's unless it may pass the node's own
 * card, or a chain that all packets pass.
 *
 * @module
 */
import type { Family } from "../../netns/ip.ts";
import { ofManagers } from "./preflight_managers.ts";
import {
  type ChainMend,
  commandsOf,
  type LegacyMend,
  type Mend,
  objectOf,
  type SettingMend,
  valuesOf,
} from "./preflight_mend.ts";
import type { ForwardChain, HostSeen, LegacyChain } from "./preflight_seen.ts";

/** Something that is wrong; each is told once, under its object. */
export interface Finding {
  /**
   * - `error`: pods get no network.
   * - `warning`: some of their traffic is lost.
   * - `note`: something couldn't be looked at.
   */
  readonly severity: "error" | "warning" | "note";
  /** What is wrong, by the name that people know. */
  readonly object: string;
  /** What is wrong with it. */
  readonly problem: string;
  /** What that means for pods. */
  readonly meaning: string;
  /** The command that mends it, for a shell of the host. */
  readonly command?: string;
  /** What to do where no command mends it. */
  readonly advice?: string;
  /** The same as the command, for the daemon. */
  readonly mend?: Mend;
}

const IP_FORWARD = "net/ipv4/ip_forward";

/**
 * Gives the settings that are looked at.
 *
 * @param uplink The node's own card, when it is known.
 * @returns Keys.
 */
export function settingKeys(uplink: string | undefined): readonly string[] {
  return [
    IP_FORWARD,
    ipv4("all", "rp_filter"),
    ipv6("all", "disable_ipv6"),
    ...(uplink === undefined ? [] : [
      ipv4(uplink, "forwarding"),
      ipv4(uplink, "rp_filter"),
      ipv6(uplink, "disable_ipv6"),
    ]),
  ];
}

/**
 * Judges a host.
 *
 * @example Forwarding is off
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const [finding] = preflight({
 *   families: [4],
 *   settings: new Map([["net/ipv4/ip_forward", "0"]]),
 *   chains: [],
 *   legacy: [],
 * });
 * assertEquals(finding?.command, "sysctl -w net.ipv4.ip_forward=1");
 * ```
 * @param seen What was seen of it.
 * @returns What stands in the way of pods; empty when nothing does.
 */
export function preflight(seen: HostSeen): readonly Finding[] {
  const { families, legacy } = seen;
  return [
    ...ofMount(seen),
    ...(families.includes(4)
      ? [...ofForwarding(seen), ...ofRpFilter(seen)]
      : []),
    ...(families.includes(6) ? ofIpv6(seen) : []),
    ...ofChains(seen),
    ...seen.managers === undefined ? [] : ofManagers(seen.managers),
    ...legacy.filter(({ family }) => families.includes(family))
      .flatMap(ofLegacy),
  ];
}

/**
 * A packet is forwarded when the link that it came in by forwards; ENIs and
 * pods' links have that from their plans.
 */
function ofForwarding(seen: HostSeen): Finding[] {
  const own = ipv4(seen.uplink ?? "", "forwarding");
  return settingsAt(seen, [IP_FORWARD, own], "0").slice(0, 1).map((mend) =>
    ofSetting({ ...mend, value: "1" }, {
      is: "packets aren't forwarded",
      meaning: `What comes in by ${cardOf(seen)} for a pod is dropped: ` +
        "NodePorts, load balancers and routes of the VPC that end on this " +
        "node don't reach its pods.",
    })
  );
}

/**
 * The kernel takes the greater of `all` and the link's own: 1 is strict, 2 lets
 * pass what any link could answer. Source: the kernel's ip-sysctl.rst.
 */
function ofRpFilter(seen: HostSeen): Finding[] {
  const all = ipv4("all", "rp_filter");
  if (seen.settings.get(all) === "2") return [];
  const own = ipv4(seen.uplink ?? "", "rp_filter");
  return settingsAt(seen, [all, own], "1").map((mend) =>
    ofSetting({ ...mend, value: "0" }, {
      is: "a packet must come in by the card that its answer leaves by",
      meaning: "Pods on shared ENIs answer by their ENI, so what comes in by " +
        `${cardOf(seen)} for them is dropped: NodePorts and load balancers ` +
        "that end on this node don't reach them.",
    })
  );
}

function ofIpv6(seen: HostSeen): Finding[] {
  const all = ipv6("all", "disable_ipv6");
  if (!seen.settings.has(all)) {
    return [{
      severity: "error",
      object: "IPv6",
      problem: "this kernel was started without IPv6",
      meaning: "No pod can have an IPv6 address.",
      advice: "take ipv6.disable=1 from the kernel's command line and boot " +
        "the node anew, or set ip_stack to ipv4",
    }];
  }
  const own = ipv6(seen.uplink ?? "", "disable_ipv6");
  return settingsAt(seen, [all, own], "1").slice(0, 1).map((mend) =>
    ofSetting({ ...mend, value: "0" }, {
      is: "IPv6 is off",
      meaning: "The node has no IPv6 address to speak to pods by: probes of " +
        "the kubelet and services don't reach them by IPv6.",
    })
  );
}

const DROPPED = "Packets to and from pods are dropped, unless a rule of this " +
  "chain accepts them.";

function ofChains({ chains, families, legacy }: HostSeen): Finding[] {
  if ("unseen" in chains) return [ofUnseen(chains)];
  return chains.filter(({ policy }) => policy === "drop")
    .filter(({ family }) => families.some((own) => carries(family, own)))
    .map((chain) => {
      const tool = toolOf(chain, legacy);
      return ofPolicy({
        kind: "chain",
        chain,
        ...tool !== undefined && { tool },
      });
    });
}

function ofUnseen(
  { unseen, isNone }: { readonly unseen: string; readonly isNone: boolean },
): Finding {
  const problem = `chains of nftables can't be looked at: ${unseen}`;
  const note = { severity: "note", object: "nftables", problem } as const;
  return isNone
    ? { ...note, meaning: "None of them can drop packets of pods." }
    : {
      ...note,
      meaning: "Should the policy of one be drop, packets of pods are " +
        "dropped, and nothing here says so.",
      advice: "look at `nft list chains` on the host: no chain of the hook " +
        "forward may have the policy drop",
    };
}

function ofLegacy({ program, policy }: LegacyChain): Finding[] {
  const mend: LegacyMend = { kind: "legacy", program };
  if (policy === "DROP") return [ofPolicy(mend)];
  if (policy !== undefined) return [];
  const object = objectOf(mend);
  return [{
    severity: "note",
    object,
    problem: `${object} is in use and can't be looked at: ${program} can't ` +
      "be run here",
    meaning: "Should its policy be DROP, packets of pods are dropped, and " +
      "nothing here says so.",
    advice: `look at \`${program} -S FORWARD\` on the host; if it says ` +
      `-P FORWARD DROP, run ${commandsOf(mend).command}`,
  }];
}

/** Of the host's own mounts each is seen at once, private or not. */
function ofMount({ netns }: HostSeen): Finding[] {
  if (netns === undefined || netns.isHost !== false) return [];
  const { path, mountPoint, propagation } = netns;
  const isMounted = mountPoint !== "/";
  if (isMounted && propagation !== "private") return [];
  return [{
    severity: "error",
    object: path,
    problem: isMounted
      ? `${path} is mounted privately: what the host mounts there from now ` +
        "on isn't seen here"
      : `${path} of the host isn't mounted here`,
    meaning: "No pod can be attached, as its network namespace isn't seen.",
    advice: `mount ${path} of the host into the daemon's container with ` +
      "mountPropagation: HostToContainer; if the runtime refuses that, run " +
      "mount --make-rshared / on the host first",
  }];
}

/** Those of the settings that have a value which shall be another. */
function settingsAt(
  { settings }: HostSeen,
  keys: readonly string[],
  was: string,
): Omit<SettingMend, "value">[] {
  return keys.filter((key) => settings.get(key) === was)
    .map((key) => ({ kind: "setting", key, was }));
}

function ofSetting(
  mend: SettingMend,
  { is, meaning }: { readonly is: string; readonly meaning: string },
): Finding {
  const object = objectOf(mend);
  return {
    severity: "warning",
    object,
    problem: `${object} is ${mend.was}: ${is}`,
    meaning,
    command: commandsOf(mend).command,
    mend,
  };
}

function ofPolicy(mend: ChainMend | LegacyMend): Finding {
  const object = objectOf(mend);
  return {
    severity: "warning",
    object,
    problem: `the policy of ${object} is ${valuesOf(mend).was}`,
    meaning: DROPPED,
    command: commandsOf(mend).command,
    mend,
  };
}

/** Where the older filter is in use too, `iptables` may be that one's. */
function toolOf(
  { family, table, name, type, prio }: ForwardChain,
  legacy: readonly LegacyChain[],
): ChainMend["tool"] {
  const isTheirs = table === "filter" && name === "FORWARD" &&
    type === "filter" && prio === 0;
  if (legacy.length > 0 || !isTheirs) return undefined;
  return family === "ip"
    ? "iptables"
    : family === "ip6"
    ? "ip6tables"
    : undefined;
}

function carries(family: string, own: Family): boolean {
  return family === "inet" || family === (own === 4 ? "ip" : "ip6");
}

function cardOf({ uplink }: HostSeen): string {
  return uplink ?? "the node's own card";
}

function ipv4(link: string, name: string): string {
  return `net/ipv4/conf/${link}/${name}`;
}

function ipv6(link: string, name: string): string {
  return `net/ipv6/conf/${link}/${name}`;
}
