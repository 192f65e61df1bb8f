/**
 * The verbs of CNI as packets see them, for every datapath and family: after
 * an ADD a pod is reached and reaches others, a CHECK names each object that
 * is damaged, a repair has packets pass again, and after a DEL none does.
 */
import { assert, assertEquals } from "@std/assert";
import { applyPlan } from "../netns/apply.ts";
import { comparePlan } from "../netns/compare.ts";
import type { Family, Ip } from "../netns/ip.ts";
import { testWhere } from "../netns/lab.ts";
import { type Namespace, openNamespace } from "../netns/namespace.ts";
import { type Capability, probe } from "../netns/probe.ts";
import { removePlan } from "../netns/remove.ts";
import { openRoutes, type RouteSocket } from "../netns/socket.ts";
import { command, type Step } from "../netns/step.ts";
import { Fixture, type FixturePod, NODE_IPS } from "./fabric/fixture.ts";
import { addService, ping, runIn, seenBy } from "./fabric/inside.ts";

/** Namespaces need root; nothing here can be shown without. */
const lab = { ignore: Deno.uid() !== 0 };

const { tbf, redirect } = probe();

const OFFICE = { 4: "192.168.7.10", 6: "fd07::10" } as const;
const FAR = { 4: "10.2.0.10", 6: "fd02::10" } as const;
const SERVICE = { 4: "172.16.0.1", 6: "fd16::1" } as const;

interface Datapath {
  readonly name: string;
  readonly needs: readonly Capability[];
  readonly stacks: readonly (readonly Family[])[];
  readonly add: (fixture: Fixture, families: readonly Family[]) => FixturePod;
  /** Whether a service's backend sees the pod, and not its node. */
  readonly showsSource: boolean;
}

const DATAPATHS: readonly Datapath[] = [
  {
    name: "veth",
    needs: [tbf],
    stacks: [[4], [6], [4, 6]],
    add: (fixture, families) =>
      fixture.addSharedPod(
        "n1",
        families.map((one) => one === 4 ? "10.1.0.10" : "fd01::10"),
      ),
    showsSource: true,
  },
  {
    name: "exclusive",
    needs: [tbf, redirect],
    stacks: [[4], [6], [4, 6]],
    add: (fixture, families) => fixture.addExclusivePod("n1", 2, families),
    showsSource: false,
  },
  {
    name: "VPC-route",
    needs: [tbf],
    stacks: [[4]],
    add: (fixture) => fixture.addVpcPod("n1", 4),
    showsSource: true,
  },
];

/** A pod among others, in a VPC with an office outside. */
class Scene implements AsyncDisposable {
  readonly fixture: Fixture;
  readonly families: readonly Family[];
  readonly office: string;
  readonly far: string;
  readonly node: string;
  readonly pod: FixturePod;
  readonly #namespace: Namespace;
  readonly #routes: RouteSocket;

  private constructor(
    { add }: Datapath,
    { fixture, families, extras }: {
      readonly fixture: Fixture;
      readonly families: readonly Family[];
      readonly extras: Fixture["extras"];
    },
  ) {
    this.fixture = fixture;
    this.families = families;
    fixture.letNodesForward(families);
    this.office = fixture.fabric.addOutsideHost({
      name: "office",
      cidr: `${OFFICE[4]}/24`,
      cidr6: `${OFFICE[6]}/64`,
    }).netns;
    this.far = fixture.addPod("n2", FAR[4], FAR[6]);
    this.node = fixture.nodes.n1.netns;
    this.#namespace = openNamespace(this.node);
    this.#routes = openRoutes(this.#namespace);
    fixture.extras = extras;
    this.pod = add(fixture, families);
  }

  static async open(
    datapath: Datapath,
    families: readonly Family[],
    extras: Fixture["extras"] = {},
  ): Promise<Scene> {
    const fixture = await Fixture.open({ ipv6: true });
    return new Scene(datapath, { fixture, families, extras });
  }

  /** The pod's address of a family. */
  ip(family: Family): Ip {
    return this.pod.ips[this.families.indexOf(family)] ?? "";
  }

