/**
 * nftables by libnftables: commands as JSON in, objects as JSON out. What is
 * run together is one transaction: all of it happens, or none.
 *
 * The kernel is asked first whether it has nftables at all, by a message of
 * our own: libnftables ends the whole process where it can't open its socket.
 *
 * Deliberately not here: what any table is for. The older packet filter of the
 * same kernel (`iptables-legacy`) can't be seen by nftables;
 * {@linkcode legacyTables} tells whether it is in use.
 *
 * @module
 */
import { type Errno, NetlinkError } from "./errno.ts";
import {
  type Calls,
  cString,
  libnftables,
  LibraryError,
  Owned,
  textAt,
} from "./ffi.ts";
import { type Namespace, type Sync, within } from "./namespace.ts";
import { openNetfilter } from "./socket.ts";
import type { LIBNFTABLES } from "./symbols.ts";

/** Why nftables didn't do what it was asked for. */
export type NftProblem = "noLibrary" | "noKernel" | "denied" | "refused";

/**
 * nftables didn't do what it was asked for:
 *
 * - `noLibrary`: libnftables isn't installed.
 * - `noKernel`: this kernel has no nftables, so it has no rules of it either.
 * - `denied`: this process mayn't use it (CAP_NET_ADMIN).
 * - `refused`: it is there, and refused the commands.
 */
export class NftError extends Error {
  /** Its class, also after a `postMessage`. */
  override readonly name = "NftError";
  /** Why. */
  readonly kind: NftProblem;

