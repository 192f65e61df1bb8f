/**
 * Keeps the way back of translated connections open, once there are any: the
 * first pod with a `hostPort` asks for it, and so does whoever has chains of
 * nftables or iptables that translate, as kube-proxy does.
 *
 * Not before, as it has the kernel track connections.
 *
 * @module
 */
import {
  isWayBack,
  makeWayBack,
  removeWayBack,
  WAY_BACK_MARK,
  WAY_BACK_TABLE,
  wayBackCommands,
  wayBackPlan,
} from "../../netns/datapath/way_back.ts";
import type { Family } from "../../netns/ip.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { NftObject } from "../../netns/nft.ts";
import { familiesOf, type IpStack } from "../../pool/family.ts";
import type { Differing } from "../explain_form.ts";
import { errorFields, type Log } from "../log.ts";

/** What it works with. */
export interface WayBackParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** The families of pods' addresses. */
  readonly stack: IpStack;
  /** Where changes and failures are told. */
  readonly log: Log;
}

/** The way back of translated connections on this node. */
export class WayBack implements Disposable {
  readonly #parts: WayBackParts;
  readonly #families: readonly Family[];
  readonly #ears: Disposable;
  #isOpen = false;
  #work: Promise<void> = Promise.resolve();
  #complaint = "";

  /**
   * Listens to the kernel from now on; opens nothing yet.
   *
   * @param parts What it works with.
   */
  constructor(parts: WayBackParts) {
    this.#parts = parts;
    this.#families = familiesOf(parts.stack);
    this.#ears = parts.kernel.onEvent((event) => {
      const isOurs = event.kind === "rule" && event.action === "deleted" &&
        event.rule.mark === WAY_BACK_MARK;
      if (isOurs && this.#isOpen) void this.#keep();
    });
  }

  /**
   * Opens it, for a pod with a `hostPort`.
   *
   * @returns When it is open. A kernel that can't is told of, and no error:
   * the pod works but for its port.
   */
  async open(): Promise<void> {
    if (!this.#isOpen) await this.#keep();
  }

  /** Opens it when somebody translates, and repairs it. */
  async sweep(): Promise<void> {
    if (this.#isOpen || await this.#isWanted()) await this.#keep();
  }

  /**
   * Tells what is in force.
   *
   * @returns The commands that it equals; none while it isn't open.
   */
  commands(): readonly string[] {
    return this.#isOpen ? wayBackCommands(this.#families) : [];
  }

  /**
   * Names what isn't as it was made.
   *
   * @returns Objects as commands; none while it isn't open.
   */
  async differences(): Promise<readonly Differing[]> {
    if (!this.#isOpen) return [];
    const { kernel } = this.#parts;
    const rules = await kernel.compare(wayBackPlan(this.#families));
    const found: Differing[] = rules.map(({ problem, object }) => ({
      problem,
      object,
    }));
    if (await this.#isTableMade()) return found;
    const { family, name } = WAY_BACK_TABLE;
    const object = `nft add table ${family} ${name}, and all that is in it`;
    return [...found, { problem: "missing", object }];
  }

  /** Takes it away, for a node that no pods are left on. */
  async close(): Promise<void> {
    const { kernel } = this.#parts;
    this.#isOpen = false;
    await this.#work;
    await kernel.remove(wayBackPlan(this.#families));
    if (await this.#isTableMade()) await kernel.host.nft(removeWayBack());
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    this.#ears[Symbol.dispose]();
  }

  #keep(): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        await this.#make();
        this.#isOpen = true;
        this.#complaint = "";
      } catch (error) {
        this.#complain(error);
      }
    });
    return this.#work;
  }

  async #make(): Promise<void> {
    const { kernel, log } = this.#parts;
    const plan = wayBackPlan(this.#families);
    const isTableThere = await this.#isTableMade();
    if (!isTableThere) await kernel.host.nft(makeWayBack());
    const missing = await kernel.compare(plan);
    if (missing.length > 0) await kernel.apply(plan);
    if (isTableThere && missing.length === 0) return;
    log.info("answers of hostPorts and NodePorts leave as they came", {
      table: isTableThere ? "was there" : "made",
      did: missing.map(({ object }) => object),
    });
  }

  /** The same complaint once: it comes again each minute. */
  #complain(error: unknown): void {
    const why = String(error);
    if (why === this.#complaint) return;
    this.#complaint = why;
    this.#parts.log.warning(
      "hostPorts, and NodePorts of policy Local, of pods on shared ENIs don't " +
        "answer other nodes: the kernel can't mark connections",
      errorFields(error),
    );
  }

  async #isTableMade(): Promise<boolean> {
    const { host } = this.#parts.kernel;
    try {
      return isWayBack(await host.nft([{ list: { table: WAY_BACK_TABLE } }]));
    } catch (error) {
      // There is none; or there is no nftables, as making it will say.
      if (error instanceof Error && error.name === "NftError") return false;
      throw error;
    }
  }

  /** Lists all chains: with kube-proxy thousands, but then only once. */
  async #isWanted(): Promise<boolean> {
    const { host } = this.#parts.kernel;
    const { v4, v6 } = await host.legacyTables();
    if ([...v4, ...v6].includes("nat")) return true;
    try {
      const objects = await host.nft([{ list: { chains: null } }]);
      return objects.some(isTranslating);
    } catch (error) {
      if (error instanceof Error && error.name === "NftError") return false;
      throw error;
    }
  }
}

function isTranslating({ chain }: NftObject): boolean {
  return (chain as { type?: unknown } | undefined)?.type === "nat";
}
