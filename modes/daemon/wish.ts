/**
 * What an ADD asks for, before there is an address: what the runtime said, what
 * the configuration adds, and what the pod's other interfaces leave.
 *
 * @module
 */
import type { Owner } from "../../netns/attachment.ts";
import type { Cidr } from "../../netns/ip.ts";
import type { Kernel, PodRoom } from "../../netns/kernel.ts";
import type { AddressWish } from "./lender.ts";
import { CNI_CODE, type CniRequest, RequestError } from "./request.ts";

/** What runtimes call a pod's first interface. */
const FIRST_LINK = "eth0";

/** Tables of a pod's further interfaces begin here, as in Go Terway. */
const FIRST_POD_TABLE = 1001;

/** What a wish follows from, beside the request. */
export interface WishParts {
  /** Looks into the pod. */
  readonly kernel: Pick<Kernel, "lookForRoom">;
  /** Prefixes that new pods reach by their gateway. */
  readonly extraRoutes: () => readonly Cidr[];
}

/**
 * Gathers what a pod asks for. The first interface has the pod's default
 * route, and the extra ones with it; one beside it gets a table of its own.
 *
 * @param request An ADD, whose namespace can be used.
 * @param parts The configuration, and how the pod is looked into.
 * @returns The wish.
 * @throws {RequestError} When a prefix would have to lead two ways.
 * @throws {NamespaceError} When the namespace can't be used.
 */
export async function wishOf(
  request: CniRequest & { readonly owner: Owner },
  { kernel, extraRoutes: extra }: WishParts,
): Promise<AddressWish> {
  const { owner, pod, netns = "", config } = request;
  const { mtu, bandwidth, hostStackCidrs = [] } = config;
  const { ifName } = owner;
  const room = ifName === FIRST_LINK
    ? undefined
    : await kernel.lookForRoom({ netns, ifName });
  const isFirst = room === undefined || !room.hasDefaultRoute;
  const extraRoutes = isFirst ? extra() : [];
  requireApart(extraRoutes, hostStackCidrs);
  return {
    owner,
    netns,
    wantsEni: config.eni === "exclusive",
    ...pod && { pod },
    ...mtu && { mtu },
    ...bandwidth && { bandwidth },
    ...extraRoutes.length > 0 && { extraRoutes },
    ...isFirst
      ? hostStackCidrs.length > 0 && { hostStackCidrs }
      : { podTable: freeTable(room) },
  };
}

function freeTable({ tables }: PodRoom): number {
  let table = FIRST_POD_TABLE;
  while (tables.includes(table)) table++;
  return table;
}

function requireApart(
  extraRoutes: readonly Cidr[],
  hostStackCidrs: readonly Cidr[],
): void {
  const both = hostStackCidrs.flatMap((cidr, at) =>
    extraRoutes.includes(cidr)
      ? [
        `host_stack_cidrs.${at}: must not be in extra_routes of eni_conf ` +
        `too, as those lead to the VPC: it is "${cidr}"`,
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
