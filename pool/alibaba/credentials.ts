/**
 * With which keys the cloud is called, and where they come from.
 *
 * A chain of sources is asked in order; the first one that is set up wins, and
 * one that is set up wrongly is an error, never passed over. What ends by
 * itself is renewed before, and what may change is looked at again, both while
 * callers go on with what is at hand. A new source is one more entry.
 *
 * Of `@alicloud/credentials` nothing is used: its providers take no signal, no
 * `fetch` and no clock, read the environment by themselves, pass over what
 * they can't read, know no endpoint of STS by plain HTTP, and quote the answer
 * of STS in their errors. What is left, two requests, is shorter here.
 *
 * @module
 */
import { orAbort } from "./abort.ts";
import type { Metadata } from "./instance.ts";

/** A text that no log, error, JSON or inspection ever shows. */
export class Secret {
  readonly #value: string;

  /**
   * Wraps a secret.
   *
   * @param value The secret.
   */
  constructor(value: string) {
    this.#value = value;
  }

  /**
   * Gives the secret to the code that signs with it, and to none other.
   *
   * @returns The secret.
   */
  reveal(): string {
    return this.#value;
  }

  /**
   * Hides the secret.
   *
   * @returns `***`.
   */
  toString(): string {
    return "***";
  }

  /**
   * Hides the secret.
   *
   * @returns `***`.
   */
  toJSON(): string {
    return "***";
  }
}

// `console`, `Deno.inspect` and `node:util` ask for these. They are set from
// outside, as isolated declarations allow no computed names in a class.
for (const name of ["Deno.customInspect", "nodejs.util.inspect.custom"]) {
  Object.defineProperty(Secret.prototype, Symbol.for(name), {
    value: (): string => "***",
  });
}

/** What signs a call. */
export interface Credentials {
  /** Names the key; no secret. */
  readonly accessKeyId: string;
  /** Signs. */
  readonly accessKeySecret: Secret;
  /** Travels along when the key is a session of a role. */
  readonly securityToken?: Secret;
  /** When they end, in milliseconds since 1970; absent when they don't. */
  readonly expiresAtMs?: number;
  /** Where they came from, for people, such as `RAM role terway`. */
  readonly source: string;
}

/** Where credentials may come from. */
export interface CredentialSource {
  /** Its name, for people. */
  readonly name: string;
  /** How soon it may say something else; never, unless told. */
  readonly rereadMs?: number;
  /**
   * Fetches credentials.
   *
   * @param signal Ends the wait.
   * @returns Credentials, or nothing when this source isn't set up.
   * @throws {CredentialError} When it is set up, but wrongly.
   */
  load(signal: AbortSignal): Promise<Credentials | undefined>;
}

/** No credentials, or wrong ones. */
export class CredentialError extends Error {
  /** The class's name. */
  override readonly name = "CredentialError";
}

/** What people may know of the credentials in use. */
export interface CredentialStatus {
  /** Where they came from, such as `RAM role terway`; no secret. */
  readonly source: string;
  /** When they end, in milliseconds since 1970; absent when they don't. */
  readonly expiresAtMs?: number;
  /** Why they couldn't be renewed, since they were last. */
  readonly problem?: string;
}

/**
 * Sessions are renewed this long before they end, and up to
 * {@linkcode JITTER_MS} sooner, so that a cluster's nodes don't ask at once.
 * Metadata and STS give new ones well before. Source: `@alicloud/credentials`
 * 2.4.7, `STALE_TIME`.
 */
const MARGIN_MS = 15 * 60_000;
const JITTER_MS = 5 * 60_000;

/** Callers wait for new credentials when those at hand end this soon. */
const URGENT_MS = 60_000;

/** How soon, at most, is asked again after a failure or nothing new. */
const RETRY_MS = 60_000;

/** One fetch serves many callers, and so has a deadline of its own. */
const LOAD_MS = 20_000;

/** How a {@linkcode CredentialChain} sees time and chance. */
export interface CredentialChainOptions {
  /** The time, in milliseconds since 1970. @default {Date.now} */
  readonly nowMs?: () => number;
  /** From 0 to below 1. @default {Math.random} */
  readonly chance?: () => number;
}

/** Gives credentials that are good for the next call. */
export class CredentialChain {
  readonly #sources: readonly CredentialSource[];
  readonly #nowMs: () => number;
  readonly #chance: () => number;
  #current: Credentials | undefined;
  #renewAtMs = -Infinity;
  #pending: Promise<Credentials> | undefined;
  #problem: string | undefined;

  /**
   * Makes a chain.
   *
   * @param sources In the order in which they are asked.
   * @param options Time and chance.
   */
  constructor(
    sources: readonly CredentialSource[],
    options: CredentialChainOptions = {},
  ) {
    this.#sources = sources;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#chance = options.chance ?? Math.random;
  }

