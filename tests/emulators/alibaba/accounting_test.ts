import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseCidr } from "../../../netns/ip.ts";
import { ask } from "./caller.ts";
import { enisOf, limitsOf } from "./model.ts";
import { buildStand, type Stand } from "./stand.ts";

/** A step of a random walk; numbers pick among what there is. */
type Step =
  | { readonly verb: "create"; readonly where: number; readonly count: number }
  | { readonly verb: "assign"; readonly eni: number; readonly count: number }
  | { readonly verb: "unassign"; readonly eni: number; readonly count: number }
  | {
    readonly verb: "attach" | "detach" | "delete" | "settle";
    readonly eni: number;
  };

const pick = fc.nat({ max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    verb: fc.constant("create" as const),
    where: pick,
    count: fc.integer({ min: 0, max: 7 }),
  }),
  fc.record({
    verb: fc.constantFrom("assign" as const, "unassign" as const),
    eni: pick,
    count: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({
    verb: fc.constantFrom(
      "attach" as const,
      "detach" as const,
      "delete" as const,
      "settle" as const,
    ),
    eni: pick,
  }),
);

Deno.test("whatever is called, accounts and quotas stay exact", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const stand = buildStand();
      for (const one of steps) {
        await take(stand, one);
        check(stand);
      }
      await stand.cloud.settled();
      check(stand);
    }),
    { numRuns: 150 },
  );
});

async function take(stand: Stand, step: Step): Promise<void> {
  const { cloud, instanceId, securityGroupId } = stand;
  if (step.verb === "create") {
    const vSwitchIds = [
      stand.vSwitchId,
      stand.smallVSwitchId,
      stand.farVSwitchId,
    ];
    await ask(cloud, "CreateNetworkInterface", {
      VSwitchId: vSwitchIds[step.where % vSwitchIds.length] ?? "",
      SecurityGroupId: securityGroupId,
      ...(step.count === 0
        ? {}
        : { SecondaryPrivateIpAddressCount: String(step.count) }),
    });
    return;
  }
  const enis = [...cloud.model.enis.values()];
  const eni = enis[step.eni % enis.length];
  assert(eni !== undefined, "the primary card never goes");
  const named = { NetworkInterfaceId: eni.id };
  switch (step.verb) {
    case "assign":
      await ask(cloud, "AssignPrivateIpAddresses", {
        ...named,
        SecondaryPrivateIpAddressCount: String(step.count),
      });
      return;
    case "unassign":
      await ask(cloud, "UnassignPrivateIpAddresses", {
        ...named,
        "PrivateIpAddress.1": eni.ips.at(step.count % eni.ips.length) ?? "",
        "PrivateIpAddress.2": eni.ips.at(-1) ?? "",
      });
      return;
    case "attach":
      await ask(cloud, "AttachNetworkInterface", {
        ...named,
        InstanceId: instanceId,
      });
      return;
    case "detach":
      await ask(cloud, "DetachNetworkInterface", {
        ...named,
        InstanceId: instanceId,
      });
      return;
    case "delete":
      await ask(cloud, "DeleteNetworkInterface", named);
      return;
    case "settle":
      await cloud.settled();
  }
}

function check({ cloud }: Stand): void {
  const { model } = cloud;
  const enis = [...model.enis.values()];
  const all = enis.flatMap(({ ips }) => ips);
  assertEquals(new Set(all).size, all.length, "an address has one owner");
  const macs = enis.map(({ mac }) => mac);
  assertEquals(new Set(macs).size, macs.length, "a MAC has one card");
  for (const vSwitch of model.vSwitches.values()) {
    const used = enis.filter(({ vSwitchId }) => vSwitchId === vSwitch.id)
      .reduce((sum, { ips }) => sum + ips.length, 0);
    const { length } = parseCidr(vSwitch.cidr);
    assertEquals(
      vSwitch.book.availableCount,
      2 ** (32 - length) - 4 - used,
    );
  }
  for (const instance of model.instances.values()) {
    const limits = limitsOf(model, instance);
    const cards = enisOf(model, instance.id);
    assert(cards.length <= limits.EniQuantity);
    for (const { ips } of cards) {
      assert(ips.length <= limits.EniPrivateIpAddressQuantity);
    }
  }
  for (const eni of enis) {
    assertEquals(eni.ips[0], eni.primaryIp);
    const isBound = ["Attaching", "InUse", "Detaching"].includes(eni.state);
    assertEquals(eni.instanceId !== undefined, isBound);
  }
}
