/**
 * ENIs that come in their own time: real links, and nobody waits for another.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { applyPlan } from "../../netns/apply.ts";
import { exclusivePlan } from "../../netns/datapath/exclusive.ts";
import { openKernel } from "../../netns/kernel.ts";
import { Lab, VSWITCH } from "../../netns/lab.ts";
import type { HostEni } from "../../pool/contract.ts";
import { NodeEnis } from "./enis.ts";

const NODE_IP = "10.0.0.10";

function eniOf(number: number): HostEni {
  return {
    id: `eni-${number}`,
    mac: `00:16:3e:00:00:0${number}`,
    primaryIp: `10.0.0.20${number}`,
    vSwitchId: "vsw-1",
    zone: "a",
    subnet: VSWITCH.subnet,
  };
}

Deno.test("NodeEnis.prepare() waits for a slow link, and no other ENI waits with it", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const enis = new NodeEnis({ kernel, nodeIp: NODE_IP });
  const ready: string[] = [];
  using _ears = enis.onReady((id) => ready.push(id));
  const signal = AbortSignal.timeout(20_000);
  const slow = enis.prepare(eniOf(7), signal);
  await enis.prepare(eniOf(1), signal);
  assertEquals([ready, enis.ids()], [["eni-1"], ["eni-1"]]);
  assertEquals(enis.attached("eni-7"), undefined);

  const { ifIndex } = lab.attach("eth7", eniOf(7).mac);
  await slow;
  assertEquals(ready, ["eni-1", "eni-7"]);
  assertEquals(enis.link("eni-7")?.ifIndex, ifIndex);
  assertEquals(enis.idOf(ifIndex), "eni-7");
  assertEquals(enis.mtu("eni-7"), 1500);
  const plan = enis.plan("eni-7");
  assert(plan !== undefined);
  assertEquals(await kernel.compare(plan), []);
});

Deno.test("NodeEnis.prepare() gives up at its deadline, and may be asked again", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const enis = new NodeEnis({ kernel, nodeIp: NODE_IP });
  const why = new Error("the deadline");
  const deadline = new AbortController();
  const waiting = enis.prepare(eniOf(7), deadline.signal);
  deadline.abort(why);
  await assertRejects(() => waiting, Error, "the deadline");
  assertEquals(enis.ids(), []);
  lab.attach("eth7", eniOf(7).mac);
  await enis.prepare(eniOf(7), AbortSignal.timeout(20_000));
  assertEquals(enis.ids(), ["eni-7"]);
});

Deno.test("NodeEnis.prepare() finds a card whose record was lost in the pod that has it", async () => {
  using lab = new Lab();
  await using kernel = await openKernel({ netns: lab.node.path });
  const hostPeer = { nodeIps: [NODE_IP], serviceCidrs: [] };
  const exclusive = { hostPeer, holderOf: () => undefined };
  const enis = new NodeEnis({ kernel, nodeIp: NODE_IP, exclusive });
  const { mac, name, mtu } = lab.eni;
  const pod = lab.pod();
  applyPlan(exclusivePlan(lab.exclusive(pod, lab.eni)), lab.node.routes);
  const eni = { ...eniOf(1), mac };
  await enis.prepare(eni, AbortSignal.timeout(20_000));
  assertEquals(enis.attached(eni.id)?.mac, mac);
  assertEquals(enis.mtu(eni.id), mtu);
  const names = (await kernel.links()).map((link) => link.name);
  const home = enis.whole(eni.id)?.card.name ?? "";
  assert(/^eth[0-9]$/.test(home) && !names.includes(home), `${home}, ${name}`);
});
