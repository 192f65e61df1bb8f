/**
 * Pods get and send as fast as they may: iperf3 between a pod and the VPC, in
 * namespaces. A busy machine can make a flow slower than its limit, never
 * faster: a slow one is measured again, a fast one fails.
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { applyPlan } from "../netns/apply.ts";
import type { Bandwidth } from "../netns/bandwidth.ts";
import { comparePlan } from "../netns/compare.ts";
import { exclusivePlan } from "../netns/datapath/exclusive.ts";
import { podPlan } from "../netns/datapath/veth.ts";
import { Lab, type Room, testWhere } from "../netns/lab.ts";
import { type Capability, probe } from "../netns/probe.ts";
import type { Plan } from "../netns/step.ts";

const VPC_IP = "10.0.0.253";
const POD_IP = "10.0.0.20";
/** By the pair that a pod with a card has besides. */
const NODE_IP = "10.0.0.10";
const FLOW_SECONDS = 2;
const ATTEMPTS = 8;
/** Of the rate, which counts Ethernet, IP and TCP headers: 4 % of it. */
const TOLERANCE = 0.1;

/** Ahead of the machine's other programs: a late sender misses its rate. */
const AT_ONCE: readonly string[] = mayRunAtOnce() ? ["chrt", "-r", "5"] : [];

const { tbf, redirect } = probe();
const needs = [tbf, redirect, iperf3()];

function iperf3(): Capability {
  try {
    new Deno.Command("iperf3", { args: ["--version"] }).outputSync();
    return { can: true };
  } catch {
    return { can: false, reason: "there is no iperf3: apt-get install iperf3" };
  }
}

function mayRunAtOnce(): boolean {
  try {
    const args = ["-r", "5", "true"];
    return new Deno.Command("chrt", { args }).outputSync().success;
  } catch {
    return false;
  }
}

/** How a pod hangs on the node: by a pair, or by a card of its own. */
type Form = "veth" | "card";

/** What a flow does: the pod sends, or gets. */
type Direction = "egress" | "ingress";

/** A pod that can talk with the VPC, and iperf3 that listens there. */
class Scene implements AsyncDisposable {
  readonly lab = new Lab();
  readonly pod = this.lab.pod();
  readonly #plan: (bandwidth: Bandwidth) => Plan;
  readonly #servers: Deno.ChildProcess[] = [];

  constructor(form: Form) {
    const { vpc, node, eni } = this.lab;
    const attachment = this.lab.attachment(this.pod);
    vpc.ip("address", "add", `${VPC_IP}/24`, "dev", "vpc-eth1");
    if (form === "veth") {
      applyPlan(this.lab.eniPlan(), node.routes);
      // The VPC knows addresses, and asks nobody.
      const words = `neighbour add ${POD_IP} lladdr ${eni.mac} dev vpc-eth1`;
      vpc.ip(...words.split(" "));
      this.#plan = (bandwidth) => podPlan({ ...attachment, bandwidth }, eni);
      return;
    }
    node.ip("address", "add", `${NODE_IP}/32`, "dev", "lo");
    const card = this.lab.exclusive(this.pod, eni);
    this.#plan = (bandwidth) => exclusivePlan({ ...card, bandwidth });
  }

  /** Makes the pod as fast as it may be: one replace when it is there. */
  limit(bandwidth: Bandwidth): void {
    const plan = this.#plan(bandwidth);
    const { routes } = this.lab.node;
    applyPlan(plan, routes);
    assertEquals(comparePlan(plan, routes), []);
  }

