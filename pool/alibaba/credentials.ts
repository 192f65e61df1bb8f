/**
 * With which keys the cloud is called, and where they come from.
 *
 * A chain of sources is asked in order; the first one that has credentials
 * wins. Those that end by themselves are fetched anew before they do. A new
 * source is one more entry of the chain.
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

/**
 * Credentials end this long before they do: a call signed just in time must
 * still arrive in time, and metadata offers new ones well before the end.
 */
const MARGIN_MS = 15 * 60_000;

/** One fetch serves many callers, and so has a deadline of its own. */
const LOAD_MS = 20_000;

/** Gives credentials that are good for the next call. */
export class CredentialChain {
  readonly #sources: readonly CredentialSource[];
  readonly #nowMs: () => number;
  #current: Credentials | undefined;
  #pending: Promise<Credentials> | undefined;

  /**
   * Makes a chain.
   *
   * @param sources In the order in which they are asked.
   * @param nowMs The time, in milliseconds since 1970.
   */
  constructor(
    sources: readonly CredentialSource[],
    nowMs: () => number = Date.now,
  ) {
    this.#sources = sources;
    this.#nowMs = nowMs;
  }

  /**
   * Gives credentials; those at hand while they last, else new ones.
   *
   * Many callers at once cause one fetch. When a fetch fails while the old
   * ones still last, the old ones are given.
   *
   * @param signal Ends the wait.
   * @returns The credentials.
   * @throws {CredentialError} When no source has any.
   */
  async get(signal: AbortSignal): Promise<Credentials> {
    const current = this.#current;
    if (current !== undefined && this.#lasts(current, MARGIN_MS)) {
      return current;
    }
    this.#pending ??= this.#load(AbortSignal.timeout(LOAD_MS)).finally(() => {
      this.#pending = undefined;
    });
    try {
      return await orAbort(this.#pending, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (current !== undefined && this.#lasts(current, 0)) return current;
      throw error;
    }
  }

  /** Forgets the credentials at hand, such as when the cloud refused them. */
  forget(): void {
    this.#current = undefined;
  }

  async #load(signal: AbortSignal): Promise<Credentials> {
    for (const source of this.#sources) {
      const found = await source.load(signal);
      if (found !== undefined) return this.#current = found;
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

/**
 * A pair of key and secret that somebody wrote down.
 *
 * @param name Where it is written, such as `AK_ID and AK_SECRET`.
 * @param pair Its halves; empty or absent for none.
 * @returns The source.
 */
export function staticSource(
  name: string,
  pair: { id?: string | undefined; secret?: string | Secret | undefined },
): CredentialSource {
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
          `Cannot use ${name} as key and secret must both be set: the ${
            id === "" ? "key" : "secret"
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
