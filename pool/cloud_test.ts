/**
 * What the pool relies on, whatever the cloud: the same cases for each.
 *
 * A cloud's own folder runs them: `conforms("alibaba over HTTP", open)`.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { contains } from "../netns/ip.ts";
import { type Cloud, CloudError } from "./cloud.ts";
import { IPV6_CASES } from "./testing/cloud_ipv6_cases.ts";
import { PREFIX_CASES } from "./testing/cloud_prefix_cases.ts";
import {
  attached,
  type Behind,
  type Case,
  type CloudOnTrial,
  create,
  left,
  refuses,
  see,
  soon,
} from "./testing/cloud_on_trial.ts";

export type { Behind, CloudOnTrial };

const CASES: Readonly<Record<string, Case>> = {
  "a new card is free and has what was wished": async (trial) => {
    const eni = await create(trial, { ipCount: 3, tags: { a: "1", b: "" } });
    assertEquals(eni.status, "Available");
    assertEquals(eni.type, "Secondary");
    assertEquals(eni.ips.length, 3);
    assert(eni.ips.includes(eni.primaryIp));
    assertEquals(eni.tags, { a: "1", b: "" });
    assertEquals(eni.securityGroupIds, [trial.securityGroupId]);
    assertEquals(eni.instanceId, undefined);
    const [vSwitch] = await trial.cloud.describeVSwitches(
      [trial.vSwitchId],
      soon(),
    );
    assert(eni.ips.every((ip) => contains(vSwitch?.cidr ?? "", ip)));
    assertEquals(vSwitch?.availableIpCount, 248);
    assertEquals(vSwitch?.zone, eni.zone);
  },
  "the same token gives the same card again": async (trial) => {
    const first = await create(trial, { token: "once" });
    const again = await create(trial, { token: "once" });
    assertEquals(again.id, first.id);
    assertNotEquals((await create(trial, { token: "new" })).id, first.id);
    await refuses(create(trial, { token: "once", ipCount: 2 }), "token");
  },
  "a card is attached, detached, deleted and gone": async (trial) => {
    const { cloud, instanceId } = trial;
    const eni = await create(trial, {});
    const both = { eniId: eni.id, instanceId };
    await cloud.attachEni(both, soon());
    await trial.settled();
    assertEquals((await see(trial, eni.id))?.status, "InUse");
    assertEquals((await see(trial, eni.id))?.instanceId, instanceId);
    await refuses(cloud.attachEni(both, soon()), "conflict");
    await refuses(cloud.deleteEni(eni.id, soon()), "conflict");
    await cloud.detachEni(both, soon());
    await trial.settled();
    assertEquals((await see(trial, eni.id))?.status, "Available");
    await cloud.deleteEni(eni.id, soon());
    await trial.settled();
    assertEquals(await see(trial, eni.id), undefined);
  },
  "what is gone is detached, deleted and unassigned in peace": async (
    trial,
  ) => {
    const { cloud, instanceId } = trial;
    const eniId = "eni-00000000000000000000";
    await cloud.detachEni({ eniId, instanceId }, soon());
    await cloud.deleteEni(eniId, soon());
    await cloud.unassignIps({ eniId, ips: ["10.9.9.9"] }, soon());
    await cloud.unassignIps({ eniId, ips: ["10.9.9.8", "10.9.9.9"] }, soon());
    await refuses(cloud.attachEni({ eniId, instanceId }, soon()), "notFound");
    await refuses(
      cloud.assignIps({ eniId, count: 1, token: "t" }, soon()),
      "notFound",
    );
  },
  "an instance takes as many cards as its type says": async (trial) => {
    const { cloud, instanceId, instanceType } = trial;
    const limits = await cloud.describeLimits(instanceType, soon());
    assertEquals(limits.eniCount, 3);
    assertEquals(limits.ipv4PerEniCount, 6);
    for (let i = 1; i < limits.eniCount; i++) {
      const { id } = await create(trial, {});
      await cloud.attachEni({ eniId: id, instanceId }, soon());
    }
    const { id } = await create(trial, {});
    await refuses(cloud.attachEni({ eniId: id, instanceId }, soon()), "quota");
  },
  "a card goes to instances of its zone only": async (trial) => {
    const far = await create(trial, { vSwitchId: trial.farVSwitchId });
    const call = { eniId: far.id, instanceId: trial.instanceId };
    await refuses(trial.cloud.attachEni(call, soon()), "invalid");
  },
  "a vSwitch that runs dry gives nothing at all": async (trial) => {
    const vSwitchId = trial.smallVSwitchId;
    const wish = { vSwitchId, ipCount: 3 };
    const eni = await create(trial, wish);
    await refuses(create(trial, wish), "exhausted");
    const call = { eniId: eni.id, count: 2, token: "two" };
    await refuses(trial.cloud.assignIps(call, soon()), "exhausted");
    assertEquals(await left(trial, vSwitchId), 1);
    await trial.cloud.deleteEni(eni.id, soon());
    await trial.settled();
    assertEquals(await left(trial, vSwitchId), 4);
  },
  "addresses are assigned once a token, up to the type's limit": async (
    trial,
  ) => {
    const { cloud, instanceId } = trial;
    const eniId = await attached(trial);
    const ips = await cloud.assignIps(
      { eniId, count: 3, token: "a" },
      soon(),
    );
    assertEquals(new Set(ips).size, 3);
    assertEquals(
      await cloud.assignIps({ eniId, count: 3, token: "a" }, soon()),
      ips,
    );
    const full = { eniId, count: 3, token: "b" };
    await refuses(cloud.assignIps(full, soon()), "quota");
    const seen = await cloud.describeEnis({ instanceId }, soon());
    const eni = seen.find(({ id }) => id === eniId);
    assertEquals(eni?.ips.toSorted(), [eni?.primaryIp ?? "", ...ips].sort());
  },
  "addresses are unassigned, also when some are gone already": async (
    trial,
  ) => {
    const { cloud } = trial;
    const eniId = await attached(trial);
    const ips = await cloud.assignIps({ eniId, count: 4, token: "a" }, soon());
    await cloud.unassignIps({ eniId, ips: ips.slice(0, 2) }, soon());
    await cloud.unassignIps({ eniId, ips: ips.slice(0, 1) }, soon());
    await cloud.unassignIps({ eniId, ips }, soon());
    const eni = await see(trial, eniId);
    assertEquals(eni?.ips, [eni?.primaryIp ?? ""]);
    assertEquals(await left(trial, trial.vSwitchId), 250);
    const primary = { eniId, ips: [eni?.primaryIp ?? ""] };
    await refuses(cloud.unassignIps(primary, soon()), "invalid");
  },
  "cards are found by id, by tags and by instance": async (trial) => {
    const { cloud, instanceId } = trial;
    const one = await create(trial, { tags: { owner: "x", kind: "1" } });
    const two = await create(trial, { tags: { owner: "x", kind: "2" } });
    const ids = async (filter: Parameters<Cloud["describeEnis"]>[0]) =>
      (await cloud.describeEnis(filter, soon())).map(({ id }) => id).sort();
    assertEquals(await ids({ tags: { owner: "x" } }), [one.id, two.id].sort());
    assertEquals(await ids({ tags: { owner: "x", kind: "2" } }), [two.id]);
    assertEquals(await ids({ ids: [one.id], tags: { kind: "2" } }), []);
    const primary = await cloud.describeEnis({ instanceId }, soon());
    assertEquals(primary.map(({ type }) => type), ["Primary"]);
  },
  "a card's groups are those that it was put into last": async (trial) => {
    const { cloud, securityGroupId, otherSecurityGroupId } = trial;
    const eniId = await attached(trial);
    const put = (...securityGroupIds: string[]): Promise<void> =>
      cloud.setSecurityGroups({ eniId, securityGroupIds }, soon());
    const both = [securityGroupId, otherSecurityGroupId].sort();
    await put(...both);
    await put(...both);
    assertEquals((await see(trial, eniId))?.securityGroupIds.toSorted(), both);
    await put(otherSecurityGroupId);
    assertEquals((await see(trial, eniId))?.securityGroupIds, [
      otherSecurityGroupId,
    ]);
    await refuses(put("sg-nowhere"), "notFound");
    const gone = { eniId: "eni-00000000000000000000", securityGroupIds: both };
    await refuses(cloud.setSecurityGroups(gone, soon()), "notFound");
  },
  "the primary card can't be taken away": async (trial) => {
    const { cloud, instanceId } = trial;
    const [primary] = await cloud.describeEnis({ instanceId }, soon());
    const eniId = primary?.id ?? "";
    await refuses(cloud.detachEni({ eniId, instanceId }, soon()), "invalid");
    await refuses(cloud.deleteEni(eniId, soon()), "invalid");
  },
  "an instance is described by its id": async (trial) => {
    const { cloud, instanceId, vSwitchId } = trial;
    const instance = await cloud.describeInstance(instanceId, soon());
    assertEquals(instance.id, instanceId);
    assertEquals(instance.type, trial.instanceType);
    assertEquals(instance.vSwitchId, vSwitchId);
    const [primary] = await cloud.describeEnis({ instanceId }, soon());
    assertEquals(primary?.mac, instance.primaryMac);
    assertEquals(primary?.primaryIp, instance.primaryIp);
    assertEquals(primary?.zone, instance.zone);
    await refuses(cloud.describeInstance("i-nowhere", soon()), "notFound");
    await refuses(cloud.describeLimits("ecs.x.none", soon()), "notFound");
  },
  "vSwitches come in the order asked for, unknown ones left out": async (
    trial,
  ) => {
    const { cloud, vSwitchId, farVSwitchId } = trial;
    const asked = [farVSwitchId, "vsw-nowhere", vSwitchId];
    const seen = await cloud.describeVSwitches(asked, soon());
    assertEquals(seen.map(({ id }) => id), [farVSwitchId, vSwitchId]);
    await refuses(create(trial, { vSwitchId: "vsw-nowhere" }), "notFound");
  },
  "what somebody else did to a card is seen": async (trial) => {
    const { cloud, behind, instanceId } = trial;
    const eniId = await attached(trial);
    const [own = ""] = await cloud.assignIps(
      { eniId, count: 1, token: "own" },
      soon(),
    );
    const [theirs = ""] = await behind.assignIps(eniId, 1);
    await behind.unassignIps(eniId, [own]);
    await behind.setTags(eniId, { owner: "else" });
    const seen = await see(trial, eniId);
    assert(seen?.ips.includes(theirs) && !seen.ips.includes(own));
    assertEquals(seen?.tags, { owner: "else" });
    await behind.detachEni(eniId);
    assertEquals((await see(trial, eniId))?.status, "Available");
    assertEquals((await see(trial, eniId))?.instanceId, undefined);
    await behind.deleteEni(eniId);
    assertEquals(await see(trial, eniId), undefined);
    await cloud.detachEni({ eniId, instanceId }, soon());
    await cloud.deleteEni(eniId, soon());
  },
  "a vSwitch that others emptied gives nothing, and says so": async (
    trial,
  ) => {
    const { cloud, behind, vSwitchId } = trial;
    const eniId = await attached(trial);
    await behind.occupy(vSwitchId, 0);
    assertEquals(await left(trial, vSwitchId), 0);
    await refuses(create(trial, {}), "exhausted");
    const call = { eniId, count: 1, token: "one" };
    await refuses(cloud.assignIps(call, soon()), "exhausted");
  },
  "a refusal carries what support asks for": async (trial) => {
    const { cloud, securityGroupId } = trial;
    const calls: readonly (() => Promise<unknown>)[] = [
      () => cloud.describeInstance("i-nowhere", soon()),
      () => cloud.describeLimits("ecs.x.none", soon()),
      () => create(trial, { vSwitchId: "vsw-nowhere" }),
      () =>
        create(trial, {
          securityGroupIds: Array.from({ length: 6 }, () => securityGroupId),
        }),
    ];
    for (const call of calls) {
      const error = await assertRejects(call);
      assertInstanceOf(error, CloudError);
      assertNotEquals(error.requestId, "", error.message);
      assertNotEquals(error.httpStatus, 0);
      assert(error.message.startsWith(`${error.api}: `), error.message);
    }
  },
  "a call whose signal has ended throws the signal's reason": async (trial) => {
    const reason = new DOMException("enough", "AbortError");
    const call = trial.cloud.describeEnis({}, AbortSignal.abort(reason));
    const error = await assertRejects(() => call);
    assertEquals(error, reason);
  },
};

/**
 * Registers every case for one cloud.
 *
 * @param name Which cloud.
 * @param open Opens a fresh one for each case.
 */
export function conforms(
  name: string,
  open: () => Promise<CloudOnTrial>,
): void {
  const cases = { ...CASES, ...IPV6_CASES, ...PREFIX_CASES };
  for (const [sentence, run] of Object.entries(cases)) {
    Deno.test(`${name}: ${sentence}`, async () => {
      const trial = await open();
      try {
        await run(trial);
      } finally {
        await trial.close();
      }
    });
  }
}