  /**
   * Gives credentials: those at hand while they last, and asks for new ones
   * meanwhile when it is time; else new ones.
   *
   * Many callers at once cause one fetch. When a fetch fails while the old
   * ones still last, the old ones are given.
   *
   * @param signal Ends the wait.
   * @returns The credentials.
   * @throws {CredentialError} When no source has any, or the first one that
   * is set up is so wrongly.
   */
  async get(signal: AbortSignal): Promise<Credentials> {
    signal.throwIfAborted();
    const current = this.#current;
    const isTime = this.#nowMs() >= this.#renewAtMs;
    if (current !== undefined && !isTime && this.#lasts(current, 0)) {
      return current;
    }
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = undefined;
    });
    if (current !== undefined && this.#lasts(current, URGENT_MS)) {
      this.#pending.catch(() => {}); // told by status()
      return current;
    }
    try {
      return await orAbort(this.#pending, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (current !== undefined && this.#lasts(current, 0)) return current;
      throw error;
    }
  }

  /**
   * Forgets credentials that the cloud refused.
   *
   * @param refused Which; others that came meanwhile stay.
   */
  forget(refused: Credentials): void {
    if (this.#current === refused) this.#current = undefined;
  }

  /**
   * Tells where the credentials at hand come from.
   *
   * @returns No secret; nothing before the first ones came.
   */
  status(): CredentialStatus | undefined {
    if (this.#current === undefined) return undefined;
    const { source, expiresAtMs } = this.#current;
    return {
      source,
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  async #renew(): Promise<Credentials> {
    try {
      const found = await this.#load(AbortSignal.timeout(LOAD_MS));
      this.#problem = undefined;
      return found;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : "unknown";
      this.#renewAtMs = this.#nowMs() + this.#retryMs(this.#current);
      throw error;
    }
  }

  /** How soon to ask again: sooner the less time what is at hand has left. */
  #retryMs(held: Credentials | undefined): number {
    const leftMs = (held?.expiresAtMs ?? Infinity) - this.#nowMs();
    return Math.min(RETRY_MS, Math.max(0, leftMs / 2));
  }

  async #load(signal: AbortSignal): Promise<Credentials> {
    let rereadMs = Infinity;
    for (const source of this.#sources) {
      // One that had nothing may have something later, and comes first then.
      rereadMs = Math.min(rereadMs, source.rereadMs ?? Infinity);
      const found = await source.load(signal);
      if (found === undefined) continue;
      const nowMs = this.#nowMs();
      const earlyMs = MARGIN_MS + JITTER_MS * this.#chance();
      const endMs = (found.expiresAtMs ?? Infinity) - earlyMs;
      this.#renewAtMs = Math.min(
        nowMs + rereadMs,
        Math.max(endMs, nowMs + this.#retryMs(found)),
      );
      // Clients are bound to credentials: the same ones stay the same object.
      return this.#current = same(this.#current, found) ?? found;
    }
    const names = this.#sources.map(({ name }) => name).join(", ");
    throw new CredentialError(
      `Cannot call the cloud as credentials must come from one of: ${names}`,
    );
  }

  #lasts(credentials: Credentials, marginMs: number): boolean {
    const { expiresAtMs } = credentials;
    return expiresAtMs === undefined ||
      expiresAtMs - this.#nowMs() > marginMs;
  }
}

/** Gives the old credentials if the new ones are the same. */
function same(
  old: Credentials | undefined,
  found: Credentials,
): Credentials | undefined {
  const isSame = old?.accessKeyId === found.accessKeyId &&
    old.accessKeySecret.reveal() === found.accessKeySecret.reveal() &&
    old.securityToken?.reveal() === found.securityToken?.reveal() &&
    old.expiresAtMs === found.expiresAtMs && old.source === found.source;
  return isSame ? old : undefined;
}

/**
 * A pair of key and secret that somebody wrote down.
 *
 * @param name Where it is written, such as `AK_ID and AK_SECRET`.
 * @param pair Its halves; empty or absent for none. `names` are those of the
 * halves, for whoever forgot one.
 * @returns The source.
 */
export function staticSource(
  name: string,
  pair: {
    id?: string | undefined;
    secret?: string | Secret | undefined;
    names?: readonly [id: string, secret: string];
  },
): CredentialSource {
  const [idName, secretName] = pair.names ?? ["the key", "the secret"];
  const id = pair.id?.trim() ?? "";
  const secret = pair.secret instanceof Secret
    ? pair.secret.reveal().trim()
    : pair.secret?.trim() ?? "";
  const found: Credentials = {
    accessKeyId: id,
    accessKeySecret: new Secret(secret),
    source: name,
  };
  return {
    name,
    load(): Promise<Credentials | undefined> {
      if (id !== "" && secret !== "") return Promise.resolve(found);
      if (id === "" && secret === "") return Promise.resolve(undefined);
      return Promise.reject(
        new CredentialError(
          `Cannot use ${name} as both halves must be set: ${
            id === "" ? idName : secretName
          } is missing`,
        ),
      );
    },
  };
}

/**
 * The session of the RAM role that the instance bears.
 *
 * @param metadata The instance's metadata.
 * @returns The source.
 */
export function roleSource(metadata: Metadata): CredentialSource {
  return {
    name: "the instance's RAM role",
    async load(signal: AbortSignal): Promise<Credentials | undefined> {
      const session = await metadata.roleSession(signal);
      return session === undefined ? undefined : {
        accessKeyId: session.accessKeyId,
        accessKeySecret: new Secret(session.accessKeySecret),
        securityToken: new Secret(session.securityToken),
        expiresAtMs: session.expiresAtMs,
        source: `RAM role ${session.role}`,
      };
    },
  };
}
