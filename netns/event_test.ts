import { assert, assertEquals, assertGreater } from "@std/assert";
import { addAddress } from "./address.ts";
import { EventStream, type KernelEvent } from "./event.ts";
import { livingObjectCount } from "./ffi.ts";
import { Lab, testWhere } from "./lab.ts";
import { deleteLink, setLink } from "./link.ts";
import { probe } from "./probe.ts";
import { tbfSizes } from "./bandwidth.ts";
import { deleteRootQdisc, setTbf } from "./qdisc.ts";
import { addRoute, deleteRoute } from "./route.ts";
import { addRule, deleteRule } from "./rule.ts";

const RULE = { priority: 512, to: "10.0.0.20/32", table: 254 } as const;

/** Reads events one by one. */
class Reader {
  readonly #stream: EventStream;
  #events: readonly KernelEvent[] = [];

  constructor(stream: EventStream) {
    this.#stream = stream;
  }

  /** Reads until one of a kind and action comes. */
  async find(
    kind: KernelEvent["kind"],
    action?: "new" | "deleted",
  ): Promise<KernelEvent> {
    while (true) {
      const [event, ...rest] = this.#events;
      this.#events = event === undefined
        ? await this.#stream.next() ?? []
        : rest;
      if (event?.kind !== kind) continue;
      if (event.kind === "lost" || event.action === action) return event;
    }
  }
}

Deno.test("EventStream tells of links, addresses, routes and rules, new and deleted", async () => {
  using lab = new Lab();
  const { routes, namespace } = lab.node;
  const { ifIndex } = lab.eni;
  await using stream = new EventStream(namespace);
  const reader = new Reader(stream);

  setLink(routes, ifIndex, { up: true, mtu: 1400 });
  assertEquals(await reader.find("link", "new"), {
    kind: "link",
    action: "new",
    link: { ...lab.eni, mtu: 1400 },
  });

  addAddress(routes, { ifIndex, cidr: "10.0.0.10/32" });
  assertEquals(await reader.find("address", "new"), {
    kind: "address",
    action: "new",
    address: { ifIndex, cidr: "10.0.0.10/32", scope: 0 },
  });

  const route = { ifIndex, destination: "10.0.0.20/32", table: 254 };
  addRoute(routes, route);
  deleteRoute(routes, route);
  for (const action of ["new", "deleted"] as const) {
    assertEquals(await reader.find("route", action), {
      kind: "route",
      action,
      route: { ...route, metric: 0, type: 1, scope: 253, protocol: 3 },
    });
  }

  addRule(routes, RULE);
  deleteRule(routes, RULE);
  for (const action of ["new", "deleted"] as const) {
    const event = await reader.find("rule", action);
    assertEquals(event, { kind: "rule", action, rule: { ...RULE, family: 4 } });
  }

  deleteLink(routes, ifIndex);
  const event = await reader.find("link", "deleted");
  assertEquals(event.kind === "link" && event.link.mac, lab.eni.mac);
});

testWhere({
  needs: [probe().tbf],
  name: "EventStream tells of what a link sends through, set and taken away",
  fn: async () => {
    using lab = new Lab();
    const { routes, namespace } = lab.node;
    const { ifIndex } = lab.eni;
    await using stream = new EventStream(namespace);
    const reader = new Reader(stream);
    setTbf(routes, ifIndex, tbfSizes(1e6, { mtu: 1500 }));
    deleteRootQdisc(routes, ifIndex);
    for (const action of ["new", "deleted"] as const) {
      assertEquals(await reader.find("qdisc", action), {
        kind: "qdisc",
        action,
        ifIndex,
      });
    }
  },
});

Deno.test("EventStream says that changes were lost, and goes on", async () => {
  using lab = new Lab();
  const { routes, namespace } = lab.node;
  const QUEUE_BYTES = 4096;
  await using stream = new EventStream(namespace, QUEUE_BYTES);
  const reader = new Reader(stream);
  for (let i = 0; i < 50; i++) {
    addRule(routes, RULE);
    deleteRule(routes, RULE);
  }
  assertEquals(await reader.find("lost"), { kind: "lost" });
  addRule(routes, RULE);
  assertEquals((await reader.find("rule", "new")).kind, "rule");
});

Deno.test("EventStream holds back what comes while nobody reads", async () => {
  using lab = new Lab();
  const { routes, namespace } = lab.node;
  await using stream = new EventStream(namespace);
  const ROUND_COUNT = 1_000;
  for (let i = 0; i < ROUND_COUNT; i++) {
    addRule(routes, RULE);
    deleteRule(routes, RULE);
  }
  let eventCount = 0;
  while (eventCount < 2 * ROUND_COUNT) {
    const batch = await stream.next() ?? [];
    assert(batch.every(({ kind }) => kind === "rule"));
    eventCount += batch.length;
  }
  assertEquals(eventCount, 2 * ROUND_COUNT);
});

Deno.test("EventStream ends its waiting at once when it is closed, and frees all", async () => {
  using lab = new Lab();
  const before = livingObjectCount();
  const stream = new EventStream(lab.node.namespace);
  assertGreater(livingObjectCount(), before);
  const waiting = stream.next();
  await stream[Symbol.asyncDispose]();
  assertEquals(await waiting, undefined);
  assertEquals(await stream.next(), undefined);
  await stream[Symbol.asyncDispose]();
  assertEquals(livingObjectCount(), before);
});
