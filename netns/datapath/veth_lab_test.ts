import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { applyPlan } from "../apply.ts";
import { comparePlan } from "../compare.ts";
import { dumpNamespace, type NamespaceDump } from "../dump.ts";
import { NetlinkError } from "../errno.ts";
import type { Family } from "../ip.ts";
import { Lab, type Room, VSWITCH } from "../lab.ts";
import { removePlan } from "../remove.ts";
import { command, type Plan, type Step } from "../step.ts";
import { readSysctl, writeSysctl } from "../sysctl.ts";
import { podPlan } from "./veth.ts";

const FORWARDING = "net/ipv6/conf/all/forwarding";

/** A step that the kernel always refuses. */
const IMPOSSIBLE: Step = {
  kind: "address",
  place: "host",
  link: "never",
  cidr: "10.0.0.99/32",
};

const STACKS: readonly { name: string; families: readonly Family[] }[] = [
  { name: "IPv6 only", families: [6] },
  { name: "both families", families: [4, 6] },
];

/** A node whose ENI is ready for some families, a pod, and its plan. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly node: Room = this.lab.node;
  readonly pod: Room = this.lab.pod();
  readonly plan: Plan;

  constructor(families: readonly Family[]) {
    applyPlan(this.lab.eniPlan(undefined, families), this.node.routes);
    this.plan = this.lab.plan(this.pod, 0, families);
  }

  dumps(): NamespaceDump[] {
    return [this.node, this.pod].map(({ routes }) => dumpNamespace(routes));
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

function ip(room: Room, words: string): void {
  room.ip(...words.split(" "));
}

for (const { name, families } of STACKS) {
  Deno.test(`a veth pod of ${name} reaches the gateway and its neighbour at once`, () => {
    using scene = new Scene(families);
    const { lab, pod, node } = scene;
    const other = lab.plan(lab.pod(), 1, families);
    ip(lab.vpc, "address add 10.0.0.253/32 dev lo");
    ip(lab.vpc, "route add 10.0.0.0/24 dev vpc-eth1");
    ip(lab.vpc, `address add ${VSWITCH.gateway6}/128 dev vpc-eth1 nodad`);
    ip(lab.vpc, "-6 route add fd00::/64 dev vpc-eth1");
    for (const address of ["10.0.0.20", "fd00::20"]) {
      const neighbour = `${address} lladdr ${lab.eni.mac} dev vpc-eth1`;
      ip(lab.vpc, `neighbour add ${neighbour} nud permanent`);
    }
    applyPlan(scene.plan, node.routes);
    applyPlan(other, node.routes);
    const targets = families.flatMap((family) =>
      family === 4
        ? [VSWITCH.gateway, "10.0.0.21"]
        : [VSWITCH.gateway6, "fd00::21"]
    );
    for (const target of targets) {
      const said = pod.run("ping", "-c", "1", "-W", "1", target);
      assertStringIncludes(said, " 0% packet loss");
    }
  });

  Deno.test(`a veth pod of ${name} is made as its commands make it`, () => {
    using scene = new Scene(families);
    const { node, plan } = scene;
    for (const step of plan.steps) {
      node.run("sh", "-c", command(step, plan.netns));
    }
    assertEquals(comparePlan(plan, node.routes), []);
    const byCommands = scene.dumps();
    ip(node, "link delete cali73291bf21a5");
    applyPlan(plan, node.routes);
    assertEquals(scene.dumps(), byCommands);
  });

  Deno.test(`a veth pod of ${name} is undone after any step, and removed`, async () => {
    using scene = new Scene(families);
    const { plan } = scene;
    const host = scene.node.routes;
    const before = scene.dumps();
    for (const i of plan.steps.keys()) {
      const steps = [...plan.steps.slice(0, i + 1), IMPOSSIBLE];
      assertThrows(() => applyPlan({ ...plan, steps }, host), NetlinkError);
      assertEquals(scene.dumps(), before);
    }
    applyPlan(plan, host);
    applyPlan(plan, host);
    assertEquals(comparePlan(plan, host), []);
    await removePlan(plan, host).done;
    assertEquals(scene.dumps(), before);
  });
}

Deno.test("eniPlan() switches IPv6 forwarding on, says so, and leaves it on", () => {
  using lab = new Lab();
  const { node } = lab;
  const plan = lab.eniPlan(undefined, [4, 6]);
  const steps = [...plan.steps, IMPOSSIBLE];
  assertThrows(() => applyPlan({ steps }, node.routes), NetlinkError);
  assertEquals(readSysctl(FORWARDING, node.namespace), "1");
  writeSysctl({ key: FORWARDING, value: "0" }, node.namespace);
  assertEquals(applyPlan(plan, node.routes), [
    { key: FORWARDING, was: "0", now: "1" },
  ]);
  assertEquals(applyPlan(plan, node.routes), []);
});

Deno.test("a veth pod has IPv6 where its namespace has it switched off", () => {
  using scene = new Scene([6]);
  const { node, pod, plan } = scene;
  for (const [room, link] of [[node, "default"], [pod, "all"]] as const) {
    const key = `net/ipv6/conf/${link}/disable_ipv6`;
    writeSysctl({ key, value: "1" }, room.namespace);
  }
  applyPlan(plan, node.routes);
  assertEquals(comparePlan(plan, node.routes), []);
  pod.run("ping", "-c", "1", "-W", "1", "::1");
});

/** Damage by `words` in a room, and what is named: `kind problem`. */
const DAMAGES = [
  { at: "pod", words: "-6 route delete default", named: ["route missing"] },
  {
    at: "pod",
    words: "neighbour delete fe80::1 dev eth0",
    named: ["neighbour missing"],
  },
  {
    at: "pod",
    words: "address delete fd00::20/128 dev eth0",
    named: ["address missing"],
  },
  {
    at: "node",
    words: "-6 route delete fd00::20/128",
    named: ["route missing"],
  },
  {
    at: "node",
    words: "-6 rule delete priority 512 to fd00::20",
    named: ["rule missing"],
  },
  {
    at: "node",
    words: "-6 rule delete priority 2048 from fd00::20",
    named: ["rule missing"],
  },
  {
    at: "node",
    words: "neighbour delete fd00::20 dev cali73291bf21a5",
    named: ["neighbour missing"],
  },
] as const;

