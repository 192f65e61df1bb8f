import { assert, assertEquals, assertThrows } from "@std/assert";
import { applyPlan } from "./apply.ts";
import { type Bandwidth, bandwidthSteps, ifbOf } from "./bandwidth.ts";
import { comparePlan } from "./compare.ts";
import { dumpNamespace } from "./dump.ts";
import { livingObjectCount } from "./ffi.ts";
import { Lab, type Room, testWhere } from "./lab.ts";
import { findLinkByName, setLink } from "./link.ts";
import { TakenError } from "./places.ts";
import { probe } from "./probe.ts";
import { removePlan } from "./remove.ts";
import { command, type Plan, type Step } from "./step.ts";

const { tbf, redirect } = probe();
const needs = [tbf, redirect];
const HOST_LINK = "cali73291bf21a5";
const BOTH: Bandwidth = { ingressBitsPerSec: 10e6, egressBitsPerSec: 20e6 };
const IFB = ifbOf({ network: "terway", containerId: "c0", ifName: "eth0" });

/** A step that the kernel always refuses. */
const IMPOSSIBLE: Step = {
  kind: "address",
  place: "host",
  link: "never",
  cidr: "10.0.0.99/32",
};

/** A node whose ENI is ready, and a pod. */
class Scene implements Disposable {
  readonly lab = new Lab();
  readonly node = this.lab.node;
  readonly pod = this.lab.pod();

  /** A pod on a veth pair. */
  veth(bandwidth: Bandwidth | undefined = BOTH): Plan {
    const { netns, steps } = this.lab.plan(this.pod);
    const ingress = { hostLink: HOST_LINK };
    const podLinks = ["eth0"];
    const limits = bandwidthSteps({ bandwidth, mtu: 1500, podLinks, ingress });
    return {
      ...netns !== undefined && { netns },
      steps: [...steps, ...limits],
    };
  }

  /** A pod that has the ENI for itself. */
  card(bandwidth: Bandwidth | undefined = BOTH): Plan {
    const { name, mac, ifIndex } = this.lab.eni;
    if (findLinkByName(this.node.routes, name) !== undefined) {
      setLink(this.node.routes, ifIndex, { namespace: this.pod.namespace });
    }
    const ingress = { ifb: IFB };
    const podLinks = [name];
    return {
      netns: this.pod.path,
      steps: [
        { kind: "link", place: "pod", link: name, mac, mtu: 1500 },
        ...bandwidthSteps({ bandwidth, mtu: 1500, podLinks, ingress }),
      ],
    };
  }

  apply(plan: Plan): void {
    applyPlan(plan, this.node.routes);
  }

  /** What differs, as the command and what is there instead. */
  compare(plan: Plan): string[] {
    return comparePlan(plan, this.node.routes).map(
      ({ problem, object, seen }) =>
        `${problem} ${
          object.replaceAll(`nsenter --net=${this.pod.path} `, "")
        }` +
        (seen === undefined ? "" : ` | ${seen}`),
    );
  }

