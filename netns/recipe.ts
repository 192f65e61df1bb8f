/**
 * The one place that knows which datapath a recipe is: plans from attachments.
 *
 * @module
 */
import { addressesOf, type Attachment } from "./attachment.ts";
import { exclusivePlan } from "./datapath/exclusive.ts";
import { ipvlanEniPlan, ipvlanPlan, turnedBack } from "./datapath/ipvlan.ts";
import { type EniLink, eniPlan, podPlan } from "./datapath/veth.ts";
import { tagSteps, trunkSteps, vlanPlan } from "./datapath/vlan.ts";
import { vpcNodePlan, vpcPlan } from "./datapath/vpc.ts";
import { familyOf, type Ip } from "./ip.ts";
import type { Plan, Step } from "./step.ts";
import { NotSupportedError } from "./unsupported.ts";

export type { EniLink } from "./datapath/veth.ts";

/** What plans need to know of the node today, beside an attachment. */
export interface NodeFacts {
  /** The node's primary address. */
  readonly nodeIp: Ip;
  /** Its primary IPv6 address, where it has one. */
  readonly nodeIp6?: Ip;
  /**
   * The attachment's ENI as the node sees it now; its index may not be what it
   * was. Absent when it isn't on the node.
   */
  readonly eni?: EniLink;
  /** Bytes in a packet of an ENI that pods share; as it came when absent. */
  readonly eniMtu?: number;
  /** The node's own card, if it owes its IPv6 routes to advertisements. */
  readonly uplink?: string;
}

/** What an attachment asks of a kernel. */
export interface Plans {
  /**
   * What the node holds for all pods of the same ENI or pod CIDR: applied
   * before `pod`, and removed when the last of them is gone. Without steps for
   * a recipe that needs none.
   */
  readonly shared: Plan;
  /** What the node and the pod hold for this attachment alone. */
  readonly pod: Plan;
}

/** Stands for a link that is gone; what has the name has not its MAC. */
const NOWHERE = "no-eni";

/** A plan of nothing. */
const NOTHING: Plan = { steps: [] };

/**
 * Plans an attachment by the recipe that it was made with.
 *
 * @example The recipe picks the datapath
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const { shared } = planOf({
 *   recipe: "vpc/1",
 *   owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
 *   netns: "/run/netns/web",
 *   ip: "172.30.0.4",
 *   podCidr: "172.30.0.0/24",
 *   mtu: 1500,
 * }, { nodeIp: "10.0.0.10" });
 * assertEquals(shared.steps.map(({ kind }) => kind), ["unreachable", "rule"]);
 * ```
 * @param attachment What the pod gets, from a journal of any age.
 * @param node The node as it is now.
 * @returns Both plans.
 * @throws {NotSupportedError} When the recipe can't do what the attachment says, or is a later version's.
 */
export function planOf(attachment: Attachment, node: NodeFacts): Plans {
  switch (attachment.recipe) {
    case "veth/1": {
      const { eni } = attachment;
      const plan = podPlan(attachment, node.eni ?? eni);
      if (node.eni === undefined) return { shared: NOTHING, pod: plan };
      const pod = before(tagSteps(attachment, node.eni), plan);
      const { gateway, gateway6 } = eni;
      const { nodeIp, eniMtu: mtu, uplink } = node;
      const shared = withSteps(
        eniPlan({
          link: node.eni,
          nodeIp,
          gateway,
          ...gateway6 !== undefined && { gateway6 },
          ...mtu !== undefined && { mtu },
          ...uplink !== undefined && { uplink },
        }),
        trunkSteps(attachment, node.eni),
      );
      return { shared, pod };
    }
    case "ipvlan/1": {
      const { eni } = attachment;
      const { nodeIp, nodeIp6 } = node;
      // Pods of one family alone don't bring the other to the card.
      const isSix = addressesOf(attachment).some((ip) => familyOf(ip) === 6);
      const nodeIps = isSix && nodeIp6 ? [nodeIp, nodeIp6] : [nodeIp];
      // Without the ENI nothing can be made; what is left can be removed.
      const link = node.eni ?? { ...eni, name: NOWHERE };
      const plan = ipvlanPlan(attachment, { link, nodeIps });
      if (node.eni === undefined) return { shared: NOTHING, pod: plan };
      const pod = before(tagSteps(attachment, link), plan);
      const { eniMtu: mtu } = node;
      const own = { link, nodeIps, ...mtu !== undefined && { mtu } };
      const shared = ipvlanEniPlan(own, {
        cidrs: turnedBack(attachment),
        gateway: eni.gateway,
      });
      return { shared: withSteps(shared, trunkSteps(attachment, link)), pod };
    }
    case "vlan/1": {
      const trunk = node.eni ?? { name: NOWHERE };
      return { shared: NOTHING, pod: vlanPlan(attachment, trunk) };
    }
    case "exclusive/1":
      return { shared: NOTHING, pod: exclusivePlan(attachment) };
    case "vpc/1": {
      const shared = vpcNodePlan(attachment.podCidr);
      return { shared, pod: vpcPlan(attachment) };
    }
  }
  // A journal may come from a later version than the types are of.
  const { recipe } = attachment as { readonly recipe: string };
  throw new NotSupportedError(
    `recipe ${recipe}`,
    "it is a later version's; run that version, or delete the pod with it",
  );
}

/** No packet of a pod shall go without its tag. */
function before(steps: readonly Step[], plan: Plan): Plan {
  return { ...plan, steps: [...steps, ...plan.steps] };
}

function withSteps(plan: Plan, steps: readonly Step[]): Plan {
  return { ...plan, steps: [...plan.steps, ...steps] };
}
