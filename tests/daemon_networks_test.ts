/**
 * Several interfaces that one ADD makes, as a pod's annotation lists them, by a
 * real daemon.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  Caller,
  CONF,
  dumpOf,
  loseJournal,
  NOBODY,
  type Sandbox,
  sandboxOn,
} from "./daemon/harness.ts";
import { ping, runIn } from "./fabric/inside.ts";
import { openStage, type Stage, type StageOptions } from "./stage/stage.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

/** The cloud tells its ENIs, then every ten seconds pods are looked for. */
const RECOVERED_WITHIN_MS = 60_000;

interface Result {
  interfaces: { name: string; mac: string; sandbox?: string }[];
  ips: { address: string; interface: number }[];
  routes: { dst: string; table?: number }[];
}

/** The configuration as containerd hands it over with a pod's annotations. */
function confOf(podNetworks: unknown): Record<string, unknown> {
  const annotations = {
    "k8s.aliyun.com/pod-networks": JSON.stringify({ podNetworks }),
  };
  return {
    ...CONF,
    cniVersion: "1.1.0",
    runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations },
  };
}

const TWO = confOf([
  { interface: "eth0" },
  { interface: "net1", extraRoutes: [{ dst: "192.168.9.0/24" }] },
]);

/** The pod's addresses by the interface that a result says they are of. */
function addressesIn(document: string): Record<string, string> {
  const { interfaces, ips }: Result = JSON.parse(document);
  return Object.fromEntries(ips.map(({ address, interface: at }) => {
    const { name = "", sandbox } = interfaces[at] ?? {};
    assert(sandbox !== undefined, name);
    return [name, address.replace(/\/.*/, "")];
  }));
}

/** Packets on each interface, both ways. */
async function assertReached(
  pod: Sandbox,
  far: { readonly netns: string; readonly ip: string },
  addresses: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [link, ip] of Object.entries(addresses)) {
    assertEquals(await ping(pod.netns, far.ip, ["-I", ip]), 3, link);
    assertEquals(await ping(far.netns, ip), 3, `to ${link}`);
    const { stdout } = await runIn(pod.netns, [
      ...["ip", "route", "get", far.ip, "from", ip],
    ]);
    assertStringIncludes(stdout, `dev ${link} `);
  }
}

function linksOf({ netns }: Sandbox): readonly string[] {
  return dumpOf(netns).links.map(({ name }) => name).sort();
}

/** What pods have on the node. */
function leftOf(caller: Caller): readonly string[] {
  const { links, rules } = caller.kernel();
  return [
    ...links.map(({ name }) => name).filter((name) => name.startsWith("cali")),
    ...rules.filter(({ priority }) => [512, 2048].includes(priority))
      .map(({ from = "", to = "" }) => `${from} ${to}`),
  ];
}

async function openNodes(flags: Partial<StageOptions> = {}) {
  const stage = await openStage({ nodeCount: 2, zoneCount: 1, ...flags });
  return { stage, one: new Caller(stage), two: new Caller(stage, "n2") };
}

async function addFar(
  stage: Stage,
  caller: Caller,
): Promise<{ pod: Sandbox; netns: string; ip: string }> {
  const pod = sandboxOn(stage, "far");
  const { eth0 = "" } = addressesIn(await caller.ok("ADD", pod.env));
  return { pod, netns: pod.netns, ip: eth0 };
}

Deno.test(
  "one ADD makes all interfaces that a pod lists, and one DEL ends them",
  lab,
  async () => {
    const { stage, one, two } = await openNodes();
    await using _stage = stage;
    using pod = sandboxOn(stage, "two");
    const far = await addFar(stage, two);
    using _far = far.pod;
    const first = await one.ok("ADD", pod.env, TWO);
    const { interfaces, routes }: Result = JSON.parse(first);
    assertEquals(
      interfaces.flatMap(({ name, sandbox }) => sandbox ? [name] : []),
      ["eth0", "net1"],
    );
    assertEquals(
      routes.map(({ dst, table }) => `${dst} ${table}`),
      ["0.0.0.0/0 254", "0.0.0.0/0 1001", "192.168.9.0/24 254"],
    );
    const addresses = addressesIn(first);
    assertEquals((await one.leases()).length, 2);
    await assertReached(pod, far, addresses);
    const { stdout } = await runIn(pod.netns, ["ip", "route", "show"]);
    assertStringIncludes(
      stdout,
      "192.168.9.0/24 via 169.254.1.1 dev net1 onlink",
    );

    const prevResult = JSON.parse(first);
    const { runtimeConfig: _, ...later } = TWO;
    await one.ok("CHECK", pod.env, { ...later, prevResult });
    assertEquals(await one.ok("ADD", pod.env, TWO), first, "twice is once");
    assertEquals(await one.ok("ADD", pod.env, later), first, "unlisted too");

    await stage.killDaemon("n1");
    await stage.restartDaemon("n1");
    await one.until(async () =>
      (await one.call("CHECK", pod.env, { ...later, prevResult })).status === 0
    );
    const way = ["ip", "route", "del", addresses["net1"] ?? ""];
    assert((await runIn(one.node.netns, way)).success);
    await one.until(async () =>
      (await one.call("CHECK", pod.env)).status === 0
    );
    await assertReached(pod, far, addresses);

    // A runtime names the first alone: the other isn't garbage.
    const containerID = pod.env["CNI_CONTAINERID"] ?? "";
    const valid = [{ containerID, ifname: "eth0" }];
    await one.ok("GC", {}, { ...NOBODY, "cni.dev/valid-attachments": valid });
    await one.ok("CHECK", pod.env, later);

    await loseJournal(stage, one);
    await one.until(
      async () => (await one.leases()).length === 2,
      RECOVERED_WITHIN_MS,
    );
    await one.ok("CHECK", pod.env, { ...later, prevResult });
    await one.ok("DEL", pod.env, later);
    assertEquals([linksOf(pod), await one.leases()], [["lo"], []]);
    await one.until(() => leftOf(one).length === 0);
    await two.ok("DEL", far.pod.env);
    await stage.drain();
  },
);

