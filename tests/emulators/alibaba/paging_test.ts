import { assertEquals } from "@std/assert";
import { ask, make } from "./caller.ts";
import { openDirect } from "./direct.ts";
import { buildStand, type Stand } from "./stand.ts";

const LIST = "DescribeNetworkInterfaces";

interface Listing {
  readonly NetworkInterfaceSets: {
    readonly NetworkInterfaceSet: readonly {
      readonly NetworkInterfaceId: string;
    }[];
  };
  readonly NextToken?: string;
  readonly TotalCount: number;
}

async function list(
  { cloud }: Stand,
  params: Readonly<Record<string, string>>,
): Promise<{ ids: readonly string[]; next: string; total: number }> {
  const { body } = await ask(cloud, LIST, params);
  const listing = body as unknown as Listing;
  return {
    ids: listing.NetworkInterfaceSets.NetworkInterfaceSet
      .map(({ NetworkInterfaceId }) => NetworkInterfaceId),
    next: listing.NextToken ?? "",
    total: listing.TotalCount,
  };
}

async function standOf(eniCount: number): Promise<Stand> {
  const stand = buildStand();
  for (let i = 0; i < eniCount; i++) await make(stand);
  return stand;
}

Deno.test("NextToken leads through all pages, to an empty one", async () => {
  const stand = await standOf(24); // and the node's own
  const first = await list(stand, { MaxResults: "10" });
  const second = await list(stand, { MaxResults: "10", NextToken: first.next });
  const third = await list(stand, { MaxResults: "10", NextToken: second.next });
  assertEquals(
    [first, second, third].map(({ ids }) => ids.length),
    [10, 10, 5],
  );
  const all = [...first.ids, ...second.ids, ...third.ids];
  assertEquals(new Set(all).size, 25);
  assertEquals(third.next, "");
  assertEquals(first.total, 25);
});

Deno.test("what goes between two pages hides nothing of the next", async () => {
  const stand = await standOf(24);
  const first = await list(stand, { MaxResults: "10" });
  for (const id of first.ids.slice(1)) stand.cloud.remove(id);
  await stand.cloud.settled();
  const second = await list(stand, { MaxResults: "10", NextToken: first.next });
  assertEquals(second.ids.length, 10);
  assertEquals(second.ids.filter((id) => first.ids.includes(id)), []);
});

Deno.test("MaxResults is brought into its bounds", async () => {
  const stand = await standOf(24);
  assertEquals((await list(stand, { MaxResults: "3" })).ids.length, 10);
  assertEquals((await list(stand, { MaxResults: "9999" })).ids.length, 25);
});

Deno.test("pages can be had by number", async () => {
  const stand = await standOf(24);
  const at = (PageNumber: string) =>
    list(stand, { PageNumber, PageSize: "10" });
  const sizes = [await at("1"), await at("2"), await at("3"), await at("4")]
    .map(({ ids }) => ids.length);
  assertEquals(sizes, [10, 10, 5, 0]);
  assertEquals((await list(stand, {})).ids.length, 10);
});

Deno.test("a listing keeps to its filters", async () => {
  const stand = buildStand();
  const tagged = await make(stand, { "Tag.1.Key": "a", "Tag.1.Value": "1" });
  const far = await make({ ...stand, vSwitchId: stand.farVSwitchId });
  const ids = async (params: Record<string, string>) =>
    (await list(stand, params)).ids;
  assertEquals(await ids({ Type: "Secondary" }), [tagged, far]);
  assertEquals(await ids({ VSwitchId: stand.farVSwitchId }), [far]);
  assertEquals(await ids({ Status: "InUse", VpcId: "vpc-other" }), []);
  assertEquals(
    await ids({ Status: "Available", VpcId: stand.vpcId }),
    [tagged, far],
  );
  assertEquals(await ids({ "NetworkInterfaceId.1": far }), [far]);
  assertEquals(await ids({ "Tag.1.Key": "a" }), [tagged]);
  assertEquals(await ids({ "Tag.1.Key": "a", "Tag.1.Value": "2" }), []);
});

Deno.test("the adapter reads every page", async () => {
  const stand = buildStand({ callsPerMinute: { CreateNetworkInterface: 2e3 } });
  const { id } = stand.cloud.addVSwitch({
    vpcId: stand.vpcId,
    zone: "cn-hangzhou-a",
    cidr: "10.0.16.0/20",
  });
  for (let i = 0; i < 1100; i++) await make({ ...stand, vSwitchId: id });
  const cloud = openDirect(stand.cloud);
  const enis = await cloud.describeEnis({}, AbortSignal.timeout(10_000));
  assertEquals(new Set(enis.map((eni) => eni.id)).size, 1101);
});

Deno.test("vSwitches are paged by number", async () => {
  const { cloud } = buildStand();
  const page = async (PageNumber: string) => {
    const { body } = await ask(cloud, "DescribeVSwitches", {
      PageNumber,
      PageSize: "2",
    });
    return (body as unknown as {
      VSwitches: { VSwitch: readonly { CidrBlock: string }[] };
    }).VSwitches.VSwitch.map(({ CidrBlock }) => CidrBlock);
  };
  assertEquals(await page("1"), ["10.0.1.0/24", "10.0.2.0/29"]);
  assertEquals(await page("2"), ["10.0.3.0/24"]);
});
