/**
 * Whose OIDC tokens the account trusts, and for which roles: what RRSA needs.
 *
 * A token isn't taken apart: it is as good as whoever wrote it into a trust.
 * So nobody has to run an issuer to try RRSA, and a rotated token is one call.
 *
 * @module
 */
import type { AccessKey, AccessKeys } from "./access_keys.ts";
import { Refusal } from "./refusal.ts";

/** A trust in one service account's tokens. */
export interface Trust {
  /** Such as `acs:ram::1234567890123456:oidc-provider/ack-rrsa`. */
  readonly providerArn: string;
  /** Such as `acs:ram::1234567890123456:role/terway`; its end is the role. */
  readonly roleArn: string;
  /** The token that is good now. */
  readonly token: string;
}

/** A request for a session. */
export interface AssumeOrder {
  /** As in {@linkcode Trust}. */
  readonly providerArn: string;
  /** As in {@linkcode Trust}. */
  readonly roleArn: string;
  /** What the caller proves itself by. */
  readonly token: string;
  /** When the session shall end, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** Trades OIDC tokens for sessions of roles. */
export class OidcTrust {
  readonly #keys: AccessKeys;
  /** By provider and role. */
  readonly #trusts = new Map<string, Trust>();
  /** Tokens that were good once. */
  readonly #ended = new Set<string>();

  /**
   * Makes one that trusts nobody.
   *
   * @param keys Where sessions are kept; the roles must be there.
   */
  constructor(keys: AccessKeys) {
    this.#keys = keys;
  }

  /**
   * Trusts a token, and none before it: those are expired from now on.
   *
   * @param trust Whose, and for which role.
   */
  trust(trust: Trust): void {
    const key = keyOf(trust);
    const before = this.#trusts.get(key);
    if (before !== undefined) this.#ended.add(before.token);
    this.#ended.delete(trust.token);
    this.#trusts.set(key, trust);
  }

  /**
   * Gives a session of a role to whoever has its token.
   *
   * @param order What is asked for, and by which token.
   * @returns The session.
   * @throws {Refusal} `AuthenticationFail.…`.
   */
  assume(order: AssumeOrder): AccessKey {
    const trust = this.#trusts.get(keyOf(order));
    if (trust === undefined) {
      throw new Refusal(
        "AuthenticationFail.NoPermission",
        "No such OIDC Provider registered.",
      );
    }
    if (this.#ended.has(order.token)) {
      throw new Refusal(
        "AuthenticationFail.OIDCToken.Expired",
        "This JsonWebToken is expired.",
      );
    }
    if (order.token !== trust.token) {
      throw new Refusal(
        "AuthenticationFail.OIDCToken.Invalid",
        "The Jwt content is invalid that cannot be recognized.",
      );
    }
    const role = order.roleArn.split("/").at(-1) ?? "";
    const session = this.#keys.assume(role, order.expiresAtMs);
    if (session !== undefined) return session;
    throw new Refusal(
      "AuthenticationFail.NoPermission",
      "There is no permission",
    );
  }
}

function keyOf(at: { providerArn: string; roleArn: string }): string {
  return `${at.providerArn} ${at.roleArn}`;
}
