import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { dumpNamespace } from "./dump.ts";
import { NetlinkError } from "./errno.ts";
import {
  type Kernel,
  KernelError,
  type KernelEvent,
  openKernel,
} from "./kernel.ts";
import { Lab } from "./lab.ts";
import { deleteLink, findLinkByName } from "./link.ts";
import { NamespaceError } from "./namespace.ts";
import { TakenError } from "./places.ts";
import { probe } from "./probe.ts";

const HOST_LINK = "cali73291bf21a5";
const LATER_MAC = "00:16:3e:00:00:02";

/** Opens the kernel of a lab's node, its ENI ready. */
async function openNode(lab: Lab): Promise<Kernel> {
  const kernel = await openKernel({ netns: lab.node.path });
  await kernel.apply(lab.eniPlan());
  return kernel;
}

/** A worker that serves `open` and dies of the next request. */
const MORTAL = new URL(
  "data:application/javascript," + encodeURIComponent(`
    self.onmessage = ({ data: { id, verb } }) => {
      if (verb !== "open") throw new Error("as planned");
      self.postMessage({ id, value: undefined });
    };`),
);

Deno.test("Kernel applies, compares and removes a plan", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const pod = lab.pod();
  const plan = lab.plan(pod);
  const before = dumpNamespace(lab.node.routes);
  await kernel.apply(plan);
  assertEquals(await kernel.compare(plan), []);
  await kernel.remove(plan);
  await kernel.settled();
  assertEquals(dumpNamespace(lab.node.routes), before);
  assertEquals((await kernel.compare(plan)).length, plan.steps.length);
});

Deno.test("Kernel.apply() waits for a link of the same name that is dying", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const plan = lab.plan(lab.pod());
  for (let i = 0; i < 3; i++) {
    await kernel.apply(plan);
    await kernel.remove(plan);
  }
  await kernel.apply(plan);
  assertEquals(await kernel.compare(plan), []);
});

Deno.test("Kernel.remove() holds no other request up", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const plans = Array.from({ length: 8 }, (_, i) => lab.plan(lab.pod(), i));
  for (const plan of plans) await kernel.apply(plan);
  await Promise.all(plans.map((plan) => kernel.remove(plan)));
  const dying = kernel.settled().then(() => "settled");
  const other = kernel.apply(lab.plan(lab.pod(), 9)).then(() => "applied");
  assertEquals(await Promise.race([dying, other]), "applied");
  await Promise.all([dying, other]);
});

Deno.test("Kernel serves requests in the order of their arrival", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const plan = lab.plan(lab.pod());
  const applied = kernel.apply(plan);
  const differences = kernel.compare(plan);
  const removed = kernel.remove(plan);
  const reapplied = kernel.apply(plan);
  await Promise.all([applied, removed, reapplied]);
  assertEquals([await differences, await kernel.compare(plan)], [[], []]);
});

Deno.test("Kernel gives errors their class and fields", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const pod = lab.pod();
  const plan = lab.plan(pod);
  const gone = await assertRejects(
    () => kernel.apply({ ...plan, netns: "/run/netns/never" }),
    NamespaceError,
  );
  assertEquals([gone.problem, gone.path], ["missing", "/run/netns/never"]);
  pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth9");
  const taken = await assertRejects(() => kernel.apply(plan), TakenError);
  assertEquals(taken.object, "link eth0");
  const [, ...steps] = plan.steps;
  const refused = await assertRejects(
    () => kernel.apply({ ...plan, steps }),
    NetlinkError,
  );
  assertEquals(refused.errno, "ENODEV");
  assertInstanceOf(refused.cause, NetlinkError);
});

Deno.test("Kernel.checkNamespace() gives the inode, or says what is wrong", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const pod = lab.pod();
  const { inode } = await kernel.checkNamespace(pod.path);
  assertEquals(inode, pod.namespace.inode);
  const error = await assertRejects(
    () => kernel.checkNamespace("/proc/self/ns/net"),
    NamespaceError,
  );
  assertEquals(error.problem, "own");
});

Deno.test("Kernel.findLink() and links() show the node's links", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  assertEquals(await kernel.findLink(lab.eni.mac), lab.eni);
  assertEquals(await kernel.findLink(LATER_MAC), undefined);
  const names = (await kernel.links()).map(({ name }) => name);
  assertEquals(names, ["lo", "eth1"]);
});

Deno.test("Kernel.waitForLink() gives a link that is there, and one that comes", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const { signal } = new AbortController();
  assertEquals(await kernel.waitForLink(lab.eni.mac, signal), lab.eni);
  const waiting = kernel.waitForLink(LATER_MAC, signal);
  await kernel.links(); // it has looked, and found nothing
  const link = lab.attach("eth2", LATER_MAC);
  assertEquals(await waiting, link);
});

