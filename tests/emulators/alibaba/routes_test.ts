import { assertEquals } from "@std/assert";
import { VirtualClock } from "../virtual_clock.ts";
import { type Answer, ask } from "./caller.ts";
import { ROUTES_PER_TABLE } from "./routes.ts";
import { buildStand, type Stand } from "./stand.ts";

const POD_CIDR = "172.30.0.0/24";

function tableOf({ cloud, vpcId }: Stand): string {
  return cloud.model.vpcs.get(vpcId)?.routeTableId ?? "";
}

function create(
  stand: Stand,
  params: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask(stand.cloud, "CreateRouteEntry", {
    RouteTableId: tableOf(stand),
    DestinationCidrBlock: POD_CIDR,
    NextHopId: stand.instanceId,
    NextHopType: "Instance",
    ...params,
  });
}

/** The custom routes of the table, as the API lists them. */
async function list(
  stand: Stand,
  params: Readonly<Record<string, string>> = {},
): Promise<{ cidrs: string[]; body: Answer["body"]; statuses: string[] }> {
  const { body } = await ask(stand.cloud, "DescribeRouteEntryList", {
    RouteTableId: tableOf(stand),
    RouteEntryType: "Custom",
    ...params,
  });
  const { RouteEntry } = body["RouteEntrys"] as {
    RouteEntry: { DestinationCidrBlock: string; Status: string }[];
  };
  return {
    body,
    cidrs: RouteEntry.map((entry) => entry.DestinationCidrBlock),
    statuses: RouteEntry.map((entry) => entry.Status),
  };
}

Deno.test("a route is made, listed and deleted by its id", async () => {
  const stand = buildStand();
  const { code, body } = await create(stand, { RouteEntryName: "n1" });
  assertEquals(code, "OK");
  await stand.cloud.settled();
  assertEquals((await list(stand)).cidrs, [POD_CIDR]);
  assertEquals((await list(stand)).statuses, ["Available"]);
  const RouteEntryId = String(body["RouteEntryId"]);
  const gone = await ask(stand.cloud, "DeleteRouteEntry", { RouteEntryId });
  assertEquals(gone.code, "OK");
  assertEquals((await list(stand)).cidrs, []);
});

Deno.test("a route is deleted by table, prefix and next hop", async () => {
  const stand = buildStand();
  await create(stand);
  await stand.cloud.settled();
  const which = {
    RouteTableId: tableOf(stand),
    DestinationCidrBlock: POD_CIDR,
    NextHopId: stand.instanceId,
  };
  const remove = () => ask(stand.cloud, "DeleteRouteEntry", which);
  assertEquals((await remove()).code, "OK");
  assertEquals((await remove()).code, "InvalidRouteEntry.NotFound");
});

Deno.test("a table takes one change at a time", async () => {
  const clock = new VirtualClock();
  const stand = buildStand({ clock, routeMs: 2_000 });
  await create(stand);
  assertEquals((await list(stand)).statuses, ["Pending"]);
  const other = { DestinationCidrBlock: "172.30.1.0/24" };
  assertEquals((await create(stand, other)).code, "IncorrectRouteEntryStatus");
  await clock.advance(2_000);
  assertEquals((await create(stand, other)).code, "OK");
});

const REFUSALS: readonly [string, Readonly<Record<string, string>>, string][] =
  [
    [
      "no prefix",
      { DestinationCidrBlock: "x/8" },
      "InvalidCidrBlock.Malformed",
    ],
    [
      "a vSwitch's own",
      { DestinationCidrBlock: "10.0.1.0/25" },
      "InvalidCidrBlock",
    ],
    [
      "the service's range",
      { DestinationCidrBlock: "100.64.9.0/24" },
      "InvalidCidrBlock",
    ],
    ["no such hop", { NextHopId: "i-nowhere" }, "InvalidNextHop.NotFound"],
    [
      "no such table",
      { RouteTableId: "vtb-x" },
      "InvalidRouteTableId.NotFound",
    ],
    ["another kind of hop", { NextHopType: "HaVip" }, "InvalidParameter"],
  ];

for (const [what, params, code] of REFUSALS) {
  Deno.test(`a route with ${what} is refused: ${code}`, async () => {
    assertEquals((await create(buildStand(), params)).code, code);
  });
}

Deno.test("a table takes each prefix once, and no more than 200", async () => {
  const stand = buildStand();
  for (let n = 0; n < ROUTES_PER_TABLE; n++) {
    await create(stand, { DestinationCidrBlock: `172.16.${n}.0/24` });
    await stand.cloud.settled();
  }
  const again = await create(stand, { DestinationCidrBlock: "172.16.0.0/24" });
  assertEquals(again.code, "InvalidCIDRBlock.Duplicate");
  assertEquals((await create(stand)).code, "QuotaExceeded");
  const first = await list(stand, { MaxResult: "100" });
  const NextToken = String(first.body["NextToken"]);
  const second = await list(stand, { MaxResult: "100", NextToken });
  assertEquals(new Set([...first.cidrs, ...second.cidrs]).size, 200);
  assertEquals(second.body["NextToken"], "");
});

Deno.test("a VPC's table is found by its VPC", async () => {
  const stand = buildStand();
  const { body } = await ask(stand.cloud, "DescribeRouteTableList", {
    VpcId: stand.vpcId,
  });
  const { RouterTableListType } = body["RouterTableList"] as {
    RouterTableListType: { RouteTableId: string }[];
  };
  assertEquals(RouterTableListType.map(({ RouteTableId }) => RouteTableId), [
    tableOf(stand),
  ]);
});
