/**
 * The memory that makes a repeated call harmless.
 *
 * The same ClientToken with the same parameters gives the first answer again,
 * also while the first call is still under way; with other parameters it is
 * refused. A call that failed leaves nothing behind. Source: ECS "How to
 * ensure idempotence" and "Public error codes", read 2026-11-21.
 *
 * @module
 */
import { Refusal } from "./refusal.ts";

/** How many tokens are remembered; the oldest go first. */
const TOKENS_AT_MOST = 10_000;

/** Parameters that may differ between a call and its repetition. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["ClientToken", "RegionId"]);

/** An answer's body, without its request id. */
export type Body = Readonly<Record<string, unknown>>;

/** Remembers answers by token. */
export class TokenMemory {
  readonly #calls = new Map<string, { params: string; body: Promise<Body> }>();

  /**
   * Does a call's work, unless it was done before.
   *
   * @param call Who calls what with which parameters; without `ClientToken`
   * there is no memory of it.
   * @param work The work.
   * @returns Its answer's body.
   * @throws {Refusal} `IdempotentParameterMismatch`, or what the work throws.
   */
  once(
    call: {
      caller: string;
      action: string;
      params: Readonly<Record<string, string>>;
    },
    work: () => Promise<Body>,
  ): Promise<Body> {
    const token = call.params["ClientToken"];
    if (token === undefined || token === "") return work();
    if (token.length > 64) {
      throw new Refusal(
        "InvalidParameter",
        "The specified parameter ClientToken is not valid: over 64 characters.",
      );
    }
    const key = `${call.caller} ${call.action} ${token}`;
    const params = fingerprint(call.params);
    const known = this.#calls.get(key);
    if (known === undefined) return this.#first(key, params, work);
    if (known.params === params) return known.body;
    throw new Refusal(
      "IdempotentParameterMismatch",
      "Request uses a client token in a previous request but is not identical to that request.",
    );
  }

  #first(
    key: string,
    params: string,
    work: () => Promise<Body>,
  ): Promise<Body> {
    const body = work();
    this.#calls.set(key, { params, body });
    body.catch(() => this.#calls.delete(key));
    if (this.#calls.size > TOKENS_AT_MOST) {
      const [oldest] = this.#calls.keys();
      if (oldest !== undefined) this.#calls.delete(oldest);
    }
    return body;
  }
}

function fingerprint(params: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.entries(params)
      .filter(([name]) => !NOT_COMPARED.has(name))
      .sort(([a], [b]) => a < b ? -1 : 1),
  );
}
