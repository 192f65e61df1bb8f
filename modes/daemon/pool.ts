/**
 * From the configuration and the node to the pool: its bounds, its identity,
 * and the ENIs of others that it may use.
 *
 * @module
 */
import type { ExclusiveAttachment } from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type {
  KeeperOptions,
  PoolConfig,
  Reconfiguration,
} from "../../pool/contract.ts";
import {
  type LimitsWish,
  type PoolLimits,
  poolLimits,
} from "../../pool/limits.ts";
import { hasIp6 } from "../../pool/family.ts";
import type { Journal } from "../../pool/journal.ts";
import type { Log } from "../log.ts";
import { attachmentOf } from "./attached.ts";
import type { DaemonConfig } from "./config.ts";
import { NodeEnis } from "./enis.ts";
import type { DaemonMode } from "./mode.ts";
import { tell } from "./news.ts";
import type { NodeFacts } from "./node.ts";
import { wantsTrunk } from "./trunking.ts";
import { hearingUplink } from "./uplink.ts";

/** What a pool is opened with. */
export interface PoolParts {
  /** The configuration in force. */
  readonly config: DaemonConfig;
  /** The node and its cloud. */
  readonly node: NodeFacts;
  /** Remembers. */
  readonly journal: Journal;
  /** Finds and sets links up. */
  readonly kernel: Kernel;
  /** How pods get their network. */
  readonly mode: DaemonMode;
  /** Told of each new ENI; doesn't fail. */
  readonly onEni: () => Promise<void>;
  /** Where news go. */
  readonly log: Log;
}

/**
 * Gathers what the pool works with.
 *
 * @param parts The configuration, the node and the effects.
 * @returns The options of `openKeeper`, and the node's ENIs beside them.
 */
export async function poolOptions(
  parts: PoolParts,
): Promise<KeeperOptions & { readonly host: NodeEnis }> {
  const { config, node, journal, kernel, mode, log } = parts;
  const { primaryIp: nodeIp, primaryIp6, primaryMac } = node.instance;
  const isSix = hasIp6(config.ipStack);
  const uplink = isSix ? await hearingUplink(kernel, primaryMac) : undefined;
  const { mtu, serviceCidrs } = config;
  const host = new NodeEnis({
    ...{ kernel, nodeIp, ...mtu && { mtu } },
    ...uplink !== undefined && { uplink },
    onSettings: (changes) =>
      log.warning("settings of the node were changed for pods with IPv6", {
        changes: changes.map(({ key, was, now }) =>
          `${key.replace(/^net\//, "").replaceAll("/", ".")}: ${was} -> ${now}`
        ),
      }),
    ...(mode === "ENIMultiIP" ? {} : {
      exclusive: {
        hostPeer: {
          nodeIps: [nodeIp, ...isSix && primaryIp6 ? [primaryIp6] : []],
          serviceCidrs: Object.values(serviceCidrs ?? {}),
        },
        holderOf: (eniId) => holderOf(journal, eniId),
      },
    }),
  });
  return {
    cloud: node.cloud,
    journal,
    config: poolConfig(config, node, await adoptedMacs(config, parts)),
    limits: limitsOf(config, node, mode),
    host,
    onNews: (news) => {
      tell(log, news);
      // Before it is attached: other programs shall leave it alone.
      if (news.kind === "eniCreated") void parts.onEni();
      // Nothing that is written down can be trusted to be true any more.
      if (news.kind === "broken") Deno.exit(1);
    },
  };
}

/**
 * Says what of the pool changes with a configuration.
 *
 * @param config The configuration.
 * @param node The node, by that configuration.
 * @param mode How pods get their network.
 * @returns What `Keeper.reconfigure()` takes.
 */
export function poolChange(
  config: DaemonConfig,
  node: NodeFacts,
  mode: DaemonMode,
): Reconfiguration {
  return {
    limits: limitsOf(config, node, mode),
    securityGroupIds: node.securityGroupIds,
    eniTags: config.eniTags,
    resourceGroupId: config.resourceGroupId ?? "",
  };
}

