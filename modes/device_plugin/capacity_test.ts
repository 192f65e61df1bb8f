import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  devicesOf,
  type EniFigures,
  preferred,
  promisedCount,
} from "./capacity.ts";

const PHASES = [
  "creating",
  "attaching",
  "preparing",
  "ready",
  "retiring",
  "detaching",
];

const figures: fc.Arbitrary<EniFigures> = fc.record({
  daemonMode: fc.constantFrom("VPC", "ENIMultiIP", "ENIOnly", "of tomorrow"),
  isWanted: fc.boolean(),
  eniCount: fc.nat(32),
  hotPlug: fc.boolean(),
  mayGrow: fc.boolean(),
  enis: fc.array(
    fc.record({
      phase: fc.constantFrom(...PHASES),
      isShown: fc.boolean(),
      isQuarantined: fc.boolean(),
    }),
    { maxLength: 32 },
  ),
  foreignCount: fc.nat(32),
});

Deno.test("promisedCount() never promises what can't be given", () => {
  fc.assert(fc.property(figures, (one) => {
    const count = promisedCount(one);
    const attached = one.enis.filter((eni) =>
      ["preparing", "ready"].includes(eni.phase) && eni.isShown &&
      !eni.isQuarantined
    ).length;
    assert(Number.isInteger(count) && count >= 0);
    if (!one.isWanted || !["VPC", "ENIOnly"].includes(one.daemonMode)) {
      assertEquals(count, 0);
    }
    if (one.hotPlug) {
      assert(count <= Math.max(0, one.eniCount - one.foreignCount));
    }
    if (!one.hotPlug || !one.mayGrow) {
      assert(count <= attached);
    }
  }));
});

Deno.test("promisedCount() doesn't change while ENIs come and go", () => {
  fc.assert(fc.property(figures, fc.array(fc.nat(5)), (one, phases) => {
    const calm: EniFigures = {
      ...one,
      hotPlug: true,
      mayGrow: true,
      enis: phases.map((at) => ({
        phase: PHASES[at] ?? "ready",
        isShown: true,
        isQuarantined: false,
      })),
    };
    assertEquals(promisedCount(calm), promisedCount({ ...calm, enis: [] }));
  }));
});

Deno.test("promisedCount() of a foreign ENI more is never more", () => {
  fc.assert(fc.property(figures, (one) => {
    const more = { ...one, foreignCount: one.foreignCount + 1 };
    assert(promisedCount(more) <= promisedCount(one));
  }));
});

Deno.test("promisedCount() counts the type's ENIs, or those that are attached", () => {
  const eni = { phase: "ready", isShown: true, isQuarantined: false };
  const node: EniFigures = {
    daemonMode: "ENIOnly",
    isWanted: true,
    eniCount: 3,
    hotPlug: true,
    mayGrow: true,
    enis: [eni],
    foreignCount: 0,
  };
  const check = (change: Partial<EniFigures>, expected: number): void =>
    assertEquals(promisedCount({ ...node, ...change }), expected);
  check({}, 3);
  check({ daemonMode: "VPC" }, 3);
  check({ daemonMode: "ENIMultiIP" }, 0);
  check({ isWanted: false }, 0);
  check({ hotPlug: false }, 1);
  check({ mayGrow: false }, 1);
  check({ foreignCount: 1 }, 2);
  check({ foreignCount: 9 }, 0);
  check({ enis: [{ ...eni, isQuarantined: true }] }, 2);
  check({ hotPlug: false, enis: [eni, { ...eni, isShown: false }] }, 1);
  check({ hotPlug: false, enis: [eni, { ...eni, phase: "retiring" }] }, 1);
});

Deno.test("devicesOf() has as many healthy devices as are promised, and none vanishes", () => {
  fc.assert(fc.property(fc.array(fc.nat(20)), (counts) => {
    let listedCount = 0;
    for (const count of counts) {
      listedCount = Math.max(listedCount, count);
      const devices = devicesOf({ nodeName: "n-1", count, listedCount });
      const healthy = devices.filter(({ health }) => health === "Healthy");
      assertEquals(healthy.length, count);
      assertEquals(
        devices.map(({ id }) => id),
        Array.from({ length: listedCount }, (_, index) => `n-1-${index}`),
      );
    }
  }));
});

Deno.test("preferred() gives the first devices, and those that must be", () => {
  const all = ["n-10", "n-2", "n-1", "n-0"];
  assertEquals(preferred(all, [], 2), ["n-0", "n-1"]);
  assertEquals(preferred(all, ["n-10"], 2), ["n-10", "n-0"]);
  assertEquals(preferred(all, [], 9), ["n-0", "n-1", "n-2", "n-10"]);
});
