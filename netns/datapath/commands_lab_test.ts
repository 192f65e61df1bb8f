/**
 * The commands that a plan equals, run in a fresh node and pod, leave what the
 * plan leaves: iproute2 is the judge of both.
 */
import { assertEquals } from "@std/assert";
import { applyPlan } from "../apply.ts";
import type { Attachment } from "../attachment.ts";
import { comparePlan } from "../compare.ts";
import type { Family } from "../ip.ts";
import { Lab, type Room, testWhere } from "../lab.ts";
import { type Capability, probe } from "../probe.ts";
import { planOf } from "../recipe.ts";
import { command, type Plan } from "../step.ts";

const { tbf, redirect } = probe();

/** What a pod may have beside its address. */
const MORE = {
  bandwidth: { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 },
  extraRoutes: ["192.168.7.0/24", "fd07::/64"],
  hostStackCidrs: ["169.254.20.10/32", "fd00:20::10/128"],
} as const;

/** A pod in a node of its own. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly pod: Room = this.lab.pod();
  readonly plans: readonly Plan[];

  constructor(attachmentOf: (scene: Scene) => Attachment) {
    const { name, ifIndex, mac } = this.lab.eni;
    const node = { nodeIp: "10.0.0.10", eni: { name, ifIndex, mac } };
    const { shared, pod } = planOf(attachmentOf(this), node);
    this.plans = [shared, pod];
  }

  differences(): readonly string[] {
    return this.plans.flatMap((plan) =>
      comparePlan(plan, this.lab.node.routes).map(({ object }) => object)
    );
  }

  /** All that iproute2 tells of both, without what time and chance decide. */
  seen(): readonly unknown[] {
    return [this.lab.node, this.pod].flatMap((room) => [
      ...["-d link", "-d address", "neighbour", "rule", "-6 rule"].map((
        words,
      ) => tell(room, `ip -j ${words} show`)),
      ...["", "-6 "].map((family) =>
        tell(room, `ip -j ${family}route show table all`)
      ),
      tell(room, "tc -j qdisc show"),
      ...["eth0", "veth1", "cali73291bf21a5"].map((link) =>
        tell(room, `tc -j filter show dev ${link} ingress`)
      ),
    ]).map((told) => plain(told, this.pod.path));
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/** What iproute2 prints; nothing about a link that isn't there. */
function tell(room: Room, words: string): unknown {
  const [program = "", ...args] = words.split(" ");
  try {
    return JSON.parse(room.run(program, ...args) || "[]");
  } catch (error) {
    if (String(error).includes("Cannot find device")) return [];
    throw error;
  }
}

/** Decided by time, by chance, or by the order of the kernel's own work. */
const VARYING = new Set([
  ...["txqlen", "qdisc", "link_netnsid", "link_index", "stable_secret"],
  ...["state", "refcnt", "used", "confirmed", "updated", "probes"],
  ...["operstate", "ifindex", "installed", "last_used", "dynamic"],
]);

function plain(told: unknown, path: string): unknown {
  const text = JSON.stringify(told, (key, value) => {
    if (VARYING.has(key)) return undefined;
    return Array.isArray(value) ? value.filter(isOurs) : value;
  });
  const parts: unknown[] = JSON.parse(text.replaceAll(path, "POD"));
  return parts.map((part) => JSON.stringify(part)).sort();
}

/** Link-local addresses, and what follows from them, come in their own time. */
function isOurs(one: unknown): boolean {
  const { local, dst, protocol, type } = (one ?? {}) as Record<string, unknown>;
  return ![local, dst].some((ip) =>
    typeof ip === "string" && /^(fe80:|ff00:)/.test(ip) && ip !== "fe80::1"
  ) && !(protocol === "kernel" && type === "anycast");
}

const FORMS: readonly {
  readonly name: string;
  readonly needs: readonly Capability[];
  readonly families: readonly (readonly Family[])[];
  readonly attachmentOf: (
    scene: Scene,
    families: readonly Family[],
  ) => Attachment;
}[] = [
  {
    name: "veth",
    needs: [tbf],
    families: [[4], [6], [4, 6]],
    attachmentOf: ({ lab, pod }, families) => lab.attachment(pod, 0, families),
  },
  {
    name: "exclusive",
    needs: [tbf, redirect],
    families: [[4], [6], [4, 6]],
    attachmentOf: ({ lab, pod }, families) =>
      lab.exclusive(pod, lab.eni, families),
  },
  {
    name: "vpc",
    needs: [tbf],
    families: [[4]],
    attachmentOf: ({ lab, pod }) => ({
      recipe: "vpc/1",
      ...lab.network(pod),
      ip: "172.30.0.4",
      podCidr: "172.30.0.0/24",
    }),
  },
];

for (const { name, needs, families, attachmentOf } of FORMS) {
  for (const stack of families) {
    for (
      const [more, extra] of [["", {}], [
        " with all it may have",
        MORE,
      ]] as const
    ) {
      testWhere({
        needs,
        name: `pod of ${name} and IPv${stack.join("+")}${more} is made in a ` +
          "fresh namespace by its commands",
        fn: () => {
          const open = (): Scene =>
            new Scene((scene) => ({
              ...attachmentOf(scene, stack),
              ...extra,
            }));
          using byPlan = open();
          for (const plan of byPlan.plans) {
            applyPlan(plan, byPlan.lab.node.routes);
          }
          using byCommands = open();
          const script = byCommands.plans.flatMap(({ steps, netns }) =>
            steps.map((step) => command(step, netns))
          );
          byCommands.lab.node.run("sh", "-ec", script.join("\n"));
          assertEquals(byCommands.differences(), []);
          assertEquals(byCommands.seen(), byPlan.seen());
        },
      });
    }
  }
}
