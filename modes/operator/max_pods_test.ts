import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { roomsOf } from "./max_pods.ts";
import { quotaOf } from "./quota.ts";

Deno.test("roomsOf() counts addresses of ENIs, ENIs, and addresses of the pod CIDR", () => {
  const podCidr = { cidr: "172.30.1.0/24", capacity: 253 };
  const rooms = roomsOf({ eniCount: 3, podsPerEniCount: 15, podCidr }, 4);
  assertEquals(
    rooms.map(({ mode, podCount, maxPods }) => [mode, podCount, maxPods]),
    [["ENIMultiIP", 45, 49], ["ENIOnly", 3, 7], ["VPC", 253, 257]],
  );
  const [, , vpc] = roomsOf({ eniCount: 0, podsPerEniCount: 1 }, 0);
  assertEquals(vpc?.maxPods, undefined);
});

Deno.test("roomsOf() never lets the kubelet have more pods than addresses and pods of the host", () => {
  const counts = fc.record({
    eniCount: fc.nat(64),
    podsPerEniCount: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(fc.property(counts, fc.nat(1000), (room, hostPodCount) => {
    const [shared, whole] = roomsOf(room, hostPodCount);
    assertEquals(
      shared?.maxPods,
      room.eniCount * room.podsPerEniCount + hostPodCount,
    );
    assert((whole?.maxPods ?? 0) <= (shared?.maxPods ?? 0));
  }));
});

function told(
  pool: Readonly<Record<string, unknown>>,
  limits: Readonly<Record<string, unknown>> = {},
  daemonMode = "ENIMultiIP",
): unknown {
  return {
    node: {
      instanceId: "i-1",
      instanceType: "ecs.g7.xlarge",
      limits: { eniCount: 4, ipv4PerEniCount: 15, ipv6PerEniCount: 10 },
    },
    daemonMode,
    pool: {
      limits: {
        ...{ eniCount: 3, addressesPerEni: 15, hotPlug: true, stack: "ipv4" },
        ...limits,
      },
      enis: [{}],
      foreignEniIds: [],
      ...pool,
    },
  };
}

Deno.test("quotaOf() leaves others' ENIs out, and counts those that are there without hot plugging", () => {
  const check = (status: unknown, expected: readonly number[]): void => {
    const { eniCount, podsPerEniCount } = quotaOf(status);
    assertEquals([eniCount, podsPerEniCount], expected);
  };
  check(told({}), [3, 15]);
  check(told({ foreignEniIds: ["eni-other"] }), [2, 15]);
  check(told({}, { hotPlug: false }), [1, 15]);
  const whole = { addressesPerEni: 1 };
  check(told({}, whole, "ENIOnly"), [3, 15]);
  check(told({}, { ...whole, stack: "dual" }, "VPC"), [3, 10]);
  check(told({}, { ...whole, stack: "ipv6" }, "VPC"), [3, 10]);
});

Deno.test("quotaOf() counts sixteen pods for each prefix, in force or tried", () => {
  const inForce = told({}, { addressesPerEni: 225 });
  assertEquals(quotaOf(inForce).podsPerEniCount, 225);
  for (const status of [inForce, told({}), told({}, {}, "VPC")]) {
    const { podsPerEniCount } = quotaOf(status, { hasPrefixes: true });
    assertEquals(podsPerEniCount, 1 + 14 * 16);
  }
});
