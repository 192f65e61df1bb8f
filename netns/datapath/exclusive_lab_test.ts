import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { applyPlan } from "../apply.ts";
import { comparePlan } from "../compare.ts";
import { dumpNamespace, type NamespaceDump } from "../dump.ts";
import { NetlinkError } from "../errno.ts";
import type { Family } from "../ip.ts";
import { openKernel } from "../kernel.ts";
import { Lab, type Room, VSWITCH } from "../lab.ts";
import { findLinkByMac, type LinkSeen, setLink } from "../link.ts";
import { removeNamespace } from "../namespace.ts";
import { TakenError } from "../places.ts";
import { removePlan } from "../remove.ts";
import { command, type Plan, type Step } from "../step.ts";
import { exclusivePlan } from "./exclusive.ts";

/** A step that the kernel always refuses. */
const IMPOSSIBLE: Step = {
  kind: "address",
  place: "host",
  link: "never",
  cidr: "10.0.0.99/32",
};

const STACKS: readonly { name: string; families: readonly Family[] }[] = [
  { name: "IPv4 only", families: [4] },
  { name: "IPv6 only", families: [6] },
  { name: "both families", families: [4, 6] },
];

/** A node with a card, down as it was plugged in, and a pod's plan for it. */
class Scene implements Disposable {
  readonly lab: Lab = new Lab();
  readonly node: Room = this.lab.node;
  readonly pod: Room = this.lab.pod();
  readonly card: LinkSeen = this.lab.eni;
  readonly plan: Plan;

  constructor(families: readonly Family[] = [4]) {
    const attachment = this.lab.exclusive(this.pod, this.card, families);
    this.plan = exclusivePlan(attachment);
  }

  apply(plan: Plan = this.plan): void {
    applyPlan(plan, this.node.routes);
  }

  compare(): string[] {
    return comparePlan(this.plan, this.node.routes).map(
      ({ step, problem, seen }) =>
        `${step.kind} ${problem}${seen === undefined ? "" : `: ${seen}`}`,
    );
  }

  dumps(): NamespaceDump[] {
    return [this.node, this.pod].map(({ routes }) => sorted(routes));
  }