  /** Starts a server, in the VPC or elsewhere, and waits until it listens. */
  async listen(room: Room = this.lab.vpc): Promise<void> {
    const server = new Deno.Command("nsenter", {
      args: [`--net=${room.path}`, ...AT_ONCE, "iperf3", "-s", "--forceflush"],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#servers.push(server);
    const signal = AbortSignal.timeout(10_000);
    const lines = server.stdout.pipeThrough(new TextDecoderStream(), {
      signal,
    });
    for await (const text of lines) if (text.includes("listening")) break;
  }

  /** Runs a flow of two seconds: what arrived, in bits per second. */
  async flow(direction: Direction, ...more: string[]): Promise<number> {
    const { success, stdout } = await this.client(direction, [
      ...more,
      ...["-J", "-t", `${FLOW_SECONDS}`],
    ]).output();
    const report = JSON.parse(new TextDecoder().decode(stdout));
    assert(success, report.error);
    const { sum, sum_received: received } = report.end;
    // Of UDP this iperf3 tells what was sent, and how much of it was lost.
    if (!more.includes("-u")) return received.bits_per_second;
    return sum.bits_per_second * (1 - sum.lost_percent / 100);
  }

  client(direction: Direction, more: readonly string[]): Deno.Command {
    const reverse = direction === "ingress" ? ["-R"] : [];
    // Linux's own: BBR, which a machine may have instead, sends past a bucket
    // on purpose, and pays with losses that take it 10 % below.
    const control = more.includes("-u") ? [] : ["-C", "cubic"];
    return new Deno.Command("nsenter", {
      args: [
        ...[`--net=${this.pod.path}`, ...AT_ONCE, "iperf3", "-c"],
        ...more.includes(NODE_IP) ? [] : [VPC_IP],
        ...more,
        ...["--connect-timeout", "5000", ...reverse, ...control],
      ],
      stdout: "piped",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.kill();
      await server.status;
    }
    this.lab[Symbol.dispose]();
  }
}

/** Checks a flow's rate, again while the machine is too busy, and shows it. */
async function check(
  t: Deno.TestContext,
  wanted: { readonly bits: number; readonly direction: Direction },
  flow: (direction: Direction) => Promise<number>,
): Promise<void> {
  const { bits: wantedBits, direction } = wanted;
  const name = (bits: number): string =>
    `${direction} ${(bits / 1e6).toFixed(1)} of ${wantedBits / 1e6} Mbit/s`;
  const seen: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bits = await flow(direction);
    seen.push(name(bits));
    assertLess(bits, wantedBits * (1 + TOLERANCE), name(bits));
    if (bits < wantedBits * (1 - TOLERANCE)) continue;
    await t.step(seen.join(", then "), () => {});
    return;
  }
  throw new Error(`Too slow ${ATTEMPTS} times: ${seen.join(", ")}`);
}

for (const form of ["veth", "card"] as const) {
  testWhere({
    needs,
    name: `a pod with a ${form} sends and gets at 10, 100 and 1000 Mbit/s`,
    fn: async (t) => {
      await using scene = new Scene(form);
      await scene.listen();
      for (const bits of [10e6, 100e6, 1000e6]) {
        const half = bits / 2; // so that the wrong one of two is seen
        const flow = (direction: Direction): Promise<number> =>
          scene.flow(direction);
        scene.limit({ egressBitsPerSec: bits, ingressBitsPerSec: half });
        await check(t, { bits, direction: "egress" }, flow);
        scene.limit({ egressBitsPerSec: half, ingressBitsPerSec: bits });
        await check(t, { bits, direction: "ingress" }, flow);
      }
    },
  });
}

testWhere({
  needs,
  name: "what a pod with a card gets by two ways is limited together",
  fn: async (t) => {
    await using scene = new Scene("card");
    scene.limit({ ingressBitsPerSec: 100e6 });
    await scene.listen();
    await scene.listen(scene.lab.node);
    const both = async (direction: Direction): Promise<number> => {
      const flows = [scene.flow(direction), scene.flow(direction, NODE_IP)];
      const [card = 0, pair = 0] = await Promise.all(flows);
      assert(card > 0 && pair > 0);
      return card + pair;
    };
    await check(t, { bits: 100e6, direction: "ingress" }, both);
  },
});

testWhere({
  needs,
  name: "UDP that comes and goes faster than it may is cut to the rate",
  fn: async (t) => {
    await using scene = new Scene("veth");
    await scene.listen();
    scene.limit({ egressBitsPerSec: 10e6, ingressBitsPerSec: 10e6 });
    const args = ["-u", "-b", "30M", "-l", "1400"];
    for (const direction of ["egress", "ingress"] as const) {
      await check(
        t,
        { bits: 10e6, direction },
        (direction) => scene.flow(direction, ...args),
      );
    }
  },
});

testWhere({
  needs,
  name: "a limit is changed under a flow, which goes on at the new rate",
  fn: async () => {
    await using scene = new Scene("veth");
    await scene.listen();
    scene.limit({ egressBitsPerSec: 10e6 });
    const args = ["-t", "3", "-i", "0.5", "-f", "m", "--forceflush"];
    const client = scene.client("egress", args).spawn();
    const lines = client.stdout.pipeThrough(new TextDecoderStream());
    const rates: number[] = [];
    for await (const text of lines) {
      for (const line of text.split("\n")) {
        const mbit = /sec .* ([\d.]+) Mbits\/sec(?! .*(sender|receiver))/
          .exec(line)?.[1];
        if (mbit === undefined) continue;
        rates.push(Number(mbit));
        if (rates.length === 2) scene.limit({ egressBitsPerSec: 100e6 });
      }
    }
    assert((await client.status).success);
    assertLess(rates[1] ?? 0, 15);
    assertGreater(Math.max(...rates.slice(2)), 50);
    assertLess(Math.max(...rates.slice(3)), 120);
  },
});
