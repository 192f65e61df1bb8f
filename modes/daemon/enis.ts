/**
 * The node's ENIs in its kernel: found by MAC, set up before the first pod,
 * undone before they leave. This is the pool's hand on the host.
 *
 * @module
 */
import type {
  AttachedEni,
  CardBefore,
  ExclusiveAttachment,
  HostPeer,
} from "../../netns/attachment.ts";
import { ipv6Forwarding } from "../../netns/datapath/next_hop.ts";
import { type EniLink, eniPlan } from "../../netns/datapath/veth.ts";
import { gatewayOf, type Ip } from "../../netns/ip.ts";
import type { Kernel, SettingChange } from "../../netns/kernel.ts";
import type { Difference, Plan } from "../../netns/step.ts";
import type { HostEni, PoolHost } from "../../pool/contract.ts";

/** An ENI that pods can use. */
interface ReadyEni {
  readonly attached: AttachedEni;
  readonly link: EniLink;
  /** Bytes in a packet. */
  readonly mtu: number;
  /** Its link as it came, when a pod gets it whole. */
  readonly card?: CardBefore;
  readonly plan: Plan;
}

/** Addresses whose speakers are looked up together. */
interface Question {
  readonly ips: Set<Ip>;
  readonly answer: Promise<ReadonlySet<Ip>>;
}

const NO_PLAN: Plan = { steps: [] };

/** An ENI as attachments hold it. */
function attachedEni(eni: HostEni, ifIndex: number): AttachedEni {
  const { id, mac, subnet, subnet6 } = eni;
  return {
    ...{ id, mac, ifIndex, subnet },
    ...gatewaysOf(eni),
    ...subnet6 !== undefined && { subnet6 },
  };
}

/** An ENI's gateways, one a family that its vSwitch has. */
function gatewaysOf(
  { subnet, subnet6 }: HostEni,
): Pick<AttachedEni, "gateway" | "gateway6"> {
  const gateway = gatewayOf(subnet);
  if (subnet6 === undefined) return { gateway };
  return { gateway, gateway6: gatewayOf(subnet6) };
}

/** Names a card as the kernel names one that is plugged in. */
function freeName(taken: readonly string[]): string {
  let number = 0;
  while (taken.includes(`eth${number}`)) number++;
  return `eth${number}`;
}

/** What the ENIs' set-up needs to know of the node. */
export interface NodeParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** The node's primary address. */
  readonly nodeIp: Ip;
  /** Bytes in a packet; as each ENI came when absent. */
  readonly mtu?: number;
  /** The node's own card, if it owes its IPv6 routes to advertisements. */
  readonly uplink?: string;
  /** Told of settings of the node that were changed, and stay so. */
  readonly onSettings?: (changes: readonly SettingChange[]) => void;
  /** Set when each pod gets an ENI to itself. */
  readonly exclusive?: {
    /** The pair that leads to the node. */
    readonly hostPeer: HostPeer;
    /** Finds the pod that has an ENI. */
    readonly holderOf: (eniId: string) => ExclusiveAttachment | undefined;
  };
}

/** The ENIs that are set up in this node's kernel. */
export class NodeEnis implements PoolHost {
  readonly #parts: NodeParts;
  readonly #ready = new Map<string, ReadyEni>();
  readonly #repairs = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<(eniId: string) => void>();
  #question: Question | undefined;

  /**
   * Starts with none.
   *
   * @param parts The node.
   */
  constructor(parts: NodeParts) {
    this.#parts = parts;
  }

  /** The node's own card, if it owes its IPv6 routes to advertisements. */
  get uplink(): string | undefined {
    return this.#parts.uplink;
  }

