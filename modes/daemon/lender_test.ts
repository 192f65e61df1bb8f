/** What is kept for a successor, on a real pod CIDR and a real journal. */
import { assertEquals, assertRejects } from "@std/assert";
import { openKernel } from "../../netns/kernel.ts";
import { Lab } from "../../netns/lab.ts";
import { PoolError } from "../../pool/error.ts";
import { PodCidr } from "../../pool/pod_cidr.ts";
import { on } from "../../pool/testing/rig.ts";
import { NodeEnis } from "./enis.ts";
import { type AddressWish, Lender } from "./lender.ts";

const CIDR = "172.20.1.0/29"; // 5 addresses

function wish(containerId: string, name: string): AddressWish {
  return {
    owner: { network: "terway", containerId, ifName: "eth0" },
    pod: { namespace: "shop", name },
    netns: `/run/netns/${containerId}`,
    wantsEni: false,
    ...name.startsWith("db-") && { keepsAddress: true },
  };
}

Deno.test("a kept address is its successor's, and gives way where none is free", () =>
  on({}, async ({ keeper, journal, clock }) => {
    using lab = new Lab();
    await using kernel = await openKernel({ netns: lab.node.path });
    const enis = new NodeEnis({ kernel, nodeIp: "10.0.0.10" });
    const podCidr = new PodCidr({ cidr: CIDR, journal, clock });
    const lender = new Lender({ keeper, enis, podCidr });
    const soon = (): AbortSignal => AbortSignal.timeout(5_000);
    const claim = async (id: string, name: string): Promise<string> =>
      (await lender.claim(wish(id, name), soon())).ip;
    const key = (id: string): string => `terway/${id}/eth0`;

    const ip = await claim("c0", "db-0");
    await lender.release(key("c0"));
    assertEquals(lender.leases(), []);
    assertEquals(await claim("c1", "db-0"), ip);
    assertEquals(await lender.release(key("c0")), undefined);
    assertEquals(lender.leases().map(({ ownerKey }) => ownerKey), [key("c1")]);

    await lender.release(key("c1"));
    for (const id of ["w1", "w2", "w3", "w4"]) await claim(id, id);
    await assertRejects(() => claim("w5", "w5"), PoolError, "1 rest");
    await clock.advance(30_000);
    assertEquals(await claim("w5", "w5"), ip);
    await assertRejects(() => claim("c2", "db-0"), PoolError, "5 of 5");
  }));

Deno.test("what is kept ends before a drain", () =>
  on({}, async ({ keeper, journal, clock }) => {
    using lab = new Lab();
    await using kernel = await openKernel({ netns: lab.node.path });
    const enis = new NodeEnis({ kernel, nodeIp: "10.0.0.10" });
    const podCidr = new PodCidr({ cidr: CIDR, journal, clock });
    const lender = new Lender({ keeper, enis, podCidr });
    const { ownerKey } = await lender.claim(
      wish("c0", "db-0"),
      AbortSignal.timeout(5_000),
    );
    await lender.release(ownerKey);
    await lender.releaseKept("expired");
    assertEquals(podCidr.status().leased, 1);
    await lender.releaseKept("all");
    const { leased, cooling } = podCidr.status();
    assertEquals([leased, cooling], [0, 1]);
  }));
