/**
 * Follows a configuration that changes on disk.
 *
 * It looks every few seconds, by content. The kubelet swaps a ConfigMap's
 * files by a symbolic link, editors write in place, a mount by subPath never
 * changes: reading serves them all, while notices of the kernel are lost with
 * the folder they were asked for. The kubelet itself takes a minute to bring a
 * change, so a few seconds more don't matter.
 *
 * @module
 */
import { ConfigError } from "./config.ts";
import {
  type ConfigPlaces,
  type LoadedConfig,
  lookAtConfig,
} from "./eni_conf_file.ts";

/** What to follow, and how. */
export interface WatchOptions extends ConfigPlaces {
  /** What was read at the start, by `loadConfig()`; it isn't given again. */
  readonly from: LoadedConfig;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Between two looks; 5 seconds unless told, at least 1 millisecond. */
  readonly periodMs?: number;
  /** Hears of a bad configuration, once for each that is seen. */
  readonly onProblem: (error: ConfigError) => void;
}

/** Source: the kubelet's own period of a minute, divided. */
const PERIOD_MS = 5_000;

/**
 * Gives each good configuration that differs from the last one seen.
 *
 * A change counts when two looks in a row agree, so that a file is never taken
 * half-written. A bad one is told and passed over: what was given last stays
 * in force, and is given again when the file goes back to it. Nothing is
 * queued: who is slow gets the newest.
 *
 * @example Taking changes up while the daemon runs
 * ```ts ignore
 * const loaded = await loadConfig({ path: options.config });
 * let inForce = loaded.config;
 * const changes = watchConfig({
 *   path: options.config,
 *   from: loaded,
 *   signal: stopping.signal,
 *   onProblem: (error) =>
 *     log.error("the changed configuration is refused", errorFields(error)),
 * });
 * for await (const { config, warnings } of changes) {
 *   for (const warning of warnings) log.warning(warning);
 *   const plan = planReload(inForce, config);
 *   for (const { field, why } of plan.refused) {
 *     log.warning("a changed setting is refused", { field, why });
 *   }
 *   for (const { field, from, to } of plan.apply) {
 *     log.info("a setting changes", { field, from, to });
 *   }
 *   inForce = plan.inForce;
 *   keeper.reconfigure(inForce);
 * }
 * ```
 * @param options See {@linkcode WatchOptions}.
 * @returns Good configurations; it ends when the signal is aborted.
 */
export async function* watchConfig(
  options: WatchOptions,
): AsyncGenerator<LoadedConfig, void, void> {
  const { from, signal, periodMs = PERIOD_MS, onProblem } = options;
  let known = from.digest;
  let last = known;
  while (await pause(periodMs, signal)) {
    const seen = await lookAtConfig(options);
    const isSettled = seen.digest === last;
    last = seen.digest;
    if (!isSettled || seen.digest === known || signal.aborted) continue;
    known = seen.digest;
    const good = orProblem(seen.decode, onProblem);
    if (good !== undefined) yield good;
  }
}

function orProblem(
  decode: () => LoadedConfig,
  onProblem: (error: ConfigError) => void,
): LoadedConfig | undefined {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    onProblem(error);
    return undefined;
  }
}

/** Waits, and tells whether to go on. */
function pause(periodMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, Math.max(1, periodMs));
    signal.addEventListener("abort", end);
    // Its event is over then, and comes no more.
    if (signal.aborted) end();
  });
}
