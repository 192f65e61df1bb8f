/**
 * What an ADD asks for, before there is an address: what the runtime said, what
 * the configuration adds, and what the pod's other interfaces leave.
 *
 * @module
 */
import type { Attachment, Owner } from "../../netns/attachment.ts";
import type { Cidr } from "../../netns/ip.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { AddressWish } from "./lender.ts";
import type { AskMember } from "./member_pods.ts";
import { FIRST_LINK, type InterfaceAsk } from "./pod_networks.ts";
import { CNI_CODE, type CniRequest, RequestError } from "./request.ts";

/** Tables of a pod's further interfaces begin here, as in Go Terway. */
const FIRST_POD_TABLE = 1001;

/** A call on a sandbox, decoded. */
export type SandboxRequest = CniRequest & {
  /** Whose. */
  readonly owner: Owner;
  /** Asks for the ENI that was made for the pod; absent for all others. */
  readonly askMember?: AskMember;
};

/** What a wish follows from, beside the request. */
export interface WishParts {
  /** Looks into the pod. */
  readonly kernel: Pick<Kernel, "lookForRoom">;
  /** Prefixes that new pods reach by their gateway. */
  readonly extraRoutes: () => readonly Cidr[];
  /** What an earlier ADD of the owner has made. */
  readonly before: readonly Attachment[];
}

/** An ADD of one sandbox. */
/**
 * Gathers what a pod asks for: a wish an interface that the ADD makes, its own
 * first. One has the pod's default route, and the extra ones with it; those
 * beside it get a table of their own.
 *
 * @param request An ADD, whose namespace can be used.
 * @param parts The configuration, and how the pod is looked into.
 * @returns The wishes.
 * @throws {RequestError} When a prefix would have to lead two ways.
 * @throws {NamespaceError} When the namespace can't be used.
 */
export async function wishesOf(
  request: SandboxRequest,
  { kernel, extraRoutes: extra, before }: WishParts,
): Promise<readonly AddressWish[]> {
  const { owner, netns = "", config } = request;
  const { ifName } = owner;
  // Whoever asks for another interface has listed its own.
  const listed = ifName === FIRST_LINK ? config.interfaces : undefined;
  const room = ifName === FIRST_LINK
    ? undefined
    : await kernel.lookForRoom({ netns, ifName });
  const isDefault = room === undefined || !room.hasDefaultRoute;
  const asks = listed ?? [{ ifName, isDefault, extraRoutes: [] }];
  const own = asks.flatMap(({ extraRoutes }) => extraRoutes);
  // What the pod says is meant for it; what the node says, for all.
  const others = extra().filter((cidr) => !own.includes(cidr));
  const hasOthers = asks.some(({ isDefault }) => isDefault);
  requireApart(hasOthers ? [...others, ...own] : own, config.hostStackCidrs);
  const tables = [
    ...room?.tables ?? [],
    ...before.flatMap(({ podTable }) => podTable ?? []),
  ];
  return asks.map((ask) => {
    const wish = wishOf(request, {
      ...ask,
      extraRoutes: [...ask.isDefault ? others : [], ...ask.extraRoutes],
    });
    if (ask.isDefault) return wish;
    const podTable = freeTable(tables);
    tables.push(podTable);
    return { ...wish, podTable };
  });
}

function wishOf(
  { owner, pod, netns = "", config, askMember: ask }: SandboxRequest,
  { ifName, isDefault, extraRoutes }: InterfaceAsk,
): AddressWish {
  const { mtu, bandwidth, hostStackCidrs = [] } = config;
  const strip = config.vlanStripType ?? "filter";
  return {
    owner: { ...owner, ifName },
    netns,
    wantsEni: config.eni === "exclusive",
    ...ifName !== owner.ifName && { beside: owner.ifName },
    ...pod && { pod, ...config.keepsAddress && { keepsAddress: true } },
    // An interface beside the first has an address of the node's pool.
    ...ask && ifName === FIRST_LINK && { member: { ask, strip } },
    ...mtu && { mtu },
    ...bandwidth && { bandwidth },
    ...extraRoutes.length > 0 && { extraRoutes },
    ...isDefault && hostStackCidrs.length > 0 && { hostStackCidrs },
  };
}

function freeTable(tables: readonly number[]): number {
  let table = FIRST_POD_TABLE;
  while (tables.includes(table)) table++;
  return table;
}

function requireApart(
  extraRoutes: readonly Cidr[],
  hostStackCidrs: readonly Cidr[] = [],
): void {
  const both = hostStackCidrs.flatMap((cidr, at) =>
    extraRoutes.includes(cidr)
      ? [
        `host_stack_cidrs.${at}: must not be in extra_routes of eni_conf ` +
        `or extraRoutes of the pod too, as those lead to the VPC: it is ` +
        `"${cidr}"`,
      ]
      : []
  );
  if (both.length === 0) return;
  throw new RequestError(
    CNI_CODE.invalidConfig,
    "the network configuration is wrong",
    both,
  );
}
