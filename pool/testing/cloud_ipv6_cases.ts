/**
 * What the pool relies on where IPv6 is concerned: cases like those of
 * `cloud_test.ts`, run with them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { contains, familyOf } from "../../netns/ip.ts";
import {
  attached,
  type Case,
  create,
  refuses,
  see,
  soon,
} from "./cloud_on_trial.ts";

/** A card that was never there. */
const NO_ENI = "eni-00000000000000000000";

/** The cases, by what each shows. */
export const IPV6_CASES: Readonly<Record<string, Case>> = {
  "a card that wishes for IPv4 alone has no IPv6": async (trial) => {
    const eni = await create(trial, { ipCount: 2 });
    assertEquals(eni.ips6, []);
    assert(eni.ips.every((ip) => familyOf(ip) === 4));
  },
  "a card is made with IPv6 addresses of its vSwitch": async (trial) => {
    const { cloud, vSwitchId, farVSwitchId } = trial;
    const eni = await create(trial, { ipCount: 2, ip6Count: 3 });
    assertEquals([eni.ips.length, new Set(eni.ips6).size], [2, 3]);
    const [near, far] = await cloud.describeVSwitches(
      [vSwitchId, farVSwitchId],
      soon(),
    );
    assert(eni.ips6.every((ip) => contains(near?.cidr6 ?? "", ip)));
    assertEquals((await see(trial, eni.id))?.ips6, eni.ips6);
    assertEquals(far?.cidr6, undefined);
    const wish = { vSwitchId: farVSwitchId, ip6Count: 1 };
    await refuses(create(trial, wish), "invalid");
  },
  "IPv6 addresses are assigned once a token, up to the type's limit": async (
    trial,
  ) => {
    const { cloud, instanceType } = trial;
    const eniId = await attached(trial);
    const call = { eniId, count: 4, token: "six" };
    const ips = await cloud.assignIp6s(call, soon());
    assertEquals(new Set(ips).size, 4);
    assertEquals(await cloud.assignIp6s(call, soon()), ips);
    const seen = await see(trial, eniId);
    assertEquals(seen?.ips6.toSorted(), ips.toSorted());
    assertEquals(seen?.ips, [seen?.primaryIp ?? ""]);
    const limits = await cloud.describeLimits(instanceType, soon());
    assertEquals(limits.ipv6PerEniCount, 6);
    const full = { eniId, count: 3, token: "seven" };
    await refuses(cloud.assignIp6s(full, soon()), "quota");
    const gone = { ...full, eniId: NO_ENI };
    await refuses(cloud.assignIp6s(gone, soon()), "notFound");
  },
  "a card with more IPv6 addresses than the type's limit stays out": async (
    trial,
  ) => {
    const { cloud, instanceId } = trial;
    const { id: eniId } = await create(trial, { ip6Count: 7 });
    await refuses(cloud.attachEni({ eniId, instanceId }, soon()), "quota");
  },
  "IPv6 addresses are unassigned, also when some are gone already": async (
    trial,
  ) => {
    const { cloud } = trial;
    const eniId = await attached(trial);
    const call = { eniId, count: 5, token: "six" };
    const ips = await cloud.assignIp6s(call, soon());
    await cloud.unassignIp6s({ eniId, ips: ips.slice(0, 2) }, soon());
    await cloud.unassignIp6s({ eniId, ips: ips.slice(0, 1) }, soon());
    await cloud.unassignIp6s({ eniId, ips: ips.slice(0, 4) }, soon());
    const seen = await see(trial, eniId);
    assertEquals(seen?.ips6, ips.slice(4));
    assertEquals(seen?.ips.length, 1);
    await cloud.unassignIp6s({ eniId: NO_ENI, ips }, soon());
  },
};
