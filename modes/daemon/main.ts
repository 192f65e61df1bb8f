/**
 * `terway daemon`: puts the parts together, and takes them apart in order.
 *
 * @module
 */
import build from "../../deno.json" with { type: "json" };
import { vpcNodePlan } from "../../netns/datapath/vpc.ts";
import type { Cidr } from "../../netns/ip.ts";
import { type Kernel, openKernel } from "../../netns/kernel.ts";
import type { Keeper, PoolStatus } from "../../pool/contract.ts";
import { type History, openHistory } from "../../pool/history.ts";
import { type Journal, openJournal } from "../../pool/journal.ts";
import { openKeeper } from "../../pool/keeper.ts";
import { PodCidr } from "../../pool/pod_cidr.ts";
import { isOfPodCidr } from "../../pool/pod_cidr_record.ts";
import { readCommandLine } from "../command_line.ts";
import { errorFields, type Log, openLog } from "../log.ts";
import { readArguments, USAGE } from "./arguments.ts";
import type { DaemonArguments } from "./arguments.ts";
import { requireAlone } from "./alone.ts";
import { Attacher } from "./attach.ts";
import {
  type Cluster,
  joinCluster,
  requireWithin,
  withServiceCidr,
} from "./cluster.ts";
import type { DaemonConfig } from "./config.ts";
import { dispatch, type NotReady, type OperatorCommands } from "./dispatch.ts";
import type { ConfigPlaces, LoadedConfig } from "./eni_conf_file.ts";
import { isKept } from "./kept.ts";
import { loadToStart } from "./last_good.ts";
import { LiveConfig } from "./live.ts";
import { Lender } from "./lender.ts";
import { type Meter, openMeter } from "./meter.ts";
import { openMemberPods } from "./member_pods.ts";
import { type DaemonMode, requireMode } from "./mode.ts";
import type { NodeEnis } from "./enis.ts";
import { releaseGone } from "./gone.ts";
import { serveHttp } from "./http.ts";
import { explain } from "./explain.ts";
import { installBeside } from "./install.ts";
import { type NodeFacts, openNode } from "./node.ts";
import { poolOptions } from "./pool.ts";
import { HostWatch, watchParts } from "./preflight_watch.ts";
import { Repairer } from "./repair.ts";
import { serve } from "./serve.ts";
import { Sharing } from "./sharing.ts";
import { requireTrunkable, tellTrunkless, trunkingStatus } from "./trunking.ts";
import { keepUp } from "./upkeep.ts";
import { WayBack } from "./way_back.ts";

/** The cloud must have told which cards there are within this time. */
const START_DEADLINE_MS = 120_000;
/** A drain takes a detach and a delete a card, some at once. */
const DRAIN_DEADLINE_MS = 120_000;

/**
 * Runs the daemon until it is told to stop.
 *
 * @param args What follows `terway daemon`.
 * @returns The exit status: 0 after SIGTERM, SIGINT or a finished drain, 2 for
 * a wrong command line, 1 for anything else.
 */
export async function main(args: readonly string[]): Promise<number> {
  const options = readCommandLine(
    { mode: "daemon", usage: USAGE },
    () => readArguments(args),
  );
  if (typeof options === "number") return options;
  const log = await openLog({ mode: "daemon", level: options.logLevel });
  try {
    await run(options, log);
    return 0;
  } catch (error) {
    log.error("the daemon ends", errorFields(error));
    return 1;
  }
}

async function run(options: DaemonArguments, log: Log): Promise<void> {
  await Deno.mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  await using cluster = await join(options, log);
  try {
    await requireAlone(options.socket);
    await runIn(cluster, options, log);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    cluster?.tellNode({
      type: "Warning",
      reason: "TerwayFailed",
      message: `terway can't run on this node: ${why}`,
    });
    throw error;
  }
}

async function runIn(
  cluster: Cluster | undefined,
  given: DaemonArguments,
  log: Log,
): Promise<void> {
  const options = await withPodCidr(given, cluster);
  const places = cluster?.places ?? placesOf(options);
  const loaded = await loadToStart({ places, log, ...cluster && { cluster } });
  const config = await withServiceCidr(loaded.config, cluster, options.mode);
  for (const warning of loaded.warnings) log.warning(warning);
  requireTrunkable(config, options.mode, places.path);
  const meter = await openMeter(options.http !== undefined);
  const onCall = meter?.callEnded;
  const node = await openNode(config, { log, ...onCall && { onCall } });
  tellTrunkless(config, node, { log, ...cluster && { cluster } });
  using journal = openJournal(`${options.stateDir}/journal.db`, {
    instanceId: node.instance.id,
  });
  await using kernel = await openKernel({ workerUrl: workerUrl() });
  using wayBack = new WayBack({ kernel, stack: config.ipStack, log });
  using history = openHistory(`${options.stateDir}/history.db`, {
    nowMs: Date.now,
    onFailure: (error) =>
      log.warning("what happens to pods isn't kept", errorFields(error)),
  });
  const { mode, stateDir } = options;
  requireMode(mode, journal.load().leases);
  const hostWatch = new HostWatch(
    watchParts({ config, node, kernel, journal, stateDir, log }),
  );
  const parts = {
    ...{ options, places, loaded, config },
    node,
    journal,
    kernel,
    hostWatch,
    wayBack,
    history,
    mode,
    ...{ ...cluster && { cluster }, ...meter && { meter } },
    log,
  };
  const pool = await poolOptions({
    ...parts,
    onEni: () => hostWatch.look().catch(() => {}), // a look each minute tells
  });
  const enis = pool.host;
  await using keeper = openKeeper(pool);
  if (options.drain) return await drainAlone({ ...parts, keeper });
  const podCidr = await openPodCidr(parts);
  const uplink = await kernel.findLink(node.instance.primaryMac);
  const uplinkMtu = config.mtu ?? uplink?.mtu;
  const lender = new Lender({
    memberPods: openMemberPods({ ...parts, keeper, enis }),
    ...{ keeper, enis, ...podCidr && { podCidr } },
    ...uplinkMtu && { uplinkMtu },
  });
  await serveUntilTold({ ...parts, keeper, enis, lender });
}