  /**
   * Waits for an ENI's link and sets it up. Safe to repeat.
   *
   * @param eni An ENI that the cloud calls attached.
   * @param signal Ends the wait for a link with its MAC.
   * @throws {NetlinkError} When the kernel refuses.
   */
  async prepare(eni: HostEni, signal: AbortSignal): Promise<void> {
    const holder = this.#parts.exclusive?.holderOf(eni.id);
    if (holder !== undefined) this.#keep(holder, eni);
    else if (!await this.#findInPod(eni)) await this.#setUp(eni, signal);
    for (const listener of this.#listeners) listener(eni.id);
  }

  /**
   * Listens to ENIs that are ready: pods that have one since an earlier life
   * of the daemon can be looked after only then.
   *
   * @param listener Called with the cloud's id; mustn't throw.
   * @returns Ends the listening.
   */
  onReady(listener: (eniId: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async #setUp(eni: HostEni, signal: AbortSignal): Promise<void> {
    const { kernel, exclusive, uplink, mtu: wantedMtu } = this.#parts;
    const seen = await kernel.waitForLink(eni.mac, signal);
    const { name, ifIndex, up } = seen;
    const { id, mac } = eni;
    const attached = attachedEni(eni, ifIndex);
    const link: EniLink = { name, ifIndex, mac };
    const mtu = wantedMtu ?? seen.mtu;
    if (exclusive !== undefined) {
      const card = { name, up, mtu: seen.mtu };
      if (eni.subnet6 !== undefined) {
        // What a pod's own plan would ask for, and the node's routes survive it.
        this.#tell(await kernel.apply({ steps: ipv6Forwarding(uplink) }));
      }
      this.#ready.set(id, { attached, link, mtu, card, plan: NO_PLAN });
      return;
    }
    const plan = this.#planOf(eni, link);
    this.#tell(await kernel.apply(plan));
    this.#ready.set(id, { attached, link, mtu, plan });
  }

  /**
   * Finds a card in a pod whose record was lost. How it was on the node isn't
   * known any more: it shall come home as one that was plugged in.
   */
  async #findInPod(eni: HostEni): Promise<boolean> {
    const { kernel, exclusive } = this.#parts;
    if (exclusive === undefined) return false;
    const links = await kernel.links();
    if (links.some(({ mac }) => mac === eni.mac)) return false;
    const seen = await kernel.findPodCard(eni.mac);
    if (seen === undefined) return false;
    const { ifIndex, mtu } = seen;
    const taken = [...links, ...this.#cards()].map(({ name }) => name);
    const card = { name: freeName(taken), up: false };
    this.#keep({ eni: { ifIndex }, card, mtu }, eni);
    return true;
  }

  #cards(): readonly CardBefore[] {
    return [...this.#ready.values()].flatMap(({ card }) => card ?? []);
  }

  /** Its link is in the pod's namespace: the node has nothing to set up. */
  #keep(
    { eni: { ifIndex }, card, mtu }:
      & Pick<
        ExclusiveAttachment,
        "card" | "mtu"
      >
      & { readonly eni: Pick<AttachedEni, "ifIndex"> },
    eni: HostEni,
  ): void {
    const { id, mac } = eni;
    const attached = attachedEni(eni, ifIndex);
    const link: EniLink = { name: card.name, ifIndex, mac };
    this.#ready.set(id, { attached, link, mtu, card, plan: NO_PLAN });
  }

  /**
   * Undoes what {@linkcode prepare} did. Safe to repeat, and without effect
   * when the link is gone or was never set up.
   *
   * @param eni An ENI that is about to be detached.
   */
  async retire(eni: HostEni): Promise<void> {
    const { kernel, exclusive } = this.#parts;
    const seen = await kernel.findLink(eni.mac);
    this.#ready.delete(eni.id);
    if (exclusive !== undefined) return;
    // What a repair puts back now would stay.
    await this.#repairs.get(eni.id)?.catch(() => {});
    if (seen === undefined) return;
    const link = { name: seen.name, ifIndex: seen.ifIndex, mac: eni.mac };
    await kernel.remove(this.#planOf(eni, link));
  }

  #planOf(eni: HostEni, link: EniLink): Plan {
    const { nodeIp, mtu, uplink } = this.#parts;
    return eniPlan({
      link,
      nodeIp,
      ...mtu !== undefined && { mtu },
      ...gatewaysOf(eni),
      ...uplink !== undefined && { uplink },
    });
  }

  #tell(changes: readonly SettingChange[]): void {
    if (changes.length > 0) this.#parts.onSettings?.(changes);
  }

  /**
   * Tells whether anything on this node still uses an address.
   *
   * @param ip The address; all that are asked for at once are looked up at once.
   * @returns Whether a rule, a route, a link or a live pod does.
   * @throws {NetlinkError} When the kernel can't be read.
   */
  async speaksFor(ip: Ip): Promise<boolean> {
    this.#question ??= this.#ask();
    const { ips, answer } = this.#question;
    ips.add(ip);
    return (await answer).has(ip);
  }

  #ask(): Question {
    const ips = new Set<Ip>();
    const answer = (async () => {
      await Promise.resolve();
      this.#question = undefined;
      const speakers = await this.#parts.kernel.speakersFor([...ips]);
      return new Set(speakers.map((one) => one.ip));
    })();
    return { ips, answer };
  }