  /**
   * Makes one.
   *
   * @param kind Why.
   * @param message What was tried, and what went wrong.
   * @param options The cause, when it is another error.
   */
  constructor(kind: NftProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * A command: one verb and its object, such as `{ list: { chains: null } }`.
 *
 * @see libnftables-json(5)
 */
export type NftCommand = Readonly<Record<string, unknown>>;

/** An object of an answer by its kind, such as `{ chain: { … } }`. */
export type NftObject = Readonly<Record<string, unknown>>;

/** JSON out, and in. Source: NFT_CTX_OUTPUT_JSON in nftables/libnftables.h. */
const OUTPUT_JSON = 1 << 4;

/**
 * Asks for the number of the rule set's generation: the least of questions.
 * Source: NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN in linux/netfilter/.
 */
const GET_GENERATION = (10 << 8) | 16;

/** struct nfgenmsg: any family, version 0, resource 0. */
const ANY_FAMILY = new Uint8Array(4);

/** What the kernel says where it has no such part, and where it says no. */
const PROBLEMS: Partial<Record<Errno, NftProblem>> = {
  EPROTONOSUPPORT: "noKernel",
  EOPNOTSUPP: "noKernel",
  EINVAL: "noKernel",
  EPERM: "denied",
  EACCES: "denied",
};

/** More of a message tells a reader nothing. */
const SHOWN_CHARACTERS = 400;

/** The nftables of one namespace. */
export class Nft implements Disposable {
  readonly #lib: Calls<typeof LIBNFTABLES>;
  readonly #context: Owned;
  readonly #namespace: Namespace | undefined;

  /**
   * Takes what {@linkcode openNft} opened.
   *
   * @param lib The library.
   * @param context Its context, made inside the namespace.
   * @param namespace That namespace; undefined for the thread's own.
   */
  constructor(
    lib: Calls<typeof LIBNFTABLES>,
    context: Owned,
    namespace: Namespace | undefined,
  ) {
    this.#lib = lib;
    this.#context = context;
    this.#namespace = namespace;
  }

  /**
   * Carries commands out, all of them or none. A list shows what there was
   * before the other commands of the same run.
   *
   * A base chain's policy is changed by `add` only when its type, hook and
   * priority are given too.
   *
   * @example All chains
   * ```ts ignore
   * const chains = nft.run([{ list: { chains: null } }]);
   * ```
   * @param commands Any number.
   * @returns What was listed, in order.
   * @throws {NftError} `refused`, with what nftables says.
   */
  run(commands: readonly NftCommand[]): readonly NftObject[] {
    const text = JSON.stringify({ nftables: commands });
    const { pointer } = this.#context;
    // Names of links are looked up where the thread is, and a socket that
    // lost messages is opened anew there.
    const code = inside(
      this.#namespace,
      () => this.#lib.nft_run_cmd_from_buffer(pointer, cString(text)),
    );
    // Reading a buffer empties it.
    const output = textAt(this.#lib.nft_ctx_get_output_buffer(pointer)) ?? "";
    const errors = textAt(this.#lib.nft_ctx_get_error_buffer(pointer)) ?? "";
    if (code !== 0) throw refusal(errors, text);
    return objectsOf(output);
  }

  /** Closes it; a second time does nothing. */
  [Symbol.dispose](): void {
    this.#context[Symbol.dispose]();
  }
}

/**
 * Opens the nftables of a namespace. Costs 0.3 ms.
 *
 * @param namespace Where; this thread's own when absent.
 * @returns It; close it by `using`.
 * @throws {NftError} `noLibrary`, `noKernel` or `denied`.
 */
export function openNft(namespace?: Namespace): Nft {
  requireNft(namespace);
  const lib = library();
  const context = new Owned(
    inside(namespace, () => lib.nft_ctx_new(0)),
    lib.nft_ctx_free,
  );
  const { pointer } = context;
  lib.nft_ctx_output_set_flags(pointer, OUTPUT_JSON);
  if (
    lib.nft_ctx_buffer_output(pointer) !== 0 ||
    lib.nft_ctx_buffer_error(pointer) !== 0
  ) {
    context[Symbol.dispose]();
    throw new NetlinkError({ op: "open nftables", errno: "ENOMEM" });
  }
  return new Nft(lib, context, namespace);
}

/** Tables of the older packet filter, by the family of its packets. */
export interface LegacyTables {
  /** Those of `iptables-legacy`, such as `filter`. */
  readonly v4: readonly string[];
  /** Those of `ip6tables-legacy`. */
  readonly v6: readonly string[];
}

/**
 * Names the tables of the older packet filter that a namespace has. The kernel
 * makes one when it is first asked for, so none means that nobody uses it.
 *
 * @param namespace Where; this thread's own when absent.
 * @returns Names; none where the kernel has no such filter.
 */
export function legacyTables(namespace?: Namespace): LegacyTables {
  return inside<LegacyTables>(namespace, () => ({
    v4: namesIn("ip_tables_names"),
    v6: namesIn("ip6_tables_names"),
  }));
}

/** `/proc/net` is the process's own; the thread may be elsewhere. */
function namesIn(file: string): string[] {
  try {
    const text = Deno.readTextFileSync(`/proc/thread-self/net/${file}`);
    return text.split("\n").filter((name) => name !== "").sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function inside<T>(
  namespace: Namespace | undefined,
  work: () => Sync<T>,
): Sync<T> {
  return namespace === undefined ? work() : within<T>(namespace, work);
}

function requireNft(namespace: Namespace | undefined): void {
  try {
    using socket = openNetfilter(namespace);
    const message = { type: GET_GENERATION, flags: 0, body: ANY_FAMILY };
    socket.exchange("nft list ruleset", message);
  } catch (cause) {
    const kind = cause instanceof NetlinkError && PROBLEMS[cause.errno];
    if (!kind) throw cause;
    const why = kind === "noKernel"
      ? "this kernel has none (CONFIG_NF_TABLES)"
      : "this process needs CAP_NET_ADMIN";
    throw new NftError(kind, `Cannot use nftables: ${why}`, { cause });
  }
}

function library(): Calls<typeof LIBNFTABLES> {
  try {
    return libnftables();
  } catch (cause) {
    if (!(cause instanceof LibraryError)) throw cause;
    throw new NftError("noLibrary", cause.message, { cause });
  }
}

/** Each list is a document on a line of its own, a description first. */
function objectsOf(output: string): readonly NftObject[] {
  return output.split("\n").filter((line) => line !== "")
    .flatMap((line): NftObject[] => JSON.parse(line).nftables)
    .filter((object) => !("metainfo" in object));
}

function refusal(errors: string, commands: string): NftError {
  const why = errors.split("\n")
    .map((line) => line.replace(/^(internal:[\d:-]+ )?Error: /, "").trim())
    .filter((line) => line !== "").join("; ");
  return new NftError(
    "refused",
    `Cannot carry nft commands out: ${why.slice(0, SHOWN_CHARACTERS)}: ` +
      commands.slice(0, SHOWN_CHARACTERS),
  );
}
