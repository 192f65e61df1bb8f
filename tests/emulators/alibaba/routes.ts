/**
 * The custom routes of a VPC's table, without time or wire.
 *
 * Only IPv4, only instances as next hops, and one table a VPC. Rules: VPC page
 * CreateRouteEntry, read 2026-11-21.
 *
 * @module
 */
import { type Cidr, contains, familyOf, parseCidr } from "../../../netns/ip.ts";
import type { Identity } from "./identity.ts";
import type { Model, RouteRecord, VpcRecord } from "./model.ts";
import { Refusal } from "./refusal.ts";

/** Custom routes that a table takes. Source: CreateRouteEntry. */
export const ROUTES_PER_TABLE = 200;

/** The service's own range, which no route may lie in. */
const RESERVED: Cidr = "100.64.0.0/10";

/** A route to be made. */
export interface RouteOrder {
  /** Its table. */
  readonly routeTableId: string;
  /** Where to. */
  readonly cidr: Cidr;
  /** By which instance. */
  readonly nextHopId: string;
  /** Its name. */
  readonly name: string;
  /** Its description. */
  readonly description: string;
}

/** A route that is named: by its id, or by all of the rest. */
export type RouteChoice =
  | { readonly routeEntryId: string }
  | {
    readonly routeTableId: string;
    readonly cidr: Cidr;
    readonly nextHopId: string;
  };

/**
 * Finds the VPC of a table.
 *
 * @param model The cloud.
 * @param routeTableId The table.
 * @returns Its VPC.
 * @throws {Refusal} `InvalidRouteTableId.NotFound`.
 */
export function vpcOfTable(model: Model, routeTableId: string): VpcRecord {
  const vpc = [...model.vpcs.values()]
    .find((one) => one.routeTableId === routeTableId);
  if (vpc !== undefined) return vpc;
  throw new Refusal(
    "InvalidRouteTableId.NotFound",
    "Specified route table does not exist.",
  );
}

/**
 * Begins a route.
 *
 * @param model The cloud.
 * @param order What is wanted.
 * @param identity Gives it an id.
 * @returns The route, `Pending`.
 * @throws {Refusal} The reason.
 */
export function createRoute(
  model: Model,
  order: RouteOrder,
  identity: Identity,
): RouteRecord {
  const vpc = vpcOfTable(model, order.routeTableId);
  demandStable(model, order.routeTableId);
  demandCidr(model, vpc, order.cidr);
  if (model.instances.get(order.nextHopId)?.vpcId !== vpc.id) {
    throw new Refusal(
      "InvalidNextHop.NotFound",
      "Specified next hop does not exist.",
    );
  }
  const known = routesOf(model, order.routeTableId);
  if (known.some(({ cidr }) => cidr === order.cidr)) {
    throw new Refusal(
      "InvalidCIDRBlock.Duplicate",
      "Specified CIDR block is already exists.",
    );
  }
  if (known.length >= ROUTES_PER_TABLE) {
    throw new Refusal(
      "QuotaExceeded",
      "Route entry quota exceeded in this route table.",
    );
  }
  const route: RouteRecord = {
    ...order,
    id: identity.id("rte"),
    order: ++model.lastOrder,
    state: "Pending",
  };
  model.routes.set(route.id, route);
  return route;
}

/**
 * Ends what {@linkcode createRoute} began.
 *
 * @param route The route.
 */
export function finishCreate(route: RouteRecord): void {
  route.state = "Available";
}

/**
 * Deletes a route.
 *
 * @param model The cloud.
 * @param which Which.
 * @throws {Refusal} `InvalidRouteEntry.NotFound`, or
 * `IncorrectRouteEntryStatus` while the table is changing.
 */
export function deleteRoute(model: Model, which: RouteChoice): void {
  const route = [...model.routes.values()].find((one) =>
    "routeEntryId" in which
      ? one.id === which.routeEntryId
      : one.routeTableId === which.routeTableId && one.cidr === which.cidr &&
        one.nextHopId === which.nextHopId
  );
  if (route === undefined) {
    throw new Refusal(
      "InvalidRouteEntry.NotFound",
      "The specified route entry does not exist.",
    );
  }
  demandStable(model, route.routeTableId);
  model.routes.delete(route.id);
}

/**
 * Lists a table's custom routes.
 *
 * @param model The cloud.
 * @param routeTableId The table.
 * @returns Its routes, in the order of creation.
 */
export function routesOf(model: Model, routeTableId: string): RouteRecord[] {
  return [...model.routes.values()]
    .filter((route) => route.routeTableId === routeTableId);
}

/** A table takes one change at a time. */
function demandStable(model: Model, routeTableId: string): void {
  const isStable = routesOf(model, routeTableId)
    .every(({ state }) => state === "Available");
  if (isStable) return;
  throw new Refusal(
    "IncorrectRouteEntryStatus",
    "Some route entry status blocked this operation.",
  );
}

function demandCidr(model: Model, vpc: VpcRecord, cidr: Cidr): void {
  const { ip, length } = parsed(cidr);
  const inside = (outer: Cidr): boolean =>
    contains(outer, ip) && length >= parseCidr(outer).length;
  const vSwitches = [...model.vSwitches.values()]
    .filter(({ vpcId }) => vpcId === vpc.id);
  if (inside(RESERVED) || vSwitches.some((one) => inside(one.cidr))) {
    throw new Refusal("InvalidCidrBlock", "Specified CIDR block is not valid.");
  }
}

function parsed(cidr: Cidr): { ip: string; length: number } {
  try {
    const { ip, length } = parseCidr(cidr);
    if (familyOf(ip) === 4) return { ip, length };
  } catch {
    // Said below, as of any other text that is no prefix.
  }
  throw new Refusal(
    "InvalidCidrBlock.Malformed",
    "Specified CIDR block is not valid.",
  );
}