Deno.test("Kernel.waitForLink() rejects with the signal's reason", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const abort = new AbortController();
  const waiting = kernel.waitForLink(LATER_MAC, abort.signal);
  abort.abort(new RangeError("enough"));
  await assertRejects(() => waiting, RangeError, "enough");
  await assertRejects(
    () => kernel.waitForLink(LATER_MAC, abort.signal),
    RangeError,
    "enough",
  );
});

Deno.test("Kernel.onEvent() tells what somebody else does on the node", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const plan = lab.plan(lab.pod());
  await kernel.apply(plan);
  const { promise, resolve } = Promise.withResolvers<KernelEvent>();
  using _listening = kernel.onEvent((event) => {
    if (event.kind === "rule" && event.action === "deleted") resolve(event);
  });
  lab.node.ip("rule", "delete", "priority", "2048");
  const event = await promise;
  assertEquals(event, {
    kind: "rule",
    action: "deleted",
    rule: { priority: 2048, from: "10.0.0.20/32", table: 1002, family: 4 },
  });
});

Deno.test("Kernel.onEvent() ends with its disposal", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  let eventCount = 0;
  kernel.onEvent(() => eventCount++)[Symbol.dispose]();
  deleteLink(lab.node.routes, lab.eni.ifIndex);
  await kernel.links();
  assertEquals(eventCount, 0);
});

Deno.test("Kernel finishes a deletion before it closes, and refuses afterwards", async () => {
  using lab = new Lab();
  const kernel = await openNode(lab);
  const plan = lab.plan(lab.pod());
  await kernel.apply(plan);
  await kernel.remove(plan);
  await kernel[Symbol.asyncDispose]();
  assertEquals(findLinkByName(lab.node.routes, HOST_LINK), undefined);
  await assertRejects(() => kernel.links(), KernelError, "closed");
  await kernel[Symbol.asyncDispose]();
});

Deno.test("Kernel rejects whatever is asked when its thread dies", async () => {
  await using kernel = await openKernel({ workerUrl: MORTAL });
  const error = await assertRejects(() => kernel.links(), KernelError);
  assert(error.message.includes("as planned"), error.message);
  await assertRejects(() => kernel.settled(), KernelError, "as planned");
});

Deno.test("openKernel() says why a node's namespace or a worker can't be used", async () => {
  await assertRejects(
    () => openKernel({ netns: "/run/netns/never" }),
    NamespaceError,
    "does not exist",
  );
  await assertRejects(
    () => openKernel({ workerUrl: new URL("./never.ts", import.meta.url) }),
    KernelError,
  );
});

Deno.test("Kernel.compareAll() gives each plan's differences, in their order", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const pods = Array.from({ length: 45 }, () => lab.pod());
  const plans = pods.map((pod, i) => lab.plan(pod, i));
  for (const plan of plans) await kernel.apply(plan);
  const all = [lab.eniPlan(), ...plans];
  assertEquals((await kernel.compareAll(all)).flat(), []);
  lab.node.ip("rule", "delete", "priority", "512", "to", "10.0.0.22");
  lab.node.run("sysctl", "-q", `net.ipv4.conf.${HOST_LINK}.rp_filter=2`);
  pods[40]?.ip("route", "delete", "default");
  const found = await kernel.compareAll(all);
  const named = found.map((differences) =>
    differences.map(({ step, problem }) => `${step.kind} ${problem}`).join()
  );
  assertEquals(
    [...named.entries()].filter(([, text]) => text !== ""),
    [[1, "conf changed"], [3, "rule missing"], [41, "route missing"]],
  );
});

Deno.test("Kernel.speakersFor() names who stands in the way of an address", async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  const plan = lab.plan(lab.pod());
  const ips = ["10.0.0.20", "10.0.0.21"];
  await kernel.apply(plan);
  const by = async (): Promise<string[]> =>
    (await kernel.speakersFor(ips)).map(({ ip, by }) => `${ip} ${by}`);
  assertEquals(
    new Set(await by()),
    new Set(["rule", "route", "pod"].map((by) => `10.0.0.20 ${by}`)),
  );
  await kernel.remove(plan);
  await kernel.settled();
  assertEquals(await by(), []);
});

const { conntrack } = probe();
const why = conntrack.can ? "" : ` (skipped: ${conntrack.reason})`;

Deno.test(`Kernel.forgetFlows() counts the flows that it deleted${why}`, {
  ignore: !conntrack.can,
}, async () => {
  using lab = new Lab();
  await using kernel = await openNode(lab);
  assertEquals(await kernel.forgetFlows(["10.0.0.20", "fd00::20"]), 0);
});
