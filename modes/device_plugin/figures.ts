/**
 * What a daemon's status says of ENIs, as far as devices go by it.
 *
 * @module
 */
import { z } from "zod";
import { ask } from "../wire.ts";
import type { EniFigures } from "./capacity.ts";

/** The daemon answers from memory: more than this means that it hangs. */
const REPLY_DEADLINE_MS = 5_000;

const count = z.int().min(0);

/** A newer daemon may tell more, and words that this one doesn't know. */
const status = z.object({
  daemonMode: z.string(),
  devicePlugin: z.boolean().optional(),
  trunk: z.object({
    eniId: z.string().optional(),
    memberCapacity: count,
    reason: z.string().optional(),
  }).optional(),
  pool: z.object({
    mode: z.string(),
    limits: z.object({ eniCount: count, hotPlug: z.boolean() }),
    enis: z.array(z.object({
      phase: z.string(),
      slots: z.object({
        idle: count,
        leased: count,
        cooling: count,
        quarantined: count,
      }),
      goneSinceMs: z.number().optional(),
    })),
    foreignEniIds: z.array(z.string()),
    full: z.unknown().optional(),
    health: z.object({ level: z.string() }),
  }),
});

/** Why a daemon's answer gives no figures. */
export class FiguresError extends Error {
  /** The error's name. */
  override readonly name = "FiguresError";
}

/**
 * Reads a daemon's status.
 *
 * @param told What it told, decoded from JSON.
 * @returns The figures; all is promised to nobody while it is being drained.
 * @throws {FiguresError} When the daemon doesn't know its ENIs yet, or tells
 * something else.
 */
export function figuresOf(told: unknown): EniFigures {
  const { data, error } = status.safeParse(told);
  if (error !== undefined) {
    const paths = error.issues.map(({ path, message }) =>
      `${path.map(String).join(".")}: ${message}`
    );
    throw new FiguresError(
      `the daemon's status isn't understood (${paths.join("; ")}): ` +
        "daemon and device plugin must be of one version",
    );
  }
  const { daemonMode, devicePlugin: isWanted = true, trunk, pool } = data;
  const { mode, limits, health } = pool;
  if (mode !== "serving" && mode !== "draining") {
    // Whose the ENIs are is known only once the cloud has told.
    throw new FiguresError(`the daemon's pool is ${mode}`);
  }
  const hasTrunk = mode === "serving" && trunk?.eniId !== undefined &&
    trunk.reason === undefined;
  return {
    daemonMode,
    ...hasTrunk && { memberCount: trunk.memberCapacity },
    isWanted,
    eniCount: mode === "serving" ? limits.eniCount : 0,
    hotPlug: limits.hotPlug,
    mayGrow: pool.full === undefined && health.level !== "probesOnly",
    enis: mode !== "serving" ? [] : pool.enis.map((eni) => {
      const { idle, leased, cooling, quarantined } = eni.slots;
      return {
        phase: eni.phase,
        isShown: eni.goneSinceMs === undefined,
        isQuarantined: quarantined > 0 && idle + leased + cooling === 0,
      };
    }),
    foreignCount: pool.foreignEniIds.length,
  };
}

/**
 * Asks a daemon.
 *
 * @param socket Where it listens.
 * @param signal Ends the wait.
 * @returns The figures.
 * @throws {WireError} When none answers.
 * @throws {FiguresError} When it gives no figures.
 */
export async function askFigures(
  socket: string,
  signal: AbortSignal,
): Promise<EniFigures> {
  const deadline = AbortSignal.timeout(REPLY_DEADLINE_MS);
  const { status, document } = await ask(socket, {
    variables: new Map([["TERWAY_COMMAND", "status"]]),
    stdin: new Uint8Array(),
  }, AbortSignal.any([signal, deadline]));
  if (status !== 0) throw new FiguresError(document.trim());
  return figuresOf(JSON.parse(document));
}
