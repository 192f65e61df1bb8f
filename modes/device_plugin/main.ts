/**
 * `terway device-plugin`: makes ENIs a resource of the node, so that the
 * scheduler sends a pod that wants one to a node that has one to give.
 *
 * @module
 */
import { readCommandLine } from "../command_line.ts";
import { errorFields, type Log, openLog } from "../log.ts";
import { type PluginArguments, readArguments, USAGE } from "./arguments.ts";
import { devicesOf, type EniFigures, promisedCount } from "./capacity.ts";
import { followDaemon } from "./follow.ts";
import { keepRegistered } from "./keep.ts";
import { recall, remember } from "./memory.ts";
import { PluginServer } from "./plugin.ts";

/**
 * Runs the device plugin until it is told to stop.
 *
 * @param args What follows `terway device-plugin`.
 * @returns The exit status: 0 after SIGTERM or SIGINT, 2 for a wrong command
 * line, 1 for anything else.
 */
export async function main(args: readonly string[]): Promise<number> {
  const options = readCommandLine(
    { mode: "device-plugin", usage: USAGE },
    () => readArguments(args, Deno.env.get("NODE_NAME") || Deno.hostname()),
  );
  if (typeof options === "number") return options;
  const log = await openLog({ mode: "device-plugin", level: options.logLevel });
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }
  try {
    await requireFolder(options.folder);
    await run(options, log, stop);
    return 0;
  } catch (error) {
    log.error("the device plugin ends", errorFields(error));
    return 1;
  }
}

/** A resource that nobody wants, and the kubelet never heard of, stays so. */
function isUnknown(
  { isWanted }: EniFigures,
  count: number | undefined,
): boolean {
  return !isWanted && count === undefined;
}

/** Without the kubelet's folder there is nobody to serve. */
async function requireFolder(folder: string): Promise<void> {
  const found = await Deno.stat(folder).catch(() => undefined);
  if (found?.isDirectory === true) return;
  throw new Error(
    `Cannot serve devices as there is no folder ${folder}: the kubelet makes ` +
      "it when it starts. In a container mount it at the same path " +
      "(hostPath); where the kubelet has another --root-dir, name " +
      "ROOT/device-plugins by --kubelet-dir",
  );
}

/**
 * One resource. `aliyun/member-eni` of trunk nodes will be a second one beside
 * it: a count of its own from the same figures, a socket of its own.
 */
async function run(
  { resource, nodeName, folder, socket }: PluginArguments,
  log: Log,
  stop: AbortController,
): Promise<void> {
  const { signal } = stop;
  const endpoint = `terway-${resource.replace("/", "-")}.sock`;
  const memory = `${socket}-${endpoint}.json`;
  let count = await recall(memory, nodeName);
  let listedCount = count ?? 0;
  const first = Promise.withResolvers<void>();
  const server = new PluginServer(
    `${folder}/${endpoint}`,
    () => devicesOf({ nodeName, count: count ?? 0, listedCount }),
  );
  const onFigures = (figures: EniFigures): void => {
    const next = promisedCount(figures);
    if (next === count || isUnknown(figures, count)) return;
    const { daemonMode } = figures;
    log.info("ENIs for pods", {
      resource,
      count: next,
      was: count,
      daemonMode,
    });
    count = next;
    listedCount = Math.max(listedCount, next);
    server.tell();
    first.resolve();
    remember(memory, { nodeName, count }).catch((error) =>
      log.warning("a restart won't know the figure", errorFields(error))
    );
  };
  if (count !== undefined) {
    log.info("ENIs for pods, as of the last process", { resource, count });
    first.resolve();
  }
  signal.addEventListener("abort", () => first.resolve());
  const keeping = first.promise.then(() =>
    keepRegistered({ folder, endpoint, resource, server, log }, signal)
  );
  const hasFigures = count !== undefined;
  const following = followDaemon(
    { socket, hasFigures, onFigures, log },
    signal,
  );
  try {
    await Promise.race([keeping, following]);
    log.info("stopping");
  } finally {
    stop.abort();
    await server.close();
    await Promise.allSettled([keeping, following]);
  }
}
