/**
 * The calls on routes and route tables of VPC.
 *
 * Shapes are those of the typed models of the official VPC 2016-04-28 client,
 * 7.3.2, read 2026-11-21.
 *
 * @module
 */
import type { EmulatedCloud } from "./cloud.ts";
import type { VpcRecord } from "./model.ts";
import { page, pageByNumber } from "./paging.ts";
import { invalid, Params } from "./params.ts";
import { routesOf, vpcOfTable } from "./routes.ts";
import type { Body } from "./tokens.ts";

/** Pieces of DescribeRouteEntryList. Source: its `MaxResult`. */
const PAGE = { least: 1, most: 100, usual: 10 };

/**
 * Custom routes come after the system's in a list; their places are further
 * than any vSwitch's.
 */
const CUSTOM_PLACE = 1_000_000;

/**
 * CreateRouteEntry.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function createRouteEntry(cloud: EmulatedCloud, params: Params): Body {
  const type = params.text("NextHopType") ?? "Instance";
  if (type !== "Instance") throw invalid("NextHopType", type);
  const cidr = params.required("DestinationCidrBlock");
  const route = cloud.addRoute({
    routeTableId: params.required("RouteTableId"),
    cidr: cidr.includes("/") ? cidr : `${cidr}/32`, // as the service reads it
    nextHopId: params.required("NextHopId"),
    name: params.text("RouteEntryName") ?? "",
    description: params.text("Description") ?? "",
  });
  return { RouteEntryId: route.id };
}

/**
 * DeleteRouteEntry: by `RouteEntryId`, or by table, prefix and next hop.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body.
 */
export function deleteRouteEntry(cloud: EmulatedCloud, params: Params): Body {
  const routeEntryId = params.text("RouteEntryId");
  cloud.removeRoute(
    routeEntryId === undefined
      ? {
        routeTableId: params.required("RouteTableId"),
        cidr: params.required("DestinationCidrBlock"),
        nextHopId: params.required("NextHopId"),
      }
      : { routeEntryId },
  );
  return {};
}

/**
 * DescribeRouteEntryList.
 *
 * @param cloud The cloud.
 * @param params The call.
 * @returns The answer's body: the vSwitches' own routes, then the custom ones.
 */
export function describeRouteEntryList(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  params.required("RegionId");
  const vpc = vpcOfTable(cloud.model, params.required("RouteTableId"));
  const met = entriesOf(cloud, vpc).filter((entry) =>
    is(params, "RouteEntryType", entry.Type) &&
    is(params, "RouteEntryId", entry.RouteEntryId) &&
    is(params, "RouteEntryName", entry.RouteEntryName) &&
    is(params, "DestinationCidrBlock", entry.DestinationCidrBlock) &&
    entry.NextHops.NextHop.every((hop) =>
      is(params, "NextHopId", hop.NextHopId) &&
      is(params, "NextHopType", hop.NextHopType)
    )
  );
  const { items, meta } = page(
    met,
    // The list's own name of the parameter is in the singular.
    new Params({
      ...params.raw,
      MaxResults: params.text("MaxResult") ?? String(PAGE.usual),
    }),
    PAGE,
  );
  return {
    ...meta,
    RouteEntrys: {
      RouteEntry: items.map(({ order: _, ...entry }) => entry),
    },
  };
}

/**
 * DescribeRouteTableList: each VPC's system table.
 *
 * @param cloud The cloud.
 * @param params The call; it pages by number only.
 * @returns The answer's body.
 */
export function describeRouteTableList(
  cloud: EmulatedCloud,
  params: Params,
): Body {
  const met = [...cloud.model.vpcs.values()].filter((vpc) =>
    is(params, "VpcId", vpc.id) && is(params, "RouteTableId", vpc.routeTableId)
  );
  const { items, meta } = pageByNumber(met, params, { least: 10, most: 50 });
  return {
    ...meta,
    RouterTableList: {
      RouterTableListType: items.map((vpc) => ({
        RouteTableId: vpc.routeTableId,
        RouteTableName: "",
        RouteTableType: "System",
        RouterType: "VRouter",
        Status: "Available",
        VpcId: vpc.id,
        VSwitchIds: { VSwitchId: vSwitchesOf(cloud, vpc).map(({ id }) => id) },
      })),
    },
  };
}

interface Entry {
  readonly order: number;
  readonly RouteTableId: string;
  readonly RouteEntryId: string;
  readonly RouteEntryName: string;
  readonly Description: string;
  readonly DestinationCidrBlock: string;
  readonly IpVersion: "ipv4";
  readonly Type: "System" | "Custom";
  readonly Status: string;
  readonly NextHops: {
    readonly NextHop: readonly {
      readonly NextHopId: string;
      readonly NextHopType: string;
      readonly Enabled: 0 | 1;
    }[];
  };
}

function entriesOf(cloud: EmulatedCloud, vpc: VpcRecord): Entry[] {
  const { routeTableId } = vpc;
  const own = vSwitchesOf(cloud, vpc).map(({ id, cidr }, place): Entry => ({
    order: place + 1,
    RouteTableId: routeTableId,
    RouteEntryId: id.replace("vsw-", "rte-"),
    RouteEntryName: "",
    Description: "Created by system",
    DestinationCidrBlock: cidr,
    IpVersion: "ipv4",
    Type: "System",
    Status: "Available",
    NextHops: {
      NextHop: [{ NextHopId: "", NextHopType: "local", Enabled: 1 }],
    },
  }));
  const custom = routesOf(cloud.model, routeTableId).map((route): Entry => ({
    order: CUSTOM_PLACE + route.order,
    RouteTableId: routeTableId,
    RouteEntryId: route.id,
    RouteEntryName: route.name,
    Description: route.description,
    DestinationCidrBlock: route.cidr,
    IpVersion: "ipv4",
    Type: "Custom",
    Status: route.state,
    NextHops: {
      NextHop: [{
        NextHopId: route.nextHopId,
        NextHopType: "Instance",
        Enabled: 1,
      }],
    },
  }));
  return [...own, ...custom];
}

function vSwitchesOf(
  cloud: EmulatedCloud,
  vpc: VpcRecord,
): { id: string; cidr: string }[] {
  return [...cloud.model.vSwitches.values()]
    .filter(({ vpcId }) => vpcId === vpc.id);
}

function is(params: Params, name: string, value: string): boolean {
  return params.text(name) === undefined || params.text(name) === value;
}