  apply(): void {
    for (const plan of [this.pod.shared, this.pod.plan]) {
      applyPlan(plan, this.#routes);
    }
  }

  /** What a CHECK says. */
  check(): readonly string[] {
    return [this.pod.shared, this.pod.plan].flatMap((plan) =>
      comparePlan(plan, this.#routes).map(({ object }) => object)
    );
  }

  async remove(): Promise<void> {
    await removePlan(this.pod.plan, this.#routes).done;
  }

  /** A packet each way, of each family: those that came through. */
  async passing(): Promise<readonly string[]> {
    // A neighbour that is asked for on a busy machine may answer late.
    const attempts = [["-c1", "-W0.5"], ["-c2", "-i0.3", "-W1"]];
    const passed: string[] = [];
    for (const family of this.families) {
      const ways = [
        ["out", this.pod.netns, FAR[family]],
        ["in", this.far, this.ip(family)],
        ["node", this.node, this.ip(family)],
      ] as const;
      for (const [name, from, to] of ways) {
        for (const how of attempts) {
          const command = ["ping", "-q", "-n", ...how, to];
          const { success } = await runIn(from, command);
          if (!success) continue;
          passed.push(`${name}${family}`);
          break;
        }
      }
    }
    return passed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#routes[Symbol.dispose]();
    this.#namespace[Symbol.dispose]();
    await this.fixture[Symbol.asyncDispose]();
  }
}

function ways(families: readonly Family[]): readonly string[] {
  return families.flatMap((one) => [`out${one}`, `in${one}`, `node${one}`]);
}

/** Breaks exactly one object, as somebody would by hand. */
function damageOf(step: Step, node: string): string {
  switch (step.kind) {
    case "veth":
      return `ip link del ${step.host.name}`;
    case "link":
      return `ip link set ${step.link} down`;
    case "moveLink":
      return `nsenter --net=POD ip link set ${step.pod.name} down && ` +
        `nsenter --net=POD ip link set ${step.pod.name} netns ${node} name ` +
        step.host.name;
    case "conf":
      return `sysctl -q net.ipv4.conf.${step.link}.forwarding=0`;
    case "sysctl":
      return `sysctl -q ${step.key}=${step.value === "0" ? 1 : 0}`;
    case "tbf":
      return `tc qdisc del dev ${step.link} root`;
    case "ifb":
    case "sublink":
      return `ip link del ${step.link}`;
    case "clsact":
      return `tc qdisc del dev ${step.link} clsact`;
    case "steer":
      return `tc filter del dev ${step.link} egress`;
    case "redirect":
      return `tc filter del dev ${step.link} ingress`;
    case "unreachable":
      return undone(command(step));
    case "address":
    case "neighbour":
    case "route":
    case "rule":
      return undone(command({ ...step, place: "host" }))
        .replace(/ (onlink|nodad|noprefixroute|scope link)/g, "")
        .replace(/ broadcast \S+/, "");
  }
}

function undone(made: string): string {
  return made.replace(" add ", " del ").replace(" nud permanent", "")
    .replace(/ lladdr \S+/, "");
}

for (const datapath of DATAPATHS) {
  for (const families of datapath.stacks) {
    const name = `${datapath.name}, IPv${families.join("+")}`;
    Deno.test(
      `${name}: a pod is reached and reaches others from ADD to DEL`,
      lab,
      async () => {
        await using scene = await Scene.open(datapath, families);
        const { pod, office, far, node, fixture: { nodes, fabric } } = scene;
        assertEquals(scene.check(), []);
        for (const family of families) {
          const ip = scene.ip(family);
          const at = family === 4 ? 0 : 1;
          const [nodeIp, otherIp] = [NODE_IPS.n1[at], NODE_IPS.n2[at]];
          const server = { netns: pod.netns, ip };
          const callers = [
            { netns: office, ip: OFFICE[family] },
            { netns: far, ip: FAR[family] },
            { netns: node, ip: nodeIp },
            { netns: nodes.n2.netns, ip: otherIp },
          ];
          for (const caller of callers) {
            assertEquals(await seenBy(server, caller.netns), caller.ip);
            assertEquals(await ping(pod.netns, caller.ip), 3, caller.ip);
          }
          for (const caller of callers.slice(0, 2)) {
            assertEquals(await seenBy(caller, pod.netns), ip);
          }
          const service = { ip: SERVICE[family], backend: FAR[family] };
          const keepsSource = datapath.showsSource;
          await addService(node, { ...service, keepsSource });
          const backend = { netns: far, ip: FAR[family] };
          const seen = await seenBy(backend, pod.netns, {
            ip: SERVICE[family],
            port: 80,
          });
          assertEquals(seen, keepsSource ? ip : nodeIp, "by the service");
        }
        assertEquals(await fabric.spoofed(), 0);

        await scene.remove();
        assertEquals(await scene.passing(), []);
        assert(scene.check().length > 0, "a CHECK says that it is gone");
        await scene.remove();
        // The next pod has the same address.
        scene.apply();
        assertEquals(scene.check(), []);
        assertEquals(await scene.passing(), ways(families));
      },
    );

    testWhere({
      needs: datapath.needs,
      name: `${name}: each object of a pod is missed by CHECK, and mended`,
      fn: async () => {
        await using scene = await Scene.open(datapath, families, {
          bandwidth: { ingressBitsPerSec: 1e9, egressBitsPerSec: 1e9 },
          extraRoutes: ["192.168.9.0/24", "fd09::/64"],
          hostStackCidrs: ["169.254.20.10/32", "fd00:20::10/128"],
        });
        assertEquals(await scene.passing(), ways(families));
        const { pod, node } = scene;
        const plans = [pod.shared, pod.plan];
        const steps = plans.flatMap(({ steps, netns }) =>
          steps.map((step) => ({ step, made: command(step, netns) }))
        );
        for (const { step, made } of steps) {
          const place = "place" in step && step.place === "pod"
            ? pod.netns
            : node;
          const damage = damageOf(step, node).replaceAll("POD", pod.netns);
          const { success } = await runIn(place, ["sh", "-ec", damage]);
          assert(success, damage);
          assert(scene.check().includes(made), `${damage}: ${made}`);
          scene.apply();
          assertEquals(scene.check(), [], damage);
          assertEquals(await scene.passing(), ways(families), damage);
        }
      },
    });
  }
}