  home(): LinkSeen | undefined {
    return findLinkByMac(this.node.routes, this.card.mac);
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/** A card that went away and came back may have another index. */
function sorted(routes: Room["routes"]): NamespaceDump {
  const dump = dumpNamespace(routes);
  const links = dump.links.toSorted((a, b) => a.name < b.name ? -1 : 1);
  return { ...dump, links };
}

function ip(room: Room, words: string): string {
  return room.ip(...words.split(" "));
}

for (const { name, families } of STACKS) {
  Deno.test(`an exclusive pod of ${name} reaches the gateway by the card and the node by veth1`, () => {
    using scene = new Scene(families);
    const { lab, node, pod } = scene;
    ip(lab.vpc, `address add ${VSWITCH.gateway}/24 dev vpc-eth1`);
    ip(lab.vpc, `address add ${VSWITCH.gateway6}/128 dev vpc-eth1 nodad`);
    ip(lab.vpc, "-6 route add fd00::20/128 dev vpc-eth1");
    ip(node, "address add 10.0.0.10/32 dev lo");
    ip(node, "address add fd00::10/128 dev lo nodad");
    scene.apply();
    for (const family of families) {
      const [gateway, self, nodeIp] = family === 4
        ? [VSWITCH.gateway, "10.0.0.20", "10.0.0.10"]
        : [VSWITCH.gateway6, "fd00::20", "fd00::10"];
      const ping = (room: Room, to: string): string =>
        room.run("ping", "-c", "1", "-W", "1", to);
      // The first packet waits for nobody's ARP but the gateway's.
      ping(pod, nodeIp);
      ping(node, self);
      ping(pod, gateway);
      const way = (to: string): string => ip(pod, `route get ${to}`);
      assertMatch(way(nodeIp), new RegExp(`dev veth1 src ${self} `));
      assertMatch(way(gateway), new RegExp(`dev eth0 src ${self} `));
    }
  });

  Deno.test(`an exclusive pod of ${name} is made as its commands make it`, async () => {
    using scene = new Scene(families);
    const { node, plan } = scene;
    for (const step of plan.steps) {
      node.run("sh", "-c", command(step, plan.netns));
    }
    assertEquals(scene.compare(), []);
    const byCommands = scene.dumps();
    await removePlan(plan, node.routes).done;
    scene.apply();
    assertEquals(scene.dumps(), byCommands);
  });

  Deno.test(`an exclusive pod of ${name} is undone after any step, and removed`, async () => {
    using scene = new Scene(families);
    const { plan, node } = scene;
    const before = scene.dumps();
    for (const i of plan.steps.keys()) {
      const steps = [...plan.steps.slice(0, i + 1), IMPOSSIBLE];
      assertThrows(() => scene.apply({ ...plan, steps }), NetlinkError);
      assertEquals(scene.dumps(), before);
    }
    scene.apply();
    scene.apply();
    assertEquals(scene.compare(), []);
    const { cards, done } = removePlan(plan, node.routes);
    assertEquals(cards, [scene.card.mac]);
    await done;
    assertEquals(scene.dumps(), before);
  });
}

Deno.test("an exclusive pod shows its card as an instance does", () => {
  using scene = new Scene();
  scene.apply();
  const shown = ip(scene.pod, "address show dev eth0");
  assertMatch(shown, /link\/ether 00:16:3e:00:00:01 brd ff:ff:ff:ff:ff:ff/);
  assertMatch(
    shown,
    /inet 10\.0\.0\.20\/24 brd 10\.0\.0\.255 scope global eth0\n/,
  );
  const pair = ip(scene.pod, "-4 address show dev veth1");
  assertEquals(pair, "");
  assertEquals(
    ip(scene.pod, "-4 route show").split("\n").map((line) => line.trim())
      .filter((line) => line !== "").sort(),
    [
      "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.20",
      "10.0.0.10 via 169.254.1.1 dev veth1 src 10.0.0.20",
      "169.254.1.1 dev veth1 scope link",
      "172.16.0.0/16 via 169.254.1.1 dev veth1 src 10.0.0.20 onlink",
      "default via 10.0.0.253 dev eth0 onlink",
    ],
  );
});

Deno.test("a card comes home as it was: its name, its MTU, up or down, no address", async () => {
  using scene = new Scene();
  const { node, lab, pod } = scene;
  ip(node, "link set eth1 up mtu 1400");
  ip(node, "link set eth1 name ens5");
  const before = scene.home() ?? scene.card;
  const attachment = lab.exclusive(pod, before);
  const plan = exclusivePlan({ ...attachment, mtu: 1450 });
  scene.apply(plan);
  assertEquals(scene.home(), undefined);
  await removePlan(plan, node.routes).done;
  // Its index is the kernel's to give: another link may have got the old one.
  assertEquals({ ...scene.home(), ifIndex: 0 }, { ...before, ifIndex: 0 });
  assertEquals(ip(node, "-4 address show dev ens5"), "");
});

Deno.test("a card is found by its MAC, whatever it is called by now", async () => {
  using scene = new Scene();
  ip(scene.node, "link set eth1 name ens5");
  scene.apply();
  assertEquals(scene.compare(), []);
  await removePlan(scene.plan, scene.node.routes).done;
  assertEquals(scene.home()?.name, "eth1");
});

Deno.test("a card whose name is taken comes home under another one", async () => {
  using scene = new Scene();
  const { node, plan } = scene;
  scene.apply();
  ip(node, "link add eth1 type veth peer name other0");
  await removePlan(plan, node.routes).done;
  assertMatch(scene.home()?.name ?? "", /^eth\d+$/);
  assertEquals(node.run("sh", "-c", "ip link show eth1 | wc -l").trim(), "2");
});

Deno.test("a card comes home though the pod's path and processes go meanwhile", async () => {
  using scene = new Scene();
  const { node, plan, pod, card } = scene;
  scene.apply();
  const { done } = removePlan(plan, node.routes);
  pod[Symbol.dispose]();
  await done;
  assertEquals(scene.home()?.name, card.name);
});

Deno.test("a card that came home by itself gets its name and state back", async () => {
  using scene = new Scene();
  const { node, plan, pod, card } = scene;
  scene.apply();
  removeNamespace(pod.path);
  // What the kernel does with a physical card when its namespace dies.
  const link = findLinkByMac(pod.routes, card.mac);
  const { namespace } = node;
  setLink(pod.routes, link?.ifIndex ?? 0, { namespace, name: "dev7" });
  ip(node, "link set dev7 up");
  assertEquals(scene.home()?.name, "dev7");
  await removePlan(plan, node.routes).done;
  const home = scene.home();
  assertEquals([home?.name, home?.up], ["eth1", false]);
  await removePlan(plan, node.routes).done;
  assertEquals(scene.home()?.name, "eth1");
});

Deno.test("a card that died with its pod is missed by nobody, and a new one serves", async () => {
  using scene = new Scene();
  const { lab, node, plan, pod, card } = scene;
  const before = sorted(node.routes);
  scene.apply();
  ip(node, "link delete cali73291bf21a5");
  ip(lab.vpc, "link delete vpc-eth1");
  pod[Symbol.dispose]();
  await removePlan(plan, node.routes).done;
  assertEquals(scene.home(), undefined);
  lab.attach("eth1", card.mac);
  assertEquals(sorted(node.routes), before);
  const next = lab.pod();
  const home = scene.home();
  const again = exclusivePlan(lab.exclusive(next, home ?? card));
  scene.apply(again);
  assertEquals(comparePlan(again, node.routes), []);
});

Deno.test("a card that isn't on the node is named by its MAC", () => {
  using scene = new Scene();
  ip(scene.lab.vpc, "link delete vpc-eth1");
  const before = scene.dumps();
  assertThrows(
    () => scene.apply(),
    NetlinkError,
    "ENODEV (No link of MAC 00:16:3e:00:00:01 is on the node)",
  );
  assertEquals(scene.dumps(), before);
});

Deno.test("a card doesn't take the place of a link that the pod has", () => {
  using scene = new Scene();
  ip(scene.pod, "link add eth0 type veth peer name eth9");
  const before = scene.dumps();
  assertThrows(() => scene.apply(), TakenError, "link eth0");
  assertEquals(scene.dumps(), before);
});

/** Damage by `ip` and these words, and what is named; then repaired. */
const DAMAGES = [
  {
    at: "pod",
    words: "link set eth0 down",
    named: ["link changed: eth0 is down", "route missing"],
  },
  {
    at: "pod",
    words: "link set eth0 mtu 1400",
    named: ["link changed: eth0 has mtu 1400"],
  },
  { at: "pod", words: "route delete default", named: ["route missing"] },
  {
    at: "pod",
    words: "route delete 172.16.0.0/16",
    named: ["route missing"],
  },
  {
    at: "pod",
    words: "route replace 172.16.0.0/16 via 169.254.1.1 dev veth1 onlink",
    named: [
      "route changed: ip route 172.16.0.0/16 via 169.254.1.1 dev #3 table 254",
    ],
  },
  { at: "pod", words: "route delete 10.0.0.10", named: ["route missing"] },
  {
    at: "pod",
    words: "neighbour delete 169.254.1.1 dev veth1",
    named: ["neighbour missing"],
  },
  {
    at: "node",
    words: "neighbour delete 10.0.0.20 dev cali73291bf21a5",
    named: ["neighbour missing"],
  },
  { at: "node", words: "route delete 10.0.0.20", named: ["route missing"] },
  {
    at: "node",
    words: "link delete cali73291bf21a5",
    named: [
      "veth missing",
      "conf missing",
      "sysctl missing",
      "neighbour missing",
      "neighbour missing",
      "route missing",
      "route missing",
      "route missing",
      "route missing",
    ],
  },
] as const;

for (const { at, words, named } of DAMAGES) {
  Deno.test(`an exclusive pod: \`ip ${words}\` in the ${at} is named and repaired`, () => {
    using scene = new Scene();
    scene.apply();
    ip(scene[at], words);
    const found = scene.compare().map((text) => text.replace(/#\d+/, "#3"));
    assertEquals<readonly string[]>(found, named);
    scene.apply();
    assertEquals(scene.compare(), []);
  });
}

Deno.test("an exclusive pod: a card that was taken out is named and put back", () => {
  using scene = new Scene();
  scene.apply();
  ip(scene.pod, `link set eth0 netns ${scene.node.path} name eth1`);
  const [first] = scene.compare();
  assertEquals(first, "moveLink changed: eth1 on the node");
  scene.apply();
  assertEquals(scene.compare(), []);
});

Deno.test("Kernel.remove() sends a card home aside, and who wants the card waits", async () => {
  using scene = new Scene();
  const { lab, node, plan, card } = scene;
  await using kernel = await openKernel({ netns: node.path });
  await kernel.apply(plan);
  await kernel.remove(plan);
  const next = exclusivePlan(lab.exclusive(lab.pod(), card));
  await kernel.apply(next);
  assertEquals(await kernel.compare(next), []);
  await kernel.remove(next);
  // A shared ENI's plan waits, too.
  await kernel.apply(lab.eniPlan());
  assertEquals(await kernel.compare(lab.eniPlan()), []);
  await kernel.settled();
});

Deno.test("Kernel.waitForLink() ends for a slow card as it comes, and for none at its deadline", async () => {
  using scene = new Scene();
  const { lab, node } = scene;
  await using kernel = await openKernel({ netns: node.path });
  const mac = "00:16:3e:00:00:02";
  const waiting = kernel.waitForLink(mac, AbortSignal.timeout(5_000));
  const slow = lab.attach("eth2", mac);
  assertEquals(await waiting, slow);
  await assertRejects(
    () => kernel.waitForLink("00:16:3e:00:00:03", AbortSignal.timeout(20)),
    DOMException,
  );
});
