import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PoolError } from "./error.ts";
import { type Journal, openJournal } from "./journal.ts";
import { PodCidr } from "./pod_cidr.ts";
import { on } from "./testing/rig.ts";
import { SimClock } from "./testing/sim_clock.ts";

const CIDR = "172.20.1.0/29"; // .2 to .6

function openTest(): { journal: Journal; clock: SimClock; pods: PodCidr } {
  const journal = openJournal(":memory:", { instanceId: "i-1" });
  const clock = new SimClock();
  return { journal, clock, pods: new PodCidr({ cidr: CIDR, journal, clock }) };
}

function claim(pods: PodCidr, ownerKey: string): string {
  return pods.claim({
    ownerKey,
    attach: (ip) => ({ recipe: "vpc/1", attachment: { ip } }),
  }).ip;
}

Deno.test("addresses of the pod CIDR are lent in a circle, and rest for 30 s", async () => {
  const { journal, clock, pods } = openTest();
  using _ = journal;
  assertEquals(claim(pods, "a"), "172.20.1.2");
  assertEquals(claim(pods, "b"), "172.20.1.3");
  assertEquals(
    claim(pods, "a"),
    "172.20.1.2",
    "the same owner, the same lease",
  );
  pods.release("a");
  assertEquals(pods.release("a"), undefined);
  assertEquals(
    ["c", "d", "e"].map((owner) => claim(pods, owner)),
    ["172.20.1.4", "172.20.1.5", "172.20.1.6"],
  );
  const error = assertThrows(() => claim(pods, "f"), PoolError);
  assertEquals(error.kind, "full");
  assert(error.message.includes("4 of 5 addresses"), error.message);
  assert(error.message.includes("1 rest"), error.message);
  await clock.advance(30_000);
  assertEquals(claim(pods, "f"), "172.20.1.2");
  assertEquals(pods.status(), {
    cidr: CIDR,
    capacity: 5,
    leased: 5,
    cooling: 0,
  });
});

Deno.test("leases and rests survive a restart, and no card knows of them", () =>
  on({}, async (rig) => {
    const { journal, clock } = rig;
    const before = new PodCidr({ cidr: CIDR, journal, clock });
    claim(before, "a");
    claim(before, "b");
    before.release("b");
    const card = await rig.lease("on-a-card");
    await rig.restart();
    assertEquals(rig.keeper.leases(), [card]);
    assertEquals(rig.keeper.status().enis.length, 1);

    const after = new PodCidr({ cidr: CIDR, journal, clock });
    assertEquals(after.lease("a")?.attachment, { ip: "172.20.1.2" });
    assertEquals(after.status().cooling, 1);
    assertEquals(claim(after, "c"), "172.20.1.4");
  }));

Deno.test("a pod CIDR that changed is refused while pods have the old one", () => {
  const { journal, pods } = openTest();
  using _ = journal;
  claim(pods, "a");
  const cidr = "172.20.9.0/24";
  const error = assertThrows(() => new PodCidr({ cidr, journal }), PoolError);
  assert(error.message.includes("a has 172.20.1.2"), error.message);
  pods.release("a");
  assertEquals(claim(new PodCidr({ cidr, journal }), "a"), "172.20.9.2");
});

Deno.test("what can't be journalled isn't lent, and stays lent", () => {
  const { journal, pods } = openTest();
  using _ = journal;
  claim(pods, "a");
  const { commit } = journal;
  journal.commit = () => {
    throw new PoolError("journal", "the disk is full");
  };
  assertThrows(() => claim(pods, "b"), PoolError, "full");
  assertThrows(() => pods.release("a"), PoolError, "full");
  journal.commit = commit;
  assertEquals(pods.leases().map(({ ownerKey }) => ownerKey), ["a"]);
  assertEquals(claim(pods, "b"), "172.20.1.4");
});

Deno.test("no address of the pod CIDR has two owners, whatever happens", async () => {
  const owner = fc.constantFrom("a", "b", "c", "d", "e", "f", "g");
  await fc.assert(fc.asyncProperty(
    fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("claim" as const), owner }),
        fc.record({ kind: fc.constant("release" as const), owner }),
        fc.record({ kind: fc.constant("restart" as const) }),
        fc.record({ kind: fc.constant("wait" as const) }),
      ),
      { maxLength: 60 },
    ),
    async (deeds) => {
      const { journal, clock, pods } = openTest();
      using _ = journal;
      let now = pods;
      const freedMs = new Map<string, number>();
      for (const deed of deeds) {
        if (deed.kind === "wait") await clock.advance(11_000);
        if (deed.kind === "restart") {
          now = new PodCidr({ cidr: CIDR, journal, clock });
        }
        if (deed.kind === "release") {
          const lease = now.release(deed.owner);
          if (lease !== undefined) freedMs.set(lease.ip, clock.nowMs());
        }
        if (deed.kind === "claim" && now.lease(deed.owner) === undefined) {
          try {
            const ip = claim(now, deed.owner);
            assert(clock.nowMs() - (freedMs.get(ip) ?? 0) >= 30_000, ip);
          } catch (error) {
            assert(error instanceof PoolError && error.kind === "full");
          }
        }
        const ips = now.leases().map(({ ip }) => ip);
        assertEquals(new Set(ips).size, ips.length);
        assertEquals(
          journal.load().leases.map(({ ip }) => ip).sort(),
          ips.sort(),
        );
      }
    },
  ));
});
