import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { bandwidthSteps, ifbOf, tbfSizes } from "./bandwidth.ts";
import { command } from "./step.ts";

const OWNER = { network: "terway", containerId: "c0ffee", ifName: "eth0" };

/** Checks what lies where, without the sizes. */
function check(
  wish: Parameters<typeof bandwidthSteps>[0],
  expected: readonly string[],
): void {
  const said = bandwidthSteps(wish).map((step) =>
    `${step.kind} ${step.place} ${step.link}` +
    ("bytesPerSec" in step ? ` ${step.bytesPerSec * 8}` : "") +
    ("to" in step ? ` to ${step.to}` : "")
  );
  assertEquals(said, expected);
}

Deno.test("bandwidthSteps() of a veth pair sit on the end that sends", () => {
  const wish = {
    mtu: 1500,
    podLinks: ["eth0"],
    ingress: { hostLink: "cali1" },
  };
  const both = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  check({ ...wish, bandwidth: both }, [
    "tbf pod eth0 20000000",
    "tbf host cali1 10000000",
  ]);
  check({ ...wish, bandwidth: { egressBitsPerSec: 20e6 } }, [
    "tbf pod eth0 20000000",
  ]);
  check({ ...wish, bandwidth: { ingressBitsPerSec: 10e6 } }, [
    "tbf host cali1 10000000",
  ]);
});

Deno.test("bandwidthSteps() of a card bring what comes in by all links to one bucket", () => {
  const { name, mac } = ifbOf(OWNER);
  const wish = {
    mtu: 1500,
    podLinks: ["eth0", "veth1"],
    ingress: { ifb: { name, mac } },
  };
  const both = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
  check({ ...wish, bandwidth: both }, [
    "tbf pod eth0 20000000",
    "tbf pod veth1 20000000",
    `ifb pod ${name}`,
    `tbf pod ${name} 10000000`,
    `redirect pod eth0 to ${name}`,
    `redirect pod veth1 to ${name}`,
  ]);
  check({ ...wish, bandwidth: { egressBitsPerSec: 20e6 } }, [
    "tbf pod eth0 20000000",
    "tbf pod veth1 20000000",
  ]);
});

Deno.test("bandwidthSteps() of a pod without limits are none", () => {
  const wish = {
    mtu: 1500,
    podLinks: ["eth0"],
    ingress: { hostLink: "cali1" },
  };
  check({ ...wish, bandwidth: undefined }, []);
  check({ ...wish, bandwidth: {} }, []);
});

Deno.test("ifbOf() follows the owner, and looks like nobody's card", () => {
  assertEquals(ifbOf(OWNER), {
    name: "ifb04d39ba6bad",
    mac: "06:e5:97:a8:5c:31",
  });
});

Deno.test("tbfSizes() are of the rate: 4 ms at once, 25 ms in the queue", () => {
  const table = [
    [1e3, 125, 3_036, 18_216],
    [10e6, 1_250_000, 5_000, 36_250],
    [100e6, 12_500_000, 50_000, 362_500],
    [1e9, 125_000_000, 500_000, 3_625_000],
    [1e15, 125e12, 2 ** 30, 2 ** 31],
  ] as const;
  for (const [bitsPerSec, bytesPerSec, burstBytes, limitBytes] of table) {
    assertEquals(
      tbfSizes(bitsPerSec, { mtu: 1500 }),
      { bytesPerSec, burstBytes, limitBytes },
    );
  }
});

Deno.test("tbfSizes() take a burst that was asked for, if two packets fit", () => {
  const burst = (burstBits: number): number =>
    tbfSizes(10e6, { mtu: 1500, burstBits }).burstBytes;
  assertEquals(burst(800_000), 100_000);
  assertEquals(burst(8), 3_036);
});

Deno.test("tbfSizes() fit the kernel's 32 bits and let every packet through", () => {
  const rate = fc.integer({ min: 1_000, max: 1e15 });
  const options = fc.record({
    mtu: fc.integer({ min: 1_280, max: 9_000 }),
    burstBits: fc.option(fc.integer({ min: 1, max: 2 ** 40 }), {
      nil: undefined,
    }),
  });
  fc.assert(fc.property(rate, options, (bitsPerSec, options) => {
    const sizes = tbfSizes(bitsPerSec, options);
    const { burstBytes, limitBytes, bytesPerSec } = sizes;
    assert(Object.values(sizes).every(Number.isSafeInteger));
    assert(bytesPerSec * 8 <= bitsPerSec && bytesPerSec * 8 > bitsPerSec - 8);
    assert(burstBytes > options.mtu && limitBytes >= burstBytes);
    assert(limitBytes < 2 ** 32);
  }));
});

Deno.test("command() of a bandwidth's step is one of tc or ip", () => {
  const { name, mac } = ifbOf(OWNER);
  const said = bandwidthSteps({
    bandwidth: { ingressBitsPerSec: 10e6 },
    mtu: 1500,
    podLinks: ["eth0"],
    ingress: { ifb: { name, mac } },
  }).map((step) => command(step));
  const at = "nsenter --net=POD";
  assertEquals(said, [
    `${at} ip link add ${name} up address ${mac} mtu 1500 type ifb`,
    `${at} tc qdisc replace dev ${name} root handle 1: tbf rate 10000000bit ` +
    "burst 5000b limit 36250b",
    `${at} tc qdisc replace dev eth0 clsact && ${at} tc filter replace dev ` +
    "eth0 ingress protocol all prio 1 handle 800::800 u32 match u32 0 0 " +
    `action mirred egress redirect dev ${name}`,
  ]);
});
