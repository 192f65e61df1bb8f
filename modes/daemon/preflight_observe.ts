/**
 * Looks at the host for preflight. Nothing is changed.
 *
 * @module
 */
import type { Mac } from "../../netns/attachment.ts";
import type { Family } from "../../netns/ip.ts";
import type { Kernel } from "../../netns/kernel.ts";
import { NftError, type NftObject } from "../../netns/nft.ts";
import { settingKeys } from "./preflight.ts";
import { MANAGER_FILES, MANAGER_TRACES } from "./preflight_managers.ts";
import { NETNS_FOLDER, netnsMount } from "./preflight_mounts.ts";
import type { RunProgram } from "./preflight_program.ts";
import type {
  ForwardChain,
  HostSeen,
  LegacyChain,
  Manager,
  ManagersSeen,
  NetnsMount,
} from "./preflight_seen.ts";

/** What is looked at, and how. */
export interface ObserveParts {
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "findLink" | "host">;
  /** Runs programs of the host's network. */
  readonly run: RunProgram;
  /** The families that pods have. */
  readonly families: readonly Family[];
  /** The node's own card. */
  readonly primaryMac: Mac;
  /** Tells the MACs of the ENIs that pods use, or shall. */
  readonly eniMacs: () => readonly Mac[];
  /** What stands before the paths of files; nothing but in tests. */
  readonly root: string;
}

/**
 * Looks at the host.
 *
 * Effects: some milliseconds of the kernel's thread; a program where the older
 * packet filter is in use.
 *
 * @param parts What is looked at, and how.
 * @returns What is there.
 */
export async function observeHost(parts: ObserveParts): Promise<HostSeen> {
  const { kernel, families, primaryMac } = parts;
  const uplink = (await kernel.findLink(primaryMac))?.name;
  const netns = seenMounts();
  return {
    families,
    ...uplink !== undefined && { uplink },
    settings: await kernel.host.readSettings(settingKeys(uplink)),
    chains: await seenChains(parts),
    legacy: await legacyChains(parts),
    ...netns !== undefined && { netns },
    managers: seenManagers(parts),
  };
}

function seenManagers({ eniMacs, root }: ObserveParts): ManagersSeen {
  const traces = Object.entries(MANAGER_TRACES) as [Manager, string][];
  const running = traces.filter(([, trace]) =>
    sharesNetwork() &&
    readIfAllowed(() => Deno.statSync(root + trace)) !== undefined
  ).map(([name]) => name);
  const files = MANAGER_FILES.flatMap((path): [string, string][] => {
    const text = readIfAllowed(() => Deno.readTextFileSync(root + path));
    return text === undefined ? [] : [[path, text]];
  });
  const isNeeded = running.length > 0;
  return {
    running,
    files: new Map(files),
    eniMacs: isNeeded ? eniMacs() : [],
  };
}

/**
 * Lists nftables' base chains of the hook `forward`.
 *
 * @param kernel The node's kernel.
 * @returns The chains of every family.
 * @throws {NftError} When they can't be listed.
 */
export async function forwardChains(
  kernel: Pick<Kernel, "host">,
): Promise<readonly ForwardChain[]> {
  const objects = await kernel.host.nft([{ list: { chains: null } }]);
  return objects.flatMap(readChain);
}

function readChain({ chain }: NftObject): ForwardChain[] {
  const { family, table, name, hook, type, prio, policy } = chain as
    & {
      readonly [Key in keyof ForwardChain]: ForwardChain[Key];
    }
    & { readonly hook?: string };
  if (hook !== "forward") return [];
  return [{ family, table, name, type, prio, policy }];
}

async function seenChains(
  { kernel }: ObserveParts,
): Promise<HostSeen["chains"]> {
  try {
    return await forwardChains(kernel);
  } catch (error) {
    if (!(error instanceof NftError)) throw error;
    return { unseen: error.message, isNone: error.kind === "noKernel" };
  }
}

async function legacyChains(
  { kernel, run }: ObserveParts,
): Promise<readonly LegacyChain[]> {
  const tables = await kernel.host.legacyTables();
  const chains: LegacyChain[] = [];
  if (tables.v4.includes("filter")) {
    chains.push(await legacyChain(4, "iptables", run));
  }
  if (tables.v6.includes("filter")) {
    chains.push(await legacyChain(6, "ip6tables", run));
  }
  return chains;
}

/** Before iptables 1.8 the older filter's program had no name of its own. */
async function legacyChain(
  family: Family,
  name: string,
  run: RunProgram,
): Promise<LegacyChain> {
  const legacy = `${name}-legacy`;
  const version = await run(name, ["--version"]);
  const isOld = version?.success === true &&
    !version.stdout.includes("nf_tables");
  for (const program of isOld ? [legacy, name] : [legacy]) {
    const said = await run(program, ["-S", "FORWARD"]);
    const policy = /^-P FORWARD (\w+)/m.exec(said?.stdout ?? "")?.[1];
    if (policy !== undefined) return { family, program, policy };
  }
  return { family, program: legacy };
}

/**
 * Looks at where runtimes mount pods' namespaces.
 *
 * @returns The mount; undefined when this process's mounts can't be read.
 */
export function seenMounts(): NetnsMount | undefined {
  const text = readIfAllowed(() =>
    Deno.readTextFileSync("/proc/self/mountinfo")
  );
  const path = readIfAllowed(() => Deno.realPathSync(NETNS_FOLDER));
  const isHost = seesHost();
  return text === undefined ? undefined : netnsMount(text, {
    ...path !== undefined && { path },
    ...isHost !== undefined && { isHost },
  });
}

/**
 * Those programs set up the network that process 1 is in. A node that is a
 * namespace of some machine, as on a stage, is out of their sight.
 */
function sharesNetwork(): boolean {
  const [own, first] = ["self", 1].map((id) =>
    readIfAllowed(() => Deno.readLinkSync(`/proc/${id}/ns/net`))
  );
  return own === undefined || first === undefined || own === first;
}

/** The namespace of processes that the machine booted with. Source: PROC_PID_INIT_INO in linux/proc_ns.h. */
const FIRST_PID_NAMESPACE = `pid:[${0xeffffffc}]`;

/** Process 1 is the host's only where processes are the host's. */
function seesHost(): boolean | undefined {
  const link = (path: string): string | undefined =>
    readIfAllowed(() => Deno.readLinkSync(`/proc/${path}`));
  if (link("self/ns/pid") !== FIRST_PID_NAMESPACE) return false;
  const first = link("1/ns/mnt");
  return first === undefined ? undefined : first === link("self/ns/mnt");
}

function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // not there, or not for us: nothing is known then
  }
}