  async remove(plan: Plan): Promise<void> {
    await removePlan(plan, this.node.routes).done;
  }

  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/** All qdiscs and filters of a namespace that aren't there by themselves. */
function tcText(room: Room): string {
  const qdiscs = room.run("tc", "qdisc", "show").split("\n")
    .filter((line) => !/^(qdisc (noqueue|pfifo_fast|mq) 0:|$)/.test(line));
  const links = dumpNamespace(room.routes).links.map(({ name }) => name);
  const filters = links.map((link) =>
    room.run("tc", "filter", "show", "dev", link, "ingress")
  );
  return [...qdiscs, ...filters].join("\n").trim();
}

const FORMS = ["veth", "card"] as const;

for (const form of FORMS) {
  testWhere({
    name:
      `applyPlan() limits a pod with a ${form}, and a second time changes nothing`,
    needs,
    fn: () => {
      using scene = new Scene();
      const plan = scene[form]();
      scene.apply(plan);
      assertEquals(scene.compare(plan), []);
      const before = [scene.node, scene.pod].map(tcText);
      scene.apply(plan);
      assertEquals([scene.node, scene.pod].map(tcText), before);
    },
  });

  testWhere({
    name: `command() of each step limits a pod with a ${form} just so`,
    needs,
    fn: () => {
      using scene = new Scene();
      scene.apply(scene[form]({}));
      const plan = scene[form]();
      assert(scene.compare(plan).length > 0);
      const kinds = new Set(["ifb", "tbf", "redirect"]);
      for (const step of plan.steps) {
        if (kinds.has(step.kind)) {
          scene.node.run("sh", "-ec", command(step, scene.pod.path));
        }
      }
      assertEquals(scene.compare(plan), []);
    },
  });

  testWhere({
    name: `removePlan() leaves nothing of the limits of a pod with a ${form}`,
    needs,
    fn: async () => {
      using scene = new Scene();
      const { node, pod } = scene;
      scene.apply(scene[form]({}));
      const before = [node, pod].map(({ routes }) => dumpNamespace(routes));
      const plan = scene[form]();
      scene.apply(plan);
      const limits = plan.steps.filter(({ kind }) =>
        kind === "tbf" || kind === "redirect" || kind === "ifb"
      );
      await scene.remove({ netns: pod.path, steps: limits });
      assertEquals([tcText(node), tcText(pod)], ["", ""]);
      assertEquals(
        [node, pod].map(({ routes }) => dumpNamespace(routes)),
        before,
      );
      assertEquals(scene.compare(plan).length, limits.length);
      await scene.remove(plan); // what is gone is forgiven
    },
  });

  testWhere({
    name: `applyPlan() that fails leaves a pod with a ${form} without limits`,
    needs,
    fn: () => {
      using scene = new Scene();
      const { node, pod } = scene;
      scene.apply(scene[form]({}));
      const before = [node, pod].map(({ routes }) => dumpNamespace(routes));
      const plan = scene[form]();
      const steps = [...plan.steps, IMPOSSIBLE];
      assertThrows(() => scene.apply({ ...plan, steps }));
      assertEquals([tcText(node), tcText(pod)], ["", ""]);
      assertEquals(
        [node, pod].map(({ routes }) => dumpNamespace(routes)),
        before,
      );
    },
  });

  testWhere({
    name:
      `applyPlan() changes a limit of a pod with a ${form}; failing, it changes it back`,
    needs,
    fn: () => {
      using scene = new Scene();
      const slow = scene[form]();
      const fast = scene[form]({
        ingressBitsPerSec: 1e9,
        egressBitsPerSec: 2e9,
      });
      scene.apply(slow);
      const steps = [...fast.steps, IMPOSSIBLE];
      assertThrows(() => scene.apply({ ...fast, steps }));
      assertEquals(scene.compare(slow), []);
      scene.apply(fast);
      assertEquals(scene.compare(fast), []);
    },
  });
}

testWhere({
  name:
    "comparePlan() names the rate that is there and the one that was planned",
  needs,
  fn: () => {
    using scene = new Scene();
    const { node, pod } = scene;
    const plan = scene.veth();
    scene.apply(plan);
    const quick = "root handle 1: tbf rate 1gbit burst 500000b limit 3625000b";
    node.run("sh", "-ec", `tc qdisc replace dev ${HOST_LINK} ${quick}`);
    pod.run("tc", "qdisc", "delete", "dev", "eth0", "root");
    assertEquals(scene.compare(plan), [
      "missing tc qdisc replace dev eth0 root handle 1: tbf rate 20000000bit " +
      "burst 10000b limit 72500b",
      `changed tc qdisc replace dev ${HOST_LINK} root handle 1: tbf rate ` +
      "10000000bit burst 5000b limit 36250b | tbf rate 1000000000bit burst " +
      "500000b limit 3625000b",
    ]);
    scene.apply(plan);
    assertEquals(scene.compare(plan), []);
  },
});

testWhere({
  name:
    "comparePlan() names an ifb that is down, a redirect that is gone or leads elsewhere",
  needs,
  fn: () => {
    using scene = new Scene();
    const { pod } = scene;
    const plan = scene.card();
    const { name, mac } = IFB;
    const ifb = `ip link add ${name} up address ${mac} mtu 1500 type ifb`;
    const redirect = command(
      { kind: "redirect", place: "host", link: "eth1", to: name },
    );
    scene.apply(plan);
    pod.ip("link", "set", name, "down");
    pod.run("tc", "qdisc", "delete", "dev", "eth1", "clsact");
    assertEquals(scene.compare(plan), [
      `changed ${ifb} | ${name} is down`,
      `missing ${redirect}`,
    ]);
    scene.apply(plan);
    assertEquals(scene.compare(plan), []);
    const other = command(
      { kind: "redirect", place: "pod", link: "eth1", to: "lo" },
      pod.path,
    );
    scene.node.run("sh", "-ec", other);
    assertEquals(scene.compare(plan), [
      `changed ${redirect} | redirected to link #1`,
    ]);
    scene.apply(plan);
    pod.ip("link", "delete", name);
    assertEquals(scene.compare(plan).length, 3);
    scene.apply(plan);
    assertEquals(scene.compare(plan), []);
  },
});

testWhere({
  name: "applyPlan() replaces a qdisc of another kind on the pod's link",
  needs,
  fn: () => {
    using scene = new Scene();
    const { pod } = scene;
    scene.apply(scene.veth({}));
    const plan = scene.veth();
    for (const handle of ["1:", "7:"]) {
      const words = `qdisc replace dev eth0 root handle ${handle} pfifo`;
      pod.run("tc", ...words.split(" "));
      assertEquals(scene.compare(plan)[0]?.split(" | ")[1], "qdisc pfifo");
      scene.apply(plan);
      assertEquals(scene.compare(plan), []);
      pod.run("tc", "qdisc", "delete", "dev", "eth0", "root");
    }
  },
});

testWhere({
  name: "removePlan() leaves a qdisc and a link that aren't ours",
  needs,
  fn: async () => {
    using scene = new Scene();
    const { pod } = scene;
    const plan = scene.card();
    pod.ip("link", "add", IFB.name, "type", "ifb");
    pod.run("tc", ..."qdisc add dev eth1 root handle 7: pfifo".split(" "));
    const before = tcText(pod);
    const error = assertThrows(() => scene.apply(plan), TakenError);
    assertEquals(error.object, `link ${IFB.name}`);
    pod.run("tc", ..."qdisc replace dev eth1 root handle 7: pfifo".split(" "));
    await scene.remove(plan);
    assertEquals(tcText(pod), before);
    assert(findLinkByName(pod.routes, IFB.name) !== undefined);
  },
});

testWhere({
  name: "limits made and removed 100 times leave no object behind",
  needs,
  fn: async () => {
    using scene = new Scene();
    const { pod } = scene;
    const [slow, fast] = [scene.card(), scene.card({ egressBitsPerSec: 1e9 })];
    const turn = async (): Promise<void> => {
      scene.apply(slow);
      scene.apply(fast);
      assertEquals(scene.compare(fast), []);
      await scene.remove(slow);
    };
    await turn();
    const before = livingObjectCount();
    const dump = dumpNamespace(pod.routes);
    for (let i = 0; i < 100; i++) await turn();
    assertEquals(livingObjectCount(), before);
    assertEquals(dumpNamespace(pod.routes), dump);
    assertEquals(tcText(pod), "");
  },
});
