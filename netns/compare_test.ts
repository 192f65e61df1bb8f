import { assertEquals, assertStringIncludes } from "@std/assert";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { Lab } from "./lab.ts";
import { removeNamespace } from "./namespace.ts";
import type { Difference, Plan } from "./step.ts";

const HOST_LINK = "cali73291bf21a5";

/** What is damaged by `ip`, and what is named afterwards. */
interface Damage {
  /** In the node or the pod, `ip` and these words. */
  readonly at: "node" | "pod";
  readonly words: string;
  /** As `kind problem`, `seen` after a colon. */
  readonly named: readonly string[];
}

const POD_DAMAGES: readonly Damage[] = [
  {
    at: "node",
    words: `link delete ${HOST_LINK}`,
    named: [
      "veth missing",
      "conf missing",
      "address missing",
      "neighbour missing",
      "route missing",
      "route missing",
    ],
  },
  {
    at: "node",
    words: `link set ${HOST_LINK} down`,
    named: [`veth changed: ${HOST_LINK} is down`, "route missing"],
  },
  {
    at: "pod",
    words: "link set eth0 down",
    named: [
      "veth changed: eth0 is down",
      "neighbour missing",
      "route missing",
    ],
  },
  {
    at: "node",
    words: `link set ${HOST_LINK} mtu 1400`,
    named: [`veth changed: ${HOST_LINK} has mtu 1400`],
  },
  {
    at: "pod",
    words: "link set eth0 mtu 1400",
    named: ["veth changed: eth0 has mtu 1400"],
  },
  {
    at: "pod",
    // With its last address a link loses what IPv4 knew of it.
    words: "address delete 10.0.0.20/32 dev eth0",
    named: ["address missing", "neighbour missing", "route missing"],
  },
  {
    at: "pod",
    words: "neighbour delete 169.254.1.1 dev eth0",
    named: ["neighbour missing"],
  },
  {
    at: "pod",
    words:
      "neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
    named: ["neighbour changed: lladdr 02:00:00:00:00:09, permanent"],
  },
  {
    at: "pod",
    words:
      "neighbour replace 169.254.1.1 lladdr 0e:97:ab:ed:e5:41 dev eth0 nud stale",
    named: ["neighbour changed: lladdr 0e:97:ab:ed:e5:41, not permanent"],
  },
  { at: "pod", words: "route delete default", named: ["route missing"] },
  {
    at: "pod",
    words: "route replace default via 169.254.1.9 dev eth0 onlink",
    named: [
      "route changed: ip route 0.0.0.0/0 via 169.254.1.9 dev #2 table 254",
    ],
  },
  {
    at: "node",
    words: "route delete 10.0.0.20/32",
    named: ["route missing"],
  },
  {
    at: "node",
    words: "rule delete priority 512 to 10.0.0.20",
    named: ["rule missing"],
  },
  {
    at: "node",
    words: "rule delete priority 2048 from 10.0.0.20",
    named: ["rule missing"],
  },
];

const ENI_DAMAGES: readonly Damage[] = [
  {
    at: "node",
    words: "link set eth1 down",
    named: ["link changed: eth1 is down", "route missing"],
  },
  {
    at: "node",
    words: "link set eth1 mtu 1400",
    named: ["link changed: eth1 has mtu 1400"],
  },
  {
    at: "node",
    words: "address flush dev eth1",
    named: ["address missing", "route missing"],
  },
  {
    at: "node",
    words: "route flush table 1002",
    named: ["route missing"],
  },
  {
    at: "node",
    words: "route replace default via 10.0.0.252 dev eth1 onlink table 1002",
    named: [
      "route changed: ip route 0.0.0.0/0 via 10.0.0.252 dev #2 table 1002",
    ],
  },
];

/** Damage that only a person can cure: what is in the way isn't ours. */
const STUBBORN: readonly Damage[] = [
  {
    at: "pod",
    words: "link set eth0 down name eth5",
    named: [
      "veth changed: no eth0 in the pod",
      "address missing",
      "neighbour missing",
      "route missing",
    ],
  },
  {
    at: "pod",
    words: "link set eth0 address 02:00:00:00:00:09",
    named: [
      "veth changed: a veth of MAC 02:00:00:00:00:09",
      "address missing",
      "neighbour missing",
      "route changed: ip route 0.0.0.0/0 via 169.254.1.1 dev #2 table 254",
    ],
  },
  {
    at: "node",
    words: "route replace 10.0.0.20/32 dev eth1",
    named: ["route changed: ip route 10.0.0.20/32 dev #2 table 254"],
  },
  {
    // The older of two rules that match the same decides.
    at: "node",
    words: "rule add priority 2048 from 10.0.0.20 lookup 1077",
    named: ["rule changed: lookup 1077"],
  },
];

