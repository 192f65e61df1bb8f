import {
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { dumpNamespace, type NamespaceDump } from "./dump.ts";
import { NetlinkError } from "./errno.ts";
import { Lab, type Room } from "./lab.ts";
import { NamespaceError } from "./namespace.ts";
import { TakenError } from "./places.ts";
import { command, type Plan, type Step } from "./step.ts";

const HOST_LINK = "cali73291bf21a5";

/** A step that the kernel always refuses. */
const IMPOSSIBLE: Step = {
  kind: "address",
  place: "host",
  link: "never",
  cidr: "10.0.0.99/32",
};

/** A node whose ENI is ready, a pod, and the pod's plan. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly node = this.lab.node;
  readonly pod = this.lab.pod();
  readonly plan = this.lab.plan(this.pod);

  constructor() {
    applyPlan(this.lab.eniPlan(), this.node.routes);
  }

  apply(plan: Plan = this.plan): void {
    applyPlan(plan, this.node.routes);
  }

  dumps(): NamespaceDump[] {
    return [this.node, this.pod].map(({ routes }) => dumpNamespace(routes));
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/** Runs `ip` with words parted by spaces. */
function ip(room: Room, words: string): void {
  room.ip(...words.split(" "));
}

Deno.test("applyPlan() makes a pod reach the gateway and its neighbour on the node", () => {
  using scene = new Scene();
  const { lab, pod } = scene;
  const other = lab.pod();
  scene.apply();
  scene.apply(lab.plan(other, 1));
  ip(lab.vpc, "address add 10.0.0.253/32 dev lo");
  ip(lab.vpc, "route add 10.0.0.0/24 dev vpc-eth1");
  for (const address of ["10.0.0.20", "10.0.0.21"]) {
    const neighbour = `${address} lladdr ${lab.eni.mac} dev vpc-eth1`;
    ip(lab.vpc, `neighbour add ${neighbour} nud permanent`);
  }
  for (const target of ["10.0.0.253", "10.0.0.21"]) {
    const said = pod.run("ping", "-c", "1", "-W", "2", target);
    assertStringIncludes(said, " 0% packet loss");
  }
});

Deno.test("applyPlan() repeated changes nothing", () => {
  using scene = new Scene();
  scene.apply();
  const before = scene.dumps();
  scene.apply();
  assertEquals(scene.dumps(), before);
});

Deno.test("applyPlan() makes the same as the steps' commands", () => {
  using scene = new Scene();
  const { node, plan } = scene;
  for (const step of plan.steps) {
    node.run("sh", "-c", command(step, plan.netns));
  }
  assertEquals(comparePlan(plan, node.routes), []);
  const byCommands = scene.dumps();
  ip(node, `link delete ${HOST_LINK}`);
  scene.apply();
  assertEquals(scene.dumps(), byCommands);
});

Deno.test("applyPlan() fails with the step's command, and undoes every step before", async (t) => {
  using scene = new Scene();
  const { plan } = scene;
  const before = scene.dumps();
  for (const [i, { kind }] of plan.steps.entries()) {
    await t.step(`after step ${i + 1}, ${kind}`, () => {
      const steps = [...plan.steps.slice(0, i + 1), IMPOSSIBLE];
      const error = assertThrows(
        () => scene.apply({ ...plan, steps }),
        NetlinkError,
        "Cannot run `ip address add 10.0.0.99/32 dev never`: ENODEV",
      );
      assertEquals(error.op, command(IMPOSSIBLE));
      assertEquals(scene.dumps(), before);
    });
  }
});

Deno.test("applyPlan() of an ENI undoes every step before", async (t) => {
  using lab = new Lab();
  const { routes } = lab.node;
  const { steps } = lab.eniPlan();
  const before = dumpNamespace(routes);
  for (const [i, { kind }] of steps.entries()) {
    await t.step(`after step ${i + 1}, ${kind}`, () => {
      const plan = { steps: [...steps.slice(0, i + 1), IMPOSSIBLE] };
      assertThrows(() => applyPlan(plan, routes), NetlinkError, "ENODEV");
      assertEquals(dumpNamespace(routes), before);
    });
  }
});

Deno.test("applyPlan() undoes only what this call made", () => {
  using scene = new Scene();
  const { plan } = scene;
  scene.apply();
  const before = scene.dumps();
  const steps = [...plan.steps, IMPOSSIBLE];
  assertThrows(() => scene.apply({ ...plan, steps }), NetlinkError);
  assertEquals(scene.dumps(), before);
});

Deno.test("applyPlan() puts back what it had put right", () => {
  using scene = new Scene();
  const { node, pod, plan } = scene;
  scene.apply();
  ip(node, `link set ${HOST_LINK} mtu 1400`);
  ip(pod, "link set eth0 mtu 1400");
  ip(pod, "route replace default via 169.254.1.9 dev eth0 onlink");
  ip(
    pod,
    "neighbour replace 169.254.1.1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
  );
  node.run("sysctl", "-q", `net.ipv4.conf.${HOST_LINK}.rp_filter=2`);
  const before = scene.dumps();
  const steps = [...plan.steps, IMPOSSIBLE];
  assertThrows(() => scene.apply({ ...plan, steps }), NetlinkError);
  assertEquals(scene.dumps(), before);
  scene.apply();
  assertEquals(comparePlan(plan, node.routes), []);
});

/** Things of others in the way, and what the error names. */
const TAKEN = [
  {
    what: "the pod's link name",
    words: "link add eth0 type veth peer name eth9",
    at: "pod",
    names: "link eth0",
  },
  {
    what: "the node's link name",
    words: `link add ${HOST_LINK} type veth peer name other0`,
    at: "node",
    names: `link ${HOST_LINK}`,
  },
  {
    what: "the route to the pod",
    words: "route add 10.0.0.20/32 dev eth1",
    at: "node",
    names: "route 10.0.0.20/32 of table 254",
  },
  {
    what: "the pod's default route",
    words: "route add default dev lo",
    at: "pod",
    names: "route 0.0.0.0/0 of table 254",
  },
] as const;

for (const { what, words, at, names } of TAKEN) {
  Deno.test(`applyPlan() leaves all as it was when ${what} is taken`, () => {
    using scene = new Scene();
    ip(scene[at], words);
    const before = scene.dumps();
    const error = assertThrows(() => scene.apply(), TakenError, names);
    assertEquals(error.object, names);
    assertNotEquals(error.seen, "");
    assertEquals(scene.dumps(), before);
  });
}

Deno.test("applyPlan() doesn't replace our own pair whose other end was renamed", () => {
  using scene = new Scene();
  scene.apply();
  ip(scene.pod, "link set eth0 down");
  ip(scene.pod, "link set eth0 name eth5");
  const before = scene.dumps();
  assertThrows(() => scene.apply(), TakenError, `link ${HOST_LINK}`);
  assertEquals(scene.dumps(), before);
});

Deno.test("applyPlan() doesn't touch a link of the ENI's name and another MAC", () => {
  using lab = new Lab();
  const { routes } = lab.node;
  const before = dumpNamespace(routes);
  const plan = lab.eniPlan("00:16:3e:00:00:99");
  assertThrows(() => applyPlan(plan, routes), TakenError, "link eth1");
  assertEquals(dumpNamespace(routes), before);
});

Deno.test("applyPlan() leaves a route that a network manager made on our link", () => {
  using scene = new Scene();
  scene.apply();
  ip(scene.pod, "route delete default");
  ip(scene.pod, "route add default dev eth0 proto dhcp");
  assertThrows(() => scene.apply(), TakenError, "route 0.0.0.0/0");
});

Deno.test("applyPlan() says why a pod's namespace can't be used", () => {
  using scene = new Scene();
  const check = (netns: string, problem: string): void => {
    const error = assertThrows(
      () => scene.apply({ ...scene.plan, netns }),
      NamespaceError,
    );
    assertEquals([error.problem, error.path], [problem, netns]);
  };
  check(`${scene.pod.path}-never`, "missing");
  check("/proc/self/status", "notNamespace");
  check(scene.node.path, "own");
});
