/**
 * How pods share an ENI: by policy routing, or by IPvlan where it is asked for
 * and this kernel can. What IPvlan pods of one ENI have in common is made with
 * the first of them and goes with the last.
 *
 * @module
 */
import type { Attachment } from "../../netns/attachment.ts";
import type { Cidr } from "../../netns/ip.ts";
import type { Capability, Kernel } from "../../netns/kernel.ts";
import type { Plans } from "../../netns/recipe.ts";
import type { Plan, Step } from "../../netns/step.ts";
import type { Lease } from "../../pool/state.ts";
import { errorFields, type Log } from "../log.ts";
import { attachmentOf, cardIdOf, type PodWish } from "./attached.ts";
import type { DaemonMode } from "./mode.ts";
import type { NetworkConfig } from "./request.ts";

/** What it works with. */
export interface SharingParts {
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "apply" | "remove"> & {
    readonly host: Pick<Kernel["host"], "probeIpvlan">;
  };
  /** How pods of this node get their network. */
  readonly mode: DaemonMode;
  /** The prefixes of the cluster's services. */
  readonly serviceCidrs: readonly Cidr[];
  /** Where it is told when the kernel can't. */
  readonly log: Pick<Log, "debug" | "warning">;
}

/** What `terway status` says of it. */
export interface SharingStatus {
  /** What networks ask for: the last one that a pod came with. */
  readonly wanted: "veth" | "ipvlan";
  /** What pods get. */
  readonly effective: "veth" | "ipvlan";
  /** Why that isn't what is wanted. */
  readonly reason?: string;
}

/** Chooses, makes and ends what pods of an ENI share. */
export class Sharing {
  readonly #parts: SharingParts;
  #able: Promise<Capability> | undefined;
  #status: SharingStatus | undefined;

  /**
   * Makes one.
   *
   * @param parts What it works with.
   */
  constructor(parts: SharingParts) {
    this.#parts = parts;
  }

  /**
   * Tells how a pod of a network shares its ENI. The kernel is asked once.
   *
   * @param config The network.
   * @returns A part of what the pod gets; nothing for policy routing.
   */
  async wish(
    { virtualType }: Pick<NetworkConfig, "virtualType">,
  ): Promise<Pick<PodWish, "ipvlan">> {
    const { mode, serviceCidrs } = this.#parts;
    if (mode !== "ENIMultiIP") return {};
    if (virtualType !== "ipvlan") {
      this.#status = { wanted: "veth", effective: "veth" };
      return {};
    }
    this.#able ??= this.#probe();
    const able = await this.#able;
    this.#status = able.can
      ? { wanted: "ipvlan", effective: "ipvlan" }
      : { wanted: "ipvlan", effective: "veth", reason: able.reason };
    return able.can ? { ipvlan: { serviceCidrs } } : {};
  }

  /**
   * Tells what is asked for and what pods get.
   *
   * @returns Nothing before the first pod, and in modes without a choice.
   */
  status(): SharingStatus | undefined {
    return this.#status;
  }

  /**
   * Makes what a pod shares with others, before the pod itself is made.
   *
   * @param attachment What the pod gets.
   * @param plans How that is made.
   */
  async begin(attachment: Attachment, { shared }: Plans): Promise<void> {
    if (sharesMore(attachment)) await this.#parts.kernel.apply(shared);
  }

  /**
   * Ends what a pod shared with others and none of them needs. The kernel's
   * thread has its order before this returns: what another pod asks for after
   * that is made after that.
   *
   * @param attachment What the pod had.
   * @param plansOf How attachments are made.
   * @param leases Those that are left.
   */
  async end(
    attachment: Attachment,
    plansOf: (attachment: Attachment) => Plans,
    leases: readonly Lease[],
  ): Promise<void> {
    if (!sharesMore(attachment)) return;
    const cardId = cardIdOf(attachment);
    const others = leases.map(attachmentOf).filter((one) =>
      sharesMore(one) && cardIdOf(one) === cardId
    );
    const { shared } = plansOf(attachment);
    const rest = unneeded(
      attachment.recipe === "veth/1" ? beyondCard(shared) : shared,
      others.map((one) => plansOf(one).shared),
    );
    if (rest.steps.length > 0) await this.#parts.kernel.remove(rest);
  }

  async #probe(): Promise<Capability> {
    const { kernel, log } = this.#parts;
    const able = await kernel.host.probeIpvlan().catch((error): Capability => {
      log.debug("IPvlan can't be tried", errorFields(error));
      return { can: false, reason: String(error?.message ?? error) };
    });
    if (able.can) return able;
    log.warning(
      "this node can't do IPvlan: its pods share ENIs by policy routing. Load " +
        "the modules ipvlan, sch_ingress, cls_u32, act_mirred, act_skbedit " +
        "and act_tunnel_key, or take eniip_virtual_type out of the network",
      { reason: able.reason },
    );
    return able;
  }
}

/**
 * Tells whether a pod shares more with others than the ENI as it is set up.
 *
 * @param attachment What it has.
 * @returns True by IPvlan, and where filters push and pop tags.
 */
export function sharesMore(attachment: Attachment): boolean {
  const { recipe } = attachment;
  return recipe === "ipvlan/1" ||
    (recipe === "veth/1" && attachment.vlanId !== undefined);
}

/** The ENI's own set-up stays as long as the ENI is there. */
function beyondCard(shared: Plan): Plan {
  const steps = shared.steps.filter(({ kind }) => kind === "clsact");
  return { ...shared, steps };
}

/**
 * Gives what of a plan no other plan wants.
 *
 * @param plan The plan.
 * @param others Plans that stay.
 * @returns Its other steps, in its order.
 */
export function unneeded(plan: Plan, others: readonly Plan[]): Plan {
  const key = (step: Step): string => JSON.stringify(step);
  const wanted = new Set(others.flatMap(({ steps }) => steps.map(key)));
  return {
    ...plan,
    steps: plan.steps.filter((step) => !wanted.has(key(step))),
  };
}