/**
 * Works out a node's bounds.
 *
 * @param config The configuration.
 * @param node The node.
 * @param mode How pods get their network; it tells what is counted.
 * @returns The bounds.
 */
export function limitsOf(
  config: DaemonConfig,
  node: NodeFacts,
  mode: DaemonMode,
): PoolLimits {
  return poolLimits({
    // A pod that has an ENI to itself uses one address of it.
    instance: mode === "ENIMultiIP" ? node.limits : {
      ...node.limits,
      ipv4PerEniCount: 1,
      ipv6PerEniCount: Math.min(1, node.limits.ipv6PerEniCount),
    },
    stack: config.ipStack,
    ...prefixesOf(config, node, mode),
    vSwitches: node.vSwitches,
    minIdle: config.minPoolCount,
    maxIdle: config.maxPoolCount,
    hotPlug: config.hotPlug,
    trunk: wantsTrunk(config, node, mode),
    minEniCount: config.minEniCount,
    ...(config.maxEniCount === undefined
      ? {}
      : { maxEniCount: config.maxEniCount }),
    eniCapRatio: config.eniCapRatio,
    eniCapShift: config.eniCapShift,
    eniPolicy: config.eniPolicy,
    vSwitchPolicy: config.vSwitchPolicy,
    ...(config.idleReclaim === undefined
      ? {}
      : { idleReclaim: config.idleReclaim }),
    warmUpCount: config.warmUpCount,
    callsPerMinute: config.callsPerMinute,
  });
}

/** Prefixes are for ENIs that pods share. */
function prefixesOf(
  { prefixes, ipStack }: DaemonConfig,
  { instance: { type }, limits }: NodeFacts,
  mode: DaemonMode,
): Pick<LimitsWish, "prefixes"> {
  if (prefixes === undefined) return {};
  if (mode !== "ENIMultiIP") {
    throw new Error(
      `Cannot use enable_ip_prefix in mode ${mode}: a pod that has an ENI to ` +
        "itself uses one address of it, and a prefix is many: set it to " +
        "false, or start the daemon with --daemon-mode ENIMultiIP",
    );
  }
  if (ipStack !== "ipv6" && limits.ipv4PerEniCount < 2) {
    throw new Error(
      `Cannot use enable_ip_prefix: instance type ${type} allows one address ` +
        "on an ENI (EniPrivateIpAddressQuantity is 1), and a prefix would be " +
        "the second: change the node's type, or set it to false",
    );
  }
  return { prefixes };
}

/** The journal is the truth of it: the pool may still be reading it. */
function holderOf(
  journal: Journal,
  eniId: string,
): ExclusiveAttachment | undefined {
  const lease = journal.load().leases.find((one) => one.eniId === eniId);
  const attachment = lease && attachmentOf(lease);
  return attachment?.recipe === "exclusive/1" ? attachment : undefined;
}

function poolConfig(
  config: DaemonConfig,
  node: NodeFacts,
  macs: readonly string[],
): PoolConfig {
  return {
    instanceId: node.instance.id,
    clusterId: config.clusterId,
    primaryMac: node.instance.primaryMac,
    securityGroupIds: node.securityGroupIds,
    eniTags: config.eniTags,
    ...(config.resourceGroupId === undefined
      ? {}
      : { resourceGroupId: config.resourceGroupId }),
    adopt: {
      macs,
      ...(config.adoptTags === undefined ? {} : { tags: config.adoptTags }),
    },
    blockTags: config.blockTags,
  };
}

/**
 * `prefix` names links, the pool knows MACs. Pods' own links begin with
 * `cali`, and the primary ENI serves no pods whatever its name.
 */
async function adoptedMacs(
  { adoptPrefix }: DaemonConfig,
  { kernel, node }: PoolParts,
): Promise<readonly string[]> {
  if (adoptPrefix === undefined) return [];
  return (await kernel.links())
    .filter(({ name, mac }) =>
      name.startsWith(adoptPrefix) && !name.startsWith("cali") &&
      mac !== node.instance.primaryMac
    )
    .map(({ mac }) => mac);
}