function placesOf(
  { config: path, nodeConfig: overlayPath }: DaemonArguments,
): ConfigPlaces {
  return { path, ...overlayPath !== undefined && { overlayPath } };
}

/** A drain needs nobody's leave, and tells nobody. */
async function join(
  options: DaemonArguments,
  log: Log,
): Promise<Cluster | undefined> {
  const { cluster, drain, stateDir, mode } = options;
  if (cluster === undefined || drain) return undefined;
  const places = placesOf(options);
  return await joinCluster({ ...cluster, places, stateDir, mode, log });
}

/** In a cluster the node's object tells its pod CIDR. */
async function withPodCidr(
  options: DaemonArguments,
  cluster: Cluster | undefined,
): Promise<DaemonArguments> {
  if (options.mode !== "VPC" || cluster === undefined) return options;
  const podCidr = options.podCidr ?? await cluster.podCidr();
  requireWithin(podCidr, Deno.env.get("Network"));
  return { ...options, podCidr };
}

async function openPodCidr(
  { options: { podCidr: cidr }, journal, kernel }: Parts,
): Promise<PodCidr | undefined> {
  if (cidr === undefined) return undefined;
  const podCidr = new PodCidr({ cidr, journal });
  await kernel.apply(vpcNodePlan(cidr));
  return podCidr;
}

/** `--drain`: no daemon serves meanwhile. */
async function drainAlone(
  parts: Parts & Pick<Pool, "keeper">,
): Promise<void> {
  await parts.keeper.start(AbortSignal.timeout(START_DEADLINE_MS));
  await drain(parts, AbortSignal.timeout(DRAIN_DEADLINE_MS));
}

async function drain(
  { options: { podCidr }, journal, kernel, hostWatch, wayBack, keeper }:
    & Parts
    & Pick<Pool, "keeper">,
  signal: AbortSignal,
): Promise<void> {
  const kept = keeper.leases().filter(isKept);
  for (const { ownerKey } of kept) await keeper.release(ownerKey);
  await keeper.drain(signal);
  // Pods of the pod CIDR live on; the host stays as they need it.
  const { leases } = journal.load();
  if (leases.some((one) => isOfPodCidr(one) && !isKept(one))) return;
  if (podCidr !== undefined) await kernel.remove(vpcNodePlan(podCidr));
  await wayBack.close();
  await hostWatch.undo();
}

/** What most parts of the daemon work with. */
interface Parts {
  readonly options: DaemonArguments;
  readonly places: ConfigPlaces;
  readonly loaded: LoadedConfig;
  readonly config: DaemonConfig;
  readonly node: NodeFacts;
  readonly journal: Journal;
  readonly kernel: Kernel;
  readonly hostWatch: HostWatch;
  readonly wayBack: WayBack;
  readonly history: History;
  readonly mode: DaemonMode;
  readonly cluster?: Cluster;
  readonly meter?: Meter;
  readonly log: Log;
}

/** The pool, and the ENIs that it sets up through us. */
interface Pool {
  readonly keeper: Keeper;
  readonly enis: NodeEnis;
  readonly lender: Lender;
}