Deno.test(
  "the interface that a pod marks has its default route",
  lab,
  async () => {
    const { stage, one, two } = await openNodes();
    await using _stage = stage;
    using pod = sandboxOn(stage, "marked");
    const far = await addFar(stage, two);
    using _far = far.pod;
    const conf = confOf([
      { interface: "eth0" },
      { interface: "net1", defaultRoute: true },
      { interface: "net2" },
    ]);
    const addresses = addressesIn(await one.ok("ADD", pod.env, conf));
    assertEquals(Object.keys(addresses), ["eth0", "net1", "net2"]);
    const { stdout } = await runIn(pod.netns, ["ip", "route", "get", far.ip]);
    assertStringIncludes(stdout, "dev net1 ");
    await assertReached(pod, far, addresses);
    await one.ok("GC", {}, NOBODY);
    assertEquals([linksOf(pod), await one.leases()], [["lo"], []]);
    await two.ok("DEL", far.pod.env);
    await stage.drain();
  },
);

Deno.test(
  "what stands in one interface's way leaves none of them behind",
  lab,
  async () => {
    const { stage, one } = await openNodes();
    await using _stage = stage;
    using pod = sandboxOn(stage, "taken");
    const link = ["ip", "link", "add", "net1", "type", "veth", "peer", "own"];
    assert((await runIn(pod.netns, link)).success);
    await one.refused("ADD", pod.env, {
      code: 102,
      includes: ["link net1", "taken"],
    }, TWO);
    assertEquals(await one.leases(), []);
    assertEquals(linksOf(pod), ["lo", "net1", "own"]);
    await one.until(() => leftOf(one).length === 0);

    await one.refused(
      "ADD",
      pod.env,
      {
        code: 7,
        includes: [
          "k8s.aliyun.com/pod-networks: podNetworks[1].vSwitchOptions: must be " +
          "absent: interfaces of this node's pool have the vSwitches",
          'it is ["vsw-1"]',
        ],
      },
      confOf([
        { interface: "eth0" },
        { interface: "net1", vSwitchOptions: ["vsw-1"] },
      ]),
    );
    await one.ok("DEL", pod.env);
    await stage.drain();
  },
);

Deno.test(
  "each interface that a pod lists has a card of its own where pods have cards",
  lab,
  async () => {
    const { stage, one, two } = await openNodes({
      daemonFlags: ["--daemon-mode", "ENIOnly"],
      config: { "max_pool_size": 2 },
    });
    await using _stage = stage;
    using pod = sandboxOn(stage, "cards");
    const far = await addFar(stage, two);
    using _far = far.pod;
    const document = await one.ok("ADD", pod.env, TWO);
    const { interfaces }: Result = JSON.parse(document);
    const macs = interfaces.filter(({ name, sandbox }) =>
      sandbox !== undefined && name !== "veth1"
    ).map(({ mac }) => mac);
    const cards = stage.region.cloud.dump().enis.map(({ mac }) => mac);
    assertEquals(macs.length, 2);
    for (const mac of macs) assert(cards.includes(mac), mac);
    await assertReached(pod, far, addressesIn(document));
    const kept = { ...CONF, prevResult: JSON.parse(document) };
    await one.ok("CHECK", pod.env, kept);

    // The second has no pair on the node: its alias tells whose it is.
    const inPod = dumpOf(pod.netns);
    await loseJournal(stage, one);
    await one.until(
      async () => (await one.leases()).length === 2,
      RECOVERED_WITHIN_MS,
    );
    assertEquals(dumpOf(pod.netns), inPod, "the pod wasn't touched");
    await one.ok("CHECK", pod.env, kept);
    assertEquals(await one.ok("ADD", pod.env, TWO), document);
    await assertReached(pod, far, addressesIn(document));
    await one.ok("DEL", pod.env);
    assertEquals([linksOf(pod), await one.leases()], [["lo"], []]);
    const home = () =>
      one.kernel().links.filter(({ mac }) => macs.includes(mac));
    await one.until(() => home().length === 2);
    assertEquals(home().map(({ alias }) => alias), [undefined, undefined]);
    await two.ok("DEL", far.pod.env);
    await stage.drain();
  },
);
