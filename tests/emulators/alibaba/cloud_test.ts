import { assertEquals, assertNotEquals } from "@std/assert";
import { ask, make } from "./caller.ts";
import type { Fabric } from "./fabric.ts";
import { buildStand, type Stand } from "./stand.ts";
import { VirtualClock } from "../virtual_clock.ts";

function attach({ cloud, instanceId }: Stand, id: string): void {
  cloud.attach({ eniId: id, instanceId });
}

function stateOf({ cloud }: Stand, id: string): string {
  return cloud.dump().enis.find((eni) => eni.id === id)?.state ?? "gone";
}

Deno.test("a card takes its time for each state", async () => {
  const clock = new VirtualClock();
  const stand = buildStand({
    clock,
    attachMs: 3000,
    detachMs: 2000,
    deleteMs: 1000,
  });
  const id = await make(stand);
  const seen: string[] = [];
  const see = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    seen.push(stateOf(stand, id));
  };
  await see(0);
  attach(stand, id);
  await see(2999);
  await see(1);
  stand.cloud.detach({ eniId: id, instanceId: stand.instanceId });
  await see(1999);
  await see(1);
  stand.cloud.remove(id);
  await see(999);
  assertEquals(stand.cloud.dump().enis[0]?.ips.length, 1);
  await see(1);
  assertEquals(seen, [
    "Available",
    "Attaching",
    "InUse",
    "Detaching",
    "Available",
    "Deleting",
    "gone",
  ]);
});

Deno.test("a fabric hears of everything before the API says so", async () => {
  const stand = buildStand();
  const heard: string[] = [];
  const hear = (what: string) => (...told: readonly unknown[]) => {
    const [{ id, ips }] = told as [{ id: string; ips: readonly string[] }];
    heard.push(`${what} ${ips.length} ${stateOf(stand, id)}`);
    return Promise.resolve();
  };
  stand.cloud.fabric = {
    attach: hear("attach"),
    detach: hear("detach"),
    assign: hear("assign"),
    unassign: hear("unassign"),
  };
  const id = await make(stand);
  const [first] = await stand.cloud.assign(id, 1); // no body yet: not heard
  attach(stand, id);
  await stand.cloud.settled();
  await stand.cloud.assign(id, 2);
  await stand.cloud.unassign(id, [first ?? ""]);
  stand.cloud.detach({ eniId: id, instanceId: stand.instanceId });
  await stand.cloud.settled();
  assertEquals(heard, [
    "attach 2 Attaching",
    "assign 4 InUse",
    "unassign 3 InUse",
    "detach 3 Detaching",
  ]);
});

Deno.test("a fabric that fails undoes the verb", async () => {
  const stand = buildStand();
  const fail = (): Promise<void> => Promise.reject(new Error("no link"));
  const obey = (): Promise<void> => Promise.resolve();
  const broken: Fabric = {
    attach: fail,
    detach: fail,
    assign: fail,
    unassign: fail,
  };
  const id = await make(stand);
  stand.cloud.fabric = broken;
  attach(stand, id);
  await stand.cloud.settled();
  assertEquals(stateOf(stand, id), "Available");
  stand.cloud.fabric = { ...broken, attach: obey };
  attach(stand, id);
  await stand.cloud.settled();
  const before = JSON.stringify(stand.cloud.dump());
  const answer = await ask(stand.cloud, "AssignPrivateIpAddresses", {
    NetworkInterfaceId: id,
    SecondaryPrivateIpAddressCount: "2",
  });
  assertEquals(answer.code, "InternalError");
  stand.cloud.detach({ eniId: id, instanceId: stand.instanceId });
  await stand.cloud.settled();
  assertEquals(JSON.stringify(stand.cloud.dump()), before);
});

Deno.test("the same seed gives the same region, another one another", () => {
  const dump = (seed: number): string =>
    JSON.stringify(buildStand({ seed }).cloud.dump());
  assertEquals(dump(7), dump(7));
  assertNotEquals(dump(7), dump(8));
});

Deno.test("a card that goes with its instance goes, another stays", async () => {
  const stand = buildStand();
  const goes = await make(stand, { DeleteOnRelease: "true" });
  const stays = await make(stand, { DeleteOnRelease: "false" });
  attach(stand, goes);
  attach(stand, stays);
  await stand.cloud.settled();
  stand.cloud.removeInstance(stand.instanceId);
  assertEquals(stateOf(stand, goes), "gone");
  assertEquals(stateOf(stand, stays), "Available");
});

Deno.test("a first address is given out again before a later one", async () => {
  const stand = buildStand();
  const id = await make(stand);
  const [second] = await stand.cloud.assign(id, 2);
  assertEquals(second, "10.0.1.3");
  await stand.cloud.unassign(id, ["10.0.1.3"]);
  assertEquals(await stand.cloud.assign(id, 2), ["10.0.1.3", "10.0.1.5"]);
});

Deno.test("groups, name and description of a card can be changed", async () => {
  const stand = buildStand();
  const id = await make(stand);
  const group = stand.cloud.addSecurityGroup({ vpcId: stand.vpcId });
  const answer = await ask(stand.cloud, "ModifyNetworkInterfaceAttribute", {
    NetworkInterfaceId: id,
    "SecurityGroupId.1": group.id,
    Description: "new",
  });
  assertEquals(answer.code, "OK");
  const eni = stand.cloud.model.enis.get(id);
  assertEquals(eni?.securityGroupIds, [group.id]);
  assertEquals(eni?.description, "new");
});

Deno.test("a call repeated with its token makes nothing new", async () => {
  const stand = buildStand();
  const first = await make(stand, { ClientToken: "t" });
  assertEquals(await make(stand, { ClientToken: "t" }), first);
  assertNotEquals(await make(stand), first);
  assertEquals(stand.cloud.dump().enis.length, 3);
});

Deno.test("a call that failed may be repeated with its token", async () => {
  const stand = buildStand({ eniQuota: 1 });
  const id = await make(stand);
  const wish = {
    VSwitchId: stand.vSwitchId,
    SecurityGroupId: stand.securityGroupId,
    ClientToken: "t",
  };
  const full = await ask(stand.cloud, "CreateNetworkInterface", wish);
  assertEquals(full.code, "MaxEniCountExceeded");
  stand.cloud.remove(id);
  await stand.cloud.settled();
  const again = await ask(stand.cloud, "CreateNetworkInterface", wish);
  assertEquals(again.code, "OK");
});

Deno.test("an address is nobody else's until the fabric let it go", async () => {
  const stand = buildStand();
  const id = await make(stand);
  attach(stand, id);
  await stand.cloud.settled();
  const [ip] = await stand.cloud.assign(id, 1);
  const gone = Promise.withResolvers<void>();
  const obey = (): Promise<void> => Promise.resolve();
  stand.cloud.fabric = {
    attach: obey,
    detach: obey,
    assign: obey,
    unassign: () => gone.promise,
  };
  const unassigned = stand.cloud.unassign(id, [ip ?? ""]);
  assertNotEquals(await stand.cloud.assign(id, 1), [ip ?? ""]);
  gone.resolve();
  await unassigned;
  assertEquals(await stand.cloud.assign(id, 1), [ip ?? ""]);
});
