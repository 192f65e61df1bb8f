/**
 * `terway device-plugin`: makes ENIs a resource of the node, so that the
 * scheduler sends a pod that wants one to a node that has one to give.
 *
 * @module
 */
import { readCommandLine } from "../command_line.ts";
import { errorFields, type Log, openLog } from "../log.ts";
import { type PluginArguments, readArguments, USAGE } from "./arguments.ts";
import { Advert } from "./advert.ts";
import { type EniFigures, promisedCount } from "./capacity.ts";
import { followDaemon } from "./follow.ts";

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

/** What pods of a trunk node ask for. Source: reference §1.6. */
const MEMBER_RESOURCE = "aliyun/member-eni";

/** Whole ENIs by one name, and members of the node's trunk. */
async function run(
  { resource, nodeName, folder, socket }: PluginArguments,
  log: Log,
  stop: AbortController,
): Promise<void> {
  const { signal } = stop;
  const common = { nodeName, folder, socket, log };
  await using whole = new Advert({ ...common, resource });
  await using members = new Advert({ ...common, resource: MEMBER_RESOURCE });
  await whole.recall();
  await members.recall();
  const onFigures = (figures: EniFigures): void => {
    const { daemonMode, isWanted, memberCount } = figures;
    whole.promise(isWanted ? promisedCount(figures) : undefined, {
      daemonMode,
    });
    members.promise(isWanted ? memberCount : undefined, { daemonMode });
  };
  const hasFigures = whole.isKnown;
  const all = [
    whole.keep(signal),
    members.keep(signal),
    followDaemon({ socket, hasFigures, onFigures, log }, signal),
  ];
  try {
    await Promise.race(all);
    log.info("stopping");
  } finally {
    stop.abort();
    await Promise.allSettled(all);
  }
}
