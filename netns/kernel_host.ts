/**
 * The part of a node's kernel that isn't made by plans: the host's settings
 * and its packet filters. `kernel.ts` has it as {@linkcode Kernel.host}.
 *
 * @module
 */
import type { DroppedDefault } from "./default_route.ts";
import type { Asks } from "./kernel_wire.ts";
import type { LegacyTables, NftCommand, NftObject } from "./nft.ts";
import type { Capability } from "./probe.ts";
import type { Sysctl } from "./sysctl.ts";

/** Settings, packet filters and abilities of a node. */
export interface KernelHost {
  /**
   * Carries out commands of nftables, all of them or none.
   *
   * @param commands See `Nft.run`.
   * @returns What was listed.
   * @throws {NftError} When nftables isn't there, is denied, or refuses.
   */
  nft(commands: readonly NftCommand[]): Promise<readonly NftObject[]>;
  /**
   * Names the tables of the older packet filter, which nftables can't see.
   *
   * @returns Names; none when nobody uses it.
   */
  legacyTables(): Promise<LegacyTables>;
  /**
   * Reads settings, all at one moment.
   *
   * @param keys Such as `net/ipv4/ip_forward`.
   * @returns Values by key; a setting that isn't there is left out.
   * @throws {NetlinkError} When one can't be read.
   */
  readSettings(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Writes settings, in order; one that isn't there any more, as of a link
   * that is gone, is passed over.
   *
   * @param settings Keys and values.
   * @throws {NetlinkError} `EROFS` or `EACCES` when this process mayn't.
   */
  writeSettings(settings: readonly Sysctl[]): Promise<void>;
  /**
   * Tells whether pods of this node can share a card by IPvlan.
   *
   * @returns Whether, and if not why.
   */
  probeIpvlan(): Promise<Capability>;
  /**
   * Takes default routes that lead out by cards of pods away.
   *
   * @param macs The cards'.
   * @returns What was taken away.
   * @throws {NetlinkError} When the kernel refuses.
   */
  dropDefaults(macs: readonly string[]): Promise<readonly DroppedDefault[]>;
}

/** The same, asked of the kernel's thread. */
export class WorkerHost implements KernelHost {
  readonly #thread: Asks;

  /**
   * Makes one.
   *
   * @param thread The kernel's thread.
   */
  constructor(thread: Asks) {
    this.#thread = thread;
  }

  /** See {@linkcode KernelHost.nft}. */
  nft(commands: readonly NftCommand[]): Promise<readonly NftObject[]> {
    return this.#thread.ask("nft", commands);
  }

  /** See {@linkcode KernelHost.legacyTables}. */
  legacyTables(): Promise<LegacyTables> {
    return this.#thread.ask("legacyTables", undefined);
  }

  /** See {@linkcode KernelHost.readSettings}. */
  readSettings(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#thread.ask("readSettings", keys);
  }

  /** See {@linkcode KernelHost.writeSettings}. */
  writeSettings(settings: readonly Sysctl[]): Promise<void> {
    return this.#thread.ask("writeSettings", settings);
  }

  /** See {@linkcode KernelHost.probeIpvlan}. */
  probeIpvlan(): Promise<Capability> {
    return this.#thread.ask("probeIpvlan", undefined);
  }

  /** See {@linkcode KernelHost.dropDefaults}. */
  dropDefaults(macs: readonly string[]): Promise<readonly DroppedDefault[]> {
    return this.#thread.ask("dropDefaults", macs);
  }
}
