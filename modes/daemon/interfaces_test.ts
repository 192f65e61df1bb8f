import { assertEquals, assertRejects } from "@std/assert";
import { type Owner, ownerKey } from "../../netns/attachment.ts";
import type { Lease } from "../../pool/state.ts";
import { besidesOf, claimAll, staleOf } from "./interfaces.ts";
import type { AddressWish } from "./lender.ts";

const ETH0: Owner = { network: "terway", containerId: "one", ifName: "eth0" };
const NET1: Owner = { ...ETH0, ifName: "net1" };
const NET2: Owner = { ...ETH0, ifName: "net2" };

function lease(owner: Owner, beside?: string): Lease {
  return {
    ownerKey: ownerKey(owner),
    ip: "10.0.0.7",
    eniId: "eni-1",
    recipe: "veth/1",
    attachment: { owner, ...beside !== undefined && { beside } },
    atMs: 0,
  } as Lease;
}

function wish(owner: Owner): AddressWish {
  return { owner, netns: "/run/netns/one", wantsEni: false };
}

/** Lends to all but one owner, who waits until nobody wants it any more. */
class Lends {
  readonly held = new Map<string, Lease>();
  readonly released: string[] = [];
  readonly without: Owner | undefined;

  constructor(before: readonly Owner[], without?: Owner) {
    this.without = without;
    for (const owner of before) this.held.set(ownerKey(owner), lease(owner));
  }

  lease(key: string): Lease | undefined {
    return this.held.get(key);
  }

  claim({ owner }: AddressWish, signal: AbortSignal): Promise<Lease> {
    if (owner === this.without) return Promise.reject(new Error("none left"));
    signal.throwIfAborted();
    const one = this.held.get(ownerKey(owner)) ?? lease(owner);
    this.held.set(one.ownerKey, one);
    return Promise.resolve(one);
  }

  release(key: string): Promise<Lease | undefined> {
    this.released.push(key);
    const one = this.held.get(key);
    this.held.delete(key);
    return Promise.resolve(one);
  }
}

const signal = AbortSignal.timeout(60_000);

Deno.test("claimAll() leases for every interface, in the order of the wishes", async () => {
  const lends = new Lends([]);
  const leases = await claimAll(lends, [ETH0, NET1].map(wish), signal);
  assertEquals(leases.map((one) => one.ownerKey), [ETH0, NET1].map(ownerKey));
});

Deno.test("claimAll() gives back what it took when one can't be had, and nothing else", async () => {
  const lends = new Lends([ETH0], NET2);
  await assertRejects(
    () => claimAll(lends, [ETH0, NET1, NET2].map(wish), signal),
    Error,
    "none left",
  );
  assertEquals(lends.released, [ownerKey(NET1)]);
  assertEquals([...lends.held.keys()], [ownerKey(ETH0)]);
});

Deno.test("besidesOf() finds what one sandbox's ADD made beside its own", () => {
  const other = { ...NET1, containerId: "two" };
  const leases = [
    lease(NET2, "eth0"),
    lease(NET1, "eth0"),
    lease(ETH0),
    lease(other, "eth0"),
    lease({ ...NET2, ifName: "net3" }),
  ];
  assertEquals(besidesOf(leases, ETH0).map(({ owner }) => owner), [NET1, NET2]);
  assertEquals(besidesOf(leases, NET1), []);
});

Deno.test("staleOf() keeps what stands beside an interface that stays", () => {
  const leases = [lease(ETH0), lease(NET1, "eth0"), lease(NET2)];
  const check = (ifname: string, gone: readonly Owner[]): void => {
    const valid = [{ containerID: "one", ifname }];
    assertEquals(staleOf(leases, { network: "terway", valid }), gone);
  };
  check("", []);
  check("eth0", [NET2]);
  check("net2", [ETH0, NET1]);
  assertEquals(staleOf(leases, { network: "other", valid: [] }), []);
  const written = { network: "terway", valid: [], writtenMs: 0 };
  assertEquals(staleOf(leases, written), [], "who came later");
});
