/**
 * What the pool relies on where prefixes are concerned: cases like those of
 * `cloud_test.ts`, run with them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { contains, familyOf } from "../../netns/ip.ts";
import { ipsOfPrefix } from "../prefix.ts";
import {
  attached,
  type Case,
  create,
  left,
  refuses,
  see,
  soon,
} from "./cloud_on_trial.ts";

/** A card that was never there. */
const NO_ENI = "eni-00000000000000000000";

/** The cases, by what each shows. */
export const PREFIX_CASES: Readonly<Record<string, Case>> = {
  "a card is made with prefixes of its vSwitch": async (trial) => {
    const { cloud, vSwitchId } = trial;
    const before = await left(trial, vSwitchId);
    const eni = await create(trial, { ipCount: 2, prefixCount: 3 });
    assertEquals([eni.ips.length, new Set(eni.prefixes).size], [2, 3]);
    const [vSwitch] = await cloud.describeVSwitches([vSwitchId], soon());
    const ips = (eni.prefixes ?? []).flatMap(ipsOfPrefix);
    assertEquals(new Set(ips).size, 48);
    assert(ips.every((ip) => contains(vSwitch?.cidr ?? "", ip)));
    assert(eni.ips.every((ip) => !ips.includes(ip)));
    assertEquals((await see(trial, eni.id))?.prefixes, eni.prefixes);
    assertEquals(await left(trial, vSwitchId), before - 2 - 48);
    await cloud.deleteEni(eni.id, soon());
    await trial.settled();
    assertEquals(await left(trial, vSwitchId), before);
  },
  "prefixes are assigned once a token, each as one of the type's addresses":
    async (trial) => {
      const { cloud } = trial;
      const eniId = await attached(trial);
      const call = { eniId, family: 4 as const, count: 3, token: "blocks" };
      const prefixes = await cloud.assignPrefixes(call, soon());
      assertEquals(new Set(prefixes).size, 3);
      assertEquals(await cloud.assignPrefixes(call, soon()), prefixes);
      const seen = await see(trial, eniId);
      assertEquals(seen?.prefixes?.toSorted(), prefixes.toSorted());
      assertEquals(seen?.ips, [seen?.primaryIp ?? ""]);
      // The type allows 6: the primary one, 3 prefixes, and 2 more.
      const full = { ...call, token: "more" };
      await refuses(cloud.assignPrefixes(full, soon()), "quota");
      await cloud.assignIps({ eniId, count: 1, token: "one" }, soon());
      const two = { eniId, count: 2, token: "two" };
      await refuses(cloud.assignIps(two, soon()), "quota");
      const gone = { ...full, eniId: NO_ENI };
      await refuses(cloud.assignPrefixes(gone, soon()), "notFound");
    },
  "a card is made with a prefix of IPv6, and gets more up to the type's limit":
    async (trial) => {
      const { cloud, vSwitchId, farVSwitchId, instanceId } = trial;
      const made = await create(trial, { prefixCount: 1, prefix6Count: 1 });
      const { id: eniId } = made;
      const [four = "", six = ""] = made.prefixes ?? [];
      assertEquals([familyOf(four), familyOf(six)], [4, 6]);
      assert(six.endsWith("/80"), six);
      const [vSwitch] = await cloud.describeVSwitches([vSwitchId], soon());
      assert(contains(vSwitch?.cidr6 ?? "", ipsOfPrefix(six)[0] ?? ""));
      await cloud.attachEni({ eniId, instanceId }, soon());
      await trial.settled();
      const call = { eniId, family: 6, count: 3, token: "six" } as const;
      const more = await cloud.assignPrefixes(call, soon());
      assertEquals(new Set([six, ...more]).size, 4);
      assertEquals(await cloud.assignPrefixes(call, soon()), more);
      await cloud.assignIp6s({ eniId, count: 2, token: "two" }, soon());
      // The type allows 6.
      const full = { ...call, count: 1, token: "full" };
      await refuses(cloud.assignPrefixes(full, soon()), "quota");
      const seen = await see(trial, eniId);
      assertEquals(
        [seen?.ips6.length, seen?.prefixes?.toSorted()],
        [2, [four, six, ...more].toSorted()],
      );
      const away = (names: readonly string[]): Promise<void> =>
        cloud.unassignPrefixes({ eniId, prefixes: names }, soon());
      await away(more.slice(0, 2));
      await away(more);
      assertEquals((await see(trial, eniId))?.prefixes, [four, six]);
      const far = { vSwitchId: farVSwitchId, prefix6Count: 1 };
      await refuses(create(trial, far), "invalid");
    },
  "a card with more prefixes than the type's limit stays out": async (
    trial,
  ) => {
    const { cloud, instanceId } = trial;
    const { id: eniId } = await create(trial, { prefixCount: 6 });
    await refuses(cloud.attachEni({ eniId, instanceId }, soon()), "quota");
  },
  "prefixes are unassigned, also when some are gone already": async (
    trial,
  ) => {
    const { cloud, vSwitchId } = trial;
    const eniId = await attached(trial);
    const before = await left(trial, vSwitchId);
    const call = { eniId, family: 4 as const, count: 4, token: "blocks" };
    const prefixes = await cloud.assignPrefixes(call, soon());
    const away = (names: readonly string[]): Promise<void> =>
      cloud.unassignPrefixes({ eniId, prefixes: names }, soon());
    await away(prefixes.slice(0, 2));
    await away(prefixes.slice(0, 1));
    await away(prefixes.slice(0, 3));
    const seen = await see(trial, eniId);
    assertEquals(seen?.prefixes, prefixes.slice(3));
    assertEquals(seen?.ips.length, 1);
    assertEquals(await left(trial, vSwitchId), before - 16);
    await cloud.unassignPrefixes({ eniId: NO_ENI, prefixes }, soon());
  },
  "a vSwitch without sixteen addresses that lie together gives no prefix":
    async (trial) => {
      const { cloud, smallVSwitchId, vSwitchId, behind } = trial;
      const small = { vSwitchId: smallVSwitchId, prefixCount: 1 };
      await refuses(create(trial, small), "exhausted");
      assertEquals(await left(trial, smallVSwitchId), 4);
      const eniId = await attached(trial);
      const call = { eniId, family: 4 as const, count: 1, token: "block" };
      await behind.occupy(vSwitchId, 15);
      await refuses(cloud.assignPrefixes(call, soon()), "exhausted");
      assertEquals(await left(trial, vSwitchId), 15);
      const ips = await cloud.assignIps({ ...call, token: "one" }, soon());
      assertEquals(ips.length, 1);
    },
};
