/**
 * What the daemon does by itself, again and again: it carries out what was
 * written down, repairs the kernel, and frees what dead pods hold.
 *
 * @module
 */
import type { Kernel } from "../../netns/kernel.ts";
import { errorFields, type Log } from "../log.ts";
import type { Attacher } from "./attach.ts";
import { deadOf, findMissing, type Missing, sinceWhen } from "./dead.ts";
import { DefaultRoutes } from "./default_routes.ts";
import type { NodeEnis } from "./enis.ts";
import type { Lender } from "./lender.ts";
import type { HostWatch } from "./preflight_watch.ts";
import type { Repairer } from "./repair.ts";
import { LinkSweeper } from "./sweep.ts";
import { settleTombstones } from "./tombstones.ts";
import type { WayBack } from "./way_back.ts";

/**
 * How often what was written down is looked for, and flows are forgotten: a
 * released address rests for 30 s.
 */
const LATE_PERIOD_MS = 5_000;

/** How often everything is compared with the kernel. */
const SWEEP_PERIOD_MS = 60_000;

/** How often the host's settings are looked at. */
const HOST_PERIOD_MS = 60_000;

/** What the upkeep works with. */
export interface UpkeepParts {
  /** The folder that relays write to. */
  readonly tombstones: string;
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Lends addresses. */
  readonly lender: Lender;
  /** Serves the verbs of sandboxes. */
  readonly attacher: Attacher;
  /** Puts back what was there. */
  readonly repairer: Repairer;
  /** The ENIs in the node's kernel. */
  readonly enis: NodeEnis;
  /** Looks after the host's settings. */
  readonly hostWatch: HostWatch;
  /** Lets ports of the node answer. */
  readonly wayBack: WayBack;
  /** Where failures are told. */
  readonly log: Log;
}

/**
 * Begins the upkeep.
 *
 * @param parts What it works with.
 * @returns Ends it, and waits for what is under way.
 */
export function keepUp(parts: UpkeepParts): AsyncDisposable {
  const { log } = parts;
  const guarded = (what: string, work: () => Promise<unknown>) => async () => {
    try {
      await work();
    } catch (error) {
      log.error(`${what} failed: it is tried again`, errorFields(error));
    }
  };
  let missing: Missing = new Map();
  const sweeper = new LinkSweeper(parts);
  const defaults = new DefaultRoutes(parts);
  const loops = [
    every(
      LATE_PERIOD_MS,
      guarded("settling what came late", async () => {
        await settleTombstones({ ...parts, folder: parts.tombstones });
        await parts.attacher.releaseLate();
        await parts.lender.releaseKept("expired");
        await parts.attacher.forgetFlows();
        // A lost journal's leases are known when the cloud has told its ENIs.
        if (sweeper.hasLeft) await sweeper.sweep();
      }),
    ),
    every(
      SWEEP_PERIOD_MS,
      guarded("a look at the whole node", async () => {
        await sweeper.look();
        await parts.repairer.sweep();
        await defaults.look();
        await parts.wayBack.sweep();
        missing = await freeDead(parts, missing);
      }),
    ),
    every(
      HOST_PERIOD_MS,
      guarded("a look at the host's settings", () => parts.hostWatch.look()),
    ),
  ];
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()));
      await defaults[Symbol.asyncDispose]();
    },
  };
}

async function freeDead(
  { kernel, lender, attacher, log }: UpkeepParts,
  before: Missing,
): Promise<Missing> {
  const nowMs = Date.now();
  const found = await findMissing(kernel, lender.leases());
  const missing = sinceWhen(before, found.map(({ key }) => key), nowMs);
  const dead = new Set(deadOf(missing, nowMs));
  for (const { key, owner } of found) {
    if (!dead.has(key)) continue;
    log.warning("a pod is gone without a DEL: its address is released", {
      owner: key,
      since: new Date(missing.get(key) ?? nowMs).toISOString(),
    });
    await attacher.delete(owner);
  }
  return missing;
}

/** Runs `work`, which doesn't fail, at once and then again after each pause. */
function every(
  periodMs: number,
  work: () => Promise<unknown>,
): AsyncDisposable {
  const stopped = Promise.withResolvers<void>();
  let isStopped = false;
  const loop = (async () => {
    while (!isStopped) {
      await work();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const pause = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, periodMs);
      });
      await Promise.race([pause, stopped.promise]);
      clearTimeout(timer);
    }
  })();
  return {
    [Symbol.asyncDispose](): Promise<void> {
      isStopped = true;
      stopped.resolve();
      return loop;
    },
  };
}