async function serveUntilTold(parts: Parts & Pool): Promise<void> {
  const { options, config, node, kernel, keeper, wayBack, log } = parts;
  const { mtu } = config;
  const live = new LiveConfig(parts);
  const extraRoutes = (): readonly Cidr[] => live.inForce.extraRoutes;
  const serviceCidrs = Object.values(config.serviceCidrs ?? {});
  const sharing = new Sharing({ ...parts, serviceCidrs });
  const own = { ...nodeIpsOf(node), ...mtu && { mtu } };
  const attacher = new Attacher({ ...parts, ...own, extraRoutes, sharing });
  const commands = operatorCommands({ ...parts, sharing }, attacher);
  const started = keeper.start(AbortSignal.timeout(START_DEADLINE_MS));
  started.catch((error) =>
    log.error("the cloud hasn't told which ENIs there are", errorFields(error))
  );
  const notReady = (): NotReady | undefined => {
    const { mode, lost } = keeper.status();
    if (mode === "serving") return undefined;
    const isLimited = lost.length > 0;
    const pods = isLimited ? `; ${lost.length} pods have lost an address` : "";
    return { why: `the pool of this node is ${mode}${pods}`, isLimited };
  };
  const stop = Promise.withResolvers<string>();
  const { addDeadlineMs } = options;
  const dispatching = {
    attacher,
    wayBack,
    notReady,
    addDeadlineMs,
    ...parts.cluster && { pods: parts.cluster.pods },
    ...parts.meter && { meter: parts.meter },
    broken: (error: Error) => stop.reject(error),
    commands,
    log,
  };
  const server = serve({
    path: options.socket,
    handle: (request, gone) => dispatch(dispatching, request, gone),
    log,
  });
  log.info("serving", { socket: options.socket });
  const repairer = new Repairer({ ...parts, attacher });
  const tombstones = `${options.stateDir}/tombstones`;
  const upkeep = keepUp({ ...parts, tombstones, attacher, repairer });
  followCluster({ ...parts, serviceCidrs, live }, attacher);
  parts.meter?.follow(keeper);
  await using _http = serveHttp(options.http, { ...parts, notReady });
  await using _install = beginInstall(parts);
  try {
    onSignal((signal) => stop.resolve(signal));
    log.info("stopping", { signal: await stop.promise });
  } finally {
    await live[Symbol.asyncDispose]();
    await upkeep[Symbol.asyncDispose]();
    await repairer[Symbol.asyncDispose]();
    await server.close();
    await attacher.forgetFlows();
    await keeper.stop();
    await kernel.settled();
  }
}

function followCluster(
  parts: Parts & Pool & {
    readonly serviceCidrs: readonly Cidr[];
    readonly live: LiveConfig;
  },
  attacher: Attacher,
): void {
  const { cluster, keeper, lender, serviceCidrs, live } = parts;
  cluster?.follow({
    keeper,
    served: () => lender.podCidr()?.capacity ?? servedBy(keeper.status()),
    serviceCidrs,
    patchesPodIps: () => live.inForce.patchesPodIps,
    statefulKinds: () => live.inForce.statefulKinds,
    releaseGone: (isKnown) => releaseGone({ ...parts, attacher }, isKnown),
  });
}

/** Others' ENIs take places of the node's. */
function servedBy({ capacity, limits, foreignEniIds }: PoolStatus): number {
  const eniCount = limits.eniCount - foreignEniIds.length;
  return Math.max(0, Math.min(capacity, eniCount * limits.addressesPerEni));
}

function nodeIpsOf(
  { instance: { primaryIp: nodeIp, primaryIp6: nodeIp6 } }: NodeFacts,
): { readonly nodeIp: string; readonly nodeIp6?: string } {
  return { nodeIp, ...nodeIp6 && { nodeIp6 } };
}

function beginInstall(
  { options: { install: flags, socket, stateDir }, cluster, log }: Parts,
): AsyncDisposable | undefined {
  if (flags === undefined) return undefined;
  const onFailure = (why: string): void =>
    cluster?.tellNode({
      type: "Warning",
      reason: "TerwayFailed",
      message: `the runtime of this node can't use terway yet: ${why}`,
    });
  return installBeside({ socket, stateDir, flags, onFailure, log });
}

function operatorCommands(
  parts: Parts & Pool & { readonly sharing: Sharing },
  attacher: Attacher,
): OperatorCommands {
  const { config, keeper, lender, node, hostWatch, sharing, mode } = parts;
  const { eniCount, ipv4PerEniCount, ipv6PerEniCount } = node.limits;
  return {
    status: () =>
      Promise.resolve({
        schema: 1,
        version: build.version,
        pid: Deno.pid,
        node: {
          instanceId: node.instance.id,
          instanceType: node.instance.type,
          region: node.instance.region,
          zone: node.instance.zone,
          primaryIp: node.instance.primaryIp,
          limits: { eniCount, ipv4PerEniCount, ipv6PerEniCount },
          credentials: node.credentials(),
        },
        memory: { rssBytes: Deno.memoryUsage().rss },
        daemonMode: mode,
        devicePlugin: parts.config.devicePlugin,
        podCidr: lender.podCidr(),
        pool: keeper.status(),
        leases: lender.leases(),
        host: hostWatch.status(),
        sharing: sharing.status(),
        trunk: trunkingStatus(config, node, keeper.status()),
      }),
    explain: (body) => explain({ ...parts, attacher }, body),
    drain: async (_, gone) => {
      const deadline = AbortSignal.timeout(DRAIN_DEADLINE_MS);
      await drain(parts, AbortSignal.any([gone, deadline]));
      return { drained: true };
    },
  };
}

/** In the executable the Worker is a bundle of its own, beside ours. */
function workerUrl(): URL {
  return import.meta.url.endsWith("/modes/daemon/main.ts")
    ? new URL("../../netns/worker.ts", import.meta.url)
    : new URL("./netlink.js", import.meta.url);
}

function onSignal(told: (signal: Deno.Signal) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => told(signal));
  }
}
