/**
 * Who may call the emulated cloud, and what they may do.
 *
 * An access key belongs to a RAM user; a session (`STS.…`) to a RAM role, ends
 * by itself and travels with a token.
 *
 * @module
 */
import type { Identity } from "./identity.ts";
import { Refusal } from "./refusal.ts";

/** A key that signs calls. */
export interface AccessKey {
  /** What travels: `LTAI…`, or `STS.…` for a session. */
  readonly id: string;
  /** What signs. */
  readonly secret: string;
  /** Actions such as `ecs:CreateNetworkInterface`, `ecs:Describe*` or `*`. */
  readonly allow: readonly string[];
  /** What must travel along, for a session. */
  readonly token?: string;
  /** When it ends, in milliseconds since 1970, for a session. */
  readonly expiresAtMs?: number;
}

/** How long a session of a role lasts. Source: RAM, "Instance RAM roles". */
export const SESSION_MS: number = 6 * 3_600_000;

/** The keys of an account. */
export class AccessKeys {
  readonly #keys = new Map<string, AccessKey>();
  readonly #roles = new Map<string, readonly string[]>();
  readonly #sessions = new Map<string, AccessKey>();
  readonly #identity: Identity;

  /**
   * Makes an empty set.
   *
   * @param identity Where ids and secrets are drawn from.
   */
  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /**
   * Adds a user's key.
   *
   * @param key Its id and secret, by default drawn; by default it may all.
   * @returns The key.
   */
  add(
    key: { id?: string; secret?: string; allow?: readonly string[] } = {},
  ): AccessKey {
    const made: AccessKey = {
      id: key.id ?? `LTAI5t${this.#identity.text(18)}`,
      secret: key.secret ?? this.#identity.text(30),
      allow: key.allow ?? ["*"],
    };
    this.#keys.set(made.id, made);
    return made;
  }

  /**
   * Takes a key away; calls that it signs are refused from now on.
   *
   * @param id Which.
   */
  remove(id: string): void {
    this.#keys.delete(id);
  }

  /**
   * Adds or changes a RAM role that instances can bear.
   *
   * @param name Its name.
   * @param allow What it may do.
   */
  addRole(name: string, allow: readonly string[] = ["*"]): void {
    this.#roles.set(name, allow);
  }

  /**
   * Gives a session of a role: the same one until half of its time is over.
   *
   * @param role The role's name.
   * @param nowMs The time.
   * @param lifeMs How long a new one lasts.
   * @returns The session's key, or nothing when there is no such role.
   */
  session(
    role: string,
    nowMs: number,
    lifeMs: number = SESSION_MS,
  ): AccessKey | undefined {
    const allow = this.#roles.get(role);
    if (allow === undefined) return undefined;
    const current = this.#sessions.get(role);
    if (
      current?.expiresAtMs !== undefined &&
      current.expiresAtMs - nowMs > lifeMs / 2
    ) return current;
    const session = this.#begin(allow, nowMs + lifeMs);
    this.#sessions.set(role, session);
    return session;
  }

  /**
   * Begins another session of a role, as STS does for each who asks.
   *
   * @param role The role's name.
   * @param expiresAtMs When it ends, in milliseconds since 1970.
   * @returns The session's key, or nothing when there is no such role.
   */
  assume(role: string, expiresAtMs: number): AccessKey | undefined {
    const allow = this.#roles.get(role);
    return allow === undefined ? undefined : this.#begin(allow, expiresAtMs);
  }

  /**
   * Ends a role's session before its time, as a change of the role can.
   *
   * @param role The role's name.
   */
  revoke(role: string): void {
    this.#keys.delete(this.#sessions.get(role)?.id ?? "");
    this.#sessions.delete(role);
  }

  /**
   * Finds a key that may sign now.
   *
   * @param id What travelled.
   * @param token What travelled along.
   * @param nowMs The time.
   * @returns The key.
   * @throws {Refusal} `InvalidAccessKeyId.NotFound`, `MissingSecurityToken`,
   * `InvalidSecurityToken.Malformed` or `InvalidSecurityToken.Expired`.
   */
  find(id: string, token: string | undefined, nowMs: number): AccessKey {
    const key = this.#keys.get(id);
    if (key === undefined) {
      throw new Refusal(
        "InvalidAccessKeyId.NotFound",
        "Specified access key is not found.",
      );
    }
    if (key.token === undefined) return key;
    if (token === undefined) {
      throw new Refusal(
        "MissingSecurityToken",
        "SecurityToken is mandatory for this action.",
      );
    }
    if (token !== key.token) {
      throw new Refusal(
        "InvalidSecurityToken.Malformed",
        "Specified SecurityToken is malformed.",
      );
    }
    if (key.expiresAtMs !== undefined && nowMs >= key.expiresAtMs) {
      throw new Refusal(
        "InvalidSecurityToken.Expired",
        "Specified SecurityToken is expired.",
      );
    }
    return key;
  }

  #begin(allow: readonly string[], expiresAtMs: number): AccessKey {
    const session: AccessKey = {
      id: `STS.${this.#identity.text(24)}`,
      secret: this.#identity.text(44),
      token: this.#identity.text(120),
      expiresAtMs,
      allow,
    };
    this.#keys.set(session.id, session);
    return session;
  }
}

/**
 * Demands that a key may do something.
 *
 * @param key The key.
 * @param action Such as `ecs:CreateNetworkInterface`.
 * @throws {Refusal} `Forbidden.RAM`.
 */
export function demandAllowed(key: AccessKey, action: string): void {
  const allowed = key.allow.some((rule) =>
    rule.endsWith("*") ? action.startsWith(rule.slice(0, -1)) : action === rule
  );
  if (!allowed) throw forbidden(key, action);
}

/**
 * Makes the refusal of somebody who may not. Its message is the service's,
 * which names nothing; the action is in the body's `AccessDeniedDetail`.
 * Source: public answers of 2018 to 2024, and RAM's DecodeDiagnosticMessage,
 * read 2026-11-21.
 *
 * @param key Who.
 * @param action What, such as `ecs:CreateNetworkInterface`.
 * @returns `Forbidden.RAM`.
 */
export function forbidden(key: AccessKey, action: string): Refusal {
  return new Refusal(
    "Forbidden.RAM",
    "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
    {
      detail: {
        AccessDeniedDetail: {
          AuthAction: action,
          AuthPrincipalType: key.token === undefined
            ? "SubUser"
            : "AssumedRoleUser",
          NoPermissionType: "ImplicitDeny",
          PolicyType: "AccountLevelIdentityBasedPolicy",
        },
      },
    },
  );
}