  /**
   * Describes an ENI as an attachment holds it.
   *
   * @param eniId The cloud's id.
   * @returns It, or nothing when it isn't set up.
   */
  attached(eniId: string): AttachedEni | undefined {
    return this.#ready.get(eniId)?.attached;
  }

  /**
   * Gives an ENI's link as the node sees it.
   *
   * @param eniId The cloud's id.
   * @returns It, or nothing when it isn't set up.
   */
  link(eniId: string): EniLink | undefined {
    return this.#ready.get(eniId)?.link;
  }

  /**
   * Gives how many bytes a packet of an ENI's pods may have.
   *
   * @param eniId The cloud's id.
   * @returns What the configuration says, or else what the card came with;
   * nothing when it isn't set up.
   */
  mtu(eniId: string): number | undefined {
    return this.#ready.get(eniId)?.mtu;
  }

  /**
   * Gives what a pod needs besides, that gets an ENI to itself.
   *
   * @param eniId The cloud's id.
   * @returns Its link as it came, and the pair that leads to the node; nothing
   * when pods share ENIs.
   */
  whole(
    eniId: string,
  ): { readonly card: CardBefore; readonly hostPeer: HostPeer } | undefined {
    const card = this.#ready.get(eniId)?.card;
    const { exclusive } = this.#parts;
    if (card === undefined || exclusive === undefined) return undefined;
    return { card, hostPeer: exclusive.hostPeer };
  }

  /**
   * The plan by which an ENI is set up.
   *
   * @param eniId The cloud's id.
   * @returns It, or nothing when it isn't set up.
   */
  plan(eniId: string): Plan | undefined {
    return this.#ready.get(eniId)?.plan;
  }

  /**
   * Gives the ENIs that are set up.
   *
   * @returns The cloud's ids.
   */
  ids(): readonly string[] {
    return [...this.#ready.keys()];
  }

  /**
   * Finds an ENI by its link.
   *
   * @param ifIndex The link's index on this node.
   * @returns The cloud's id; undefined for a link that is no ENI of pods.
   */
  idOf(ifIndex: number): string | undefined {
    for (const [id, { attached }] of this.#ready) {
      if (attached.ifIndex === ifIndex) return id;
    }
    return undefined;
  }

  /**
   * Makes an ENI's set-up what it was made as.
   *
   * @param eniId The cloud's id.
   * @returns What wasn't as it should be, and is now.
   * @throws {NetlinkError} When the kernel refuses.
   */
  async repair(eniId: string): Promise<readonly Difference[]> {
    const work = this.#repair(eniId);
    this.#repairs.set(eniId, work);
    try {
      return await work;
    } finally {
      if (this.#repairs.get(eniId) === work) this.#repairs.delete(eniId);
    }
  }

  async #repair(eniId: string): Promise<readonly Difference[]> {
    const { kernel } = this.#parts;
    const differences = await kernel.compare(this.plan(eniId) ?? NO_PLAN);
    const plan = this.plan(eniId);
    if (plan === undefined) return [];
    if (differences.length > 0) await kernel.apply(plan);
    return differences;
  }
}