for (const { at, words, named } of DAMAGES) {
  Deno.test(`IPv6: \`ip ${words}\` in the ${at} is named and repaired`, () => {
    using scene = new Scene([4, 6]);
    const { plan } = scene;
    const host = scene.node.routes;
    applyPlan(plan, host);
    ip(scene[at], words);
    const found = comparePlan(plan, host).map(({ step, problem }) =>
      `${step.kind} ${problem}`
    );
    assertEquals<readonly string[]>(found, named);
    applyPlan(plan, host);
    assertEquals(comparePlan(plan, host), []);
  });
}

Deno.test("IPv6: a setting that was changed is named and repaired", () => {
  using scene = new Scene([4, 6]);
  const { plan, pod } = scene;
  const host = scene.node.routes;
  applyPlan(plan, host);
  const key = "net/ipv6/conf/eth0/accept_ra";
  writeSysctl({ key, value: "2" }, pod.namespace);
  assertEquals(
    comparePlan(plan, host).map(({ object, seen }) => [object, seen]),
    [[`nsenter --net=${pod.path} sysctl ${key}=0`, `${key}=2`]],
  );
  applyPlan(plan, host);
  assertEquals(comparePlan(plan, host), []);
});

Deno.test("two interfaces of a pod answer each by its own way", async () => {
  using lab = new Lab();
  const { node } = lab;
  const pod = lab.pod();
  applyPlan(lab.eniPlan(undefined, [4, 6]), node.routes);
  const before = [node, pod].map(({ routes }) => dumpNamespace(routes));
  const first = lab.plan(pod, 0, [4, 6]);
  const second = lab.attachment(pod, 1, [4, 6]);
  const secondPlan = podPlan({
    ...second,
    owner: { ...second.owner, ifName: "net1" },
    podTable: 1001,
    extraRoutes: ["192.168.7.0/24", "fd07::/64"],
  }, lab.eni);
  const plans = [first, secondPlan];
  for (const plan of plans) applyPlan(plan, node.routes);
  for (const plan of plans) applyPlan(plan, node.routes);
  for (const plan of plans) {
    assertEquals(comparePlan(plan, node.routes), []);
  }
  const way = (words: string): string =>
    /dev (\w+)/.exec(pod.ip(...`route get ${words}`.split(" ")))?.[1] ?? "";
  assertEquals(way("8.8.8.8"), "eth0");
  assertEquals(way("8.8.8.8 from 10.0.0.20"), "eth0");
  assertEquals(way("8.8.8.8 from 10.0.0.21"), "net1");
  assertEquals(way("8.8.8.8 oif net1"), "net1");
  assertEquals(way("192.168.7.7"), "net1");
  assertEquals(way("2001:db8::1"), "eth0");
  assertEquals(way("2001:db8::1 from fd00::21"), "net1");
  assertEquals(way("2001:db8::1 oif net1"), "net1");
  assertEquals(way("fd07::7"), "net1");
  await removePlan(secondPlan, node.routes).done;
  assertEquals(comparePlan(first, node.routes), []);
  await removePlan(first, node.routes).done;
  assertEquals(
    [node, pod].map(({ routes }) => dumpNamespace(routes)),
    before,
  );
});

Deno.test("what the node's own stack serves goes by its main table", () => {
  using lab = new Lab();
  const { node } = lab;
  applyPlan(lab.eniPlan(), node.routes);
  const hostStackCidrs = ["169.254.20.10/32", "fd00:20::10/128"];
  const attachment = { ...lab.attachment(lab.pod()), hostStackCidrs };
  const plan = podPlan(attachment, lab.eni);
  applyPlan(plan, node.routes);
  ip(node, "link add dns0 up type veth peer name dns1");
  ip(node, "link set dns1 up");
  ip(node, "route add 169.254.20.0/24 dev dns0");
  const way = (to: string): string => {
    const words = `route get ${to} from 10.0.0.20 iif cali73291bf21a5`;
    return /dev (\w+)/.exec(node.ip(...words.split(" ")))?.[1] ?? "";
  };
  assertEquals(way("169.254.20.10"), "dns0");
  assertEquals(way("169.254.20.11"), "eth1");
  assertEquals(comparePlan(plan, node.routes), []);
});