/** A node, its ENI, a pod, and both plans, applied. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly pod = this.lab.pod();
  readonly podPlan = this.lab.plan(this.pod);
  readonly eniPlan = this.lab.eniPlan();

  constructor() {
    for (const plan of [this.eniPlan, this.podPlan]) this.apply(plan);
  }

  apply(plan: Plan): void {
    applyPlan(plan, this.lab.node.routes);
  }

  compare(plan: Plan): Difference[] {
    return comparePlan(plan, this.lab.node.routes);
  }

  damage({ at, words }: Damage): void {
    const room = at === "pod" ? this.pod : this.lab.node;
    room.ip(...words.split(" "));
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

function name({ step, problem, seen }: Difference): string {
  return `${step.kind} ${problem}${seen === undefined ? "" : `: ${seen}`}`;
}

Deno.test("comparePlan() finds nothing right after applyPlan()", () => {
  using scene = new Scene();
  assertEquals(scene.compare(scene.eniPlan), []);
  assertEquals(scene.compare(scene.podPlan), []);
});

for (
  const [which, damages] of [
    ["podPlan", POD_DAMAGES],
    ["eniPlan", ENI_DAMAGES],
  ] as const
) {
  for (const damage of damages) {
    const { at, words, named } = damage;
    Deno.test(`comparePlan() names, and applyPlan() repairs, \`ip ${words}\` in the ${at}`, () => {
      using scene = new Scene();
      const plan = scene[which];
      scene.damage(damage);
      assertEquals(scene.compare(plan).map(name), named);
      scene.apply(plan);
      assertEquals(scene.compare(plan), []);
    });
  }
}

for (const damage of STUBBORN) {
  Deno.test(`comparePlan() names \`ip ${damage.words}\` in the ${damage.at}`, () => {
    using scene = new Scene();
    const { podPlan, lab } = scene;
    if (damage.words.startsWith("rule")) {
      lab.node.ip("rule", "delete", "priority", "2048");
      scene.damage(damage);
      scene.apply(podPlan);
    } else scene.damage(damage);
    assertEquals(scene.compare(podPlan).map(name), damage.named);
  });
}

Deno.test("comparePlan() names a changed setting, and applyPlan() repairs it", () => {
  using scene = new Scene();
  const key = `net.ipv4.conf.${HOST_LINK}.forwarding`;
  scene.lab.node.run("sysctl", "-q", `${key}=0`);
  assertEquals(scene.compare(scene.podPlan).map(name), [
    "conf changed: forwarding=0 rp_filter=0",
  ]);
  scene.apply(scene.podPlan);
  assertEquals(scene.compare(scene.podPlan), []);
});

Deno.test("comparePlan() says that the pod can't be looked into, and still looks at the node", () => {
  using scene = new Scene();
  const { podPlan, pod, lab } = scene;
  removeNamespace(pod.path);
  lab.node.ip("rule", "delete", "priority", "512");
  const why = `Cannot use namespace ${pod.path}: it does not exist`;
  assertEquals(scene.compare(podPlan).map(name), [
    `veth missing: ${why}`,
    `address missing: ${why}`,
    `neighbour missing: ${why}`,
    `route missing: ${why}`,
    "rule missing",
  ]);
});

Deno.test("comparePlan() names a link of the same name and another MAC", () => {
  using scene = new Scene();
  const { node } = scene.lab;
  node.ip("link", "delete", HOST_LINK);
  node.ip("link", "add", HOST_LINK, "type", "veth", "peer", "name", "other0");
  const [first] = scene.compare(scene.podPlan);
  assertEquals([first?.step.kind, first?.problem], ["veth", "changed"]);
  assertStringIncludes(first?.seen ?? "", "a veth of MAC");
});

Deno.test("comparePlan() gives each object as its command", () => {
  using scene = new Scene();
  scene.lab.node.ip("rule", "delete", "priority", "512");
  const [difference] = scene.compare(scene.podPlan);
  assertEquals(
    difference?.object,
    "ip rule add priority 512 to 10.0.0.20/32 lookup main",
  );
});
