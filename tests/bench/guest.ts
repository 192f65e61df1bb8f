/**
 * How pods share a card, compared in one guest: policy routing, IPvlan with
 * u32, IPvlan with eBPF. Turns are interleaved, so that a busy machine is busy
 * for all of them alike.
 *
 * What the guest's processor did is read off this machine: the guest's own
 * accounts tell nothing, as its clock follows this machine's load. It is all of
 * the guest, both ends and the VPC between them; what differs is the datapath.
 *
 * @module
 */
import { bundleOne } from "../../deploy/bundle.ts";
import { until } from "../guest/looks.ts";
import { whyNoGuest } from "../guest.ts";
import { GuestNode } from "../guest/node.ts";
import { type BenchLab, type Datapath, DATAPATHS } from "./guest_lab.ts";
import { NETWORK_PACKAGES, TEST_PACKAGES } from "../packages.ts";
import { C_COMPILER, compileNative } from "./native.ts";
import type { Part, PartOptions } from "./part.ts";

/** How long one of a turn's two measurements is. */
const TURN_MS = 400;
const PORT = "7777";
/** A guest ends itself after ten minutes, of which a boot may take two. */
const MEASURE_LIMIT_MS = 450_000;

/** A kernel of its own, its modules, its disk. */
const GUEST_PACKAGES = ["user-mode-linux", "kmod", "e2fsprogs"];

/** What a turn gave. */
interface Turn {
  /** Questions answered in a second, a byte each. */
  readonly perSec: number;
  /** Microseconds of a processor a question and its answer. */
  readonly usEach: number;
  /** Seconds of a processor for a gigabit. */
  readonly cpuPerGbit: number;
}

/** The part. */
export const guestPart: Part = {
  name: "guest",
  title: "policy routing, IPvlan with u32 and with eBPF, in one guest",
  needs: [
    ...NETWORK_PACKAGES,
    C_COMPILER,
    ...TEST_PACKAGES.filter(({ name }) => GUEST_PACKAGES.includes(name)),
  ],
  measure: async ({ roundCount, say }) => {
    const why = whyNoGuest();
    if (why !== undefined) throw new Error(`No guest can be had: ${why}`);
    await using node = await GuestNode.open({ modules: ["ipv6"] });
    const { guest, dir } = node;
    const folder = `${dir}/n1`;
    const traffic = await compileNative("traffic", folder);
    const steer = await compileNative("steer_bpf", folder);
    const entry = "tests/bench/guest_lab.ts";
    const lab = await bundleOne(folder, { name: "guest_lab", entry });
    const run = ["run", "-A", "--no-config", "--no-check", lab, steer];
    const made: BenchLab = JSON.parse(
      await guest.text(Deno.execPath(), ...run),
    );
    const measured = DATAPATHS.filter((one) => made.pods[one] !== undefined);
    if (made.missing !== undefined) say(`not measured: ${made.missing}`);
    await node.killDaemon();
    const log = `${folder}/traffic.log`;
    await guest.ask("start", {
      command: [
        ...["nsenter", `--net=${made.other}`, traffic] as const,
        ...["serve", made.otherIp, PORT],
      ],
      log,
    });
    await until(
      "the other node listens",
      async () =>
        (await Deno.readTextFile(log).catch(() => "")).includes("listening"),
    );
    const turns = new Map<Datapath, Turn[]>(measured.map((one) => [one, []]));
    const measure = async (
      kind: "ask" | "send",
      datapath: Datapath,
    ): Promise<{ count: number; wallSec: number; cpuSec: number }> => {
      const before = guest.cpuMs();
      const text = await guest.text(
        ...["nsenter", `--net=${made.pods[datapath]}`, traffic] as const,
        ...[kind, made.otherIp, PORT, String(TURN_MS)],
      );
      const cpuSec = (guest.cpuMs() - before) / 1_000;
      const [count = 0, wallUs = 1] = text.trim().split(" ").map(Number);
      return { count, wallSec: wallUs / 1e6, cpuSec };
    };
    const endMs = performance.now() + MEASURE_LIMIT_MS;
    for (let round = -1; round < roundCount; round++) {
      if (performance.now() > endMs) {
        say(`ended after ${round} rounds: the guest doesn't live for more`);
        break;
      }
      for (let i = 0; i < measured.length; i++) {
        const datapath = measured[(i + round + 1) % measured.length];
        if (datapath === undefined) continue;
        const asked = await measure("ask", datapath);
        const sent = await measure("send", datapath);
        if (round < 0) continue; // the first warms up
        turns.get(datapath)?.push({
          perSec: asked.count / asked.wallSec,
          usEach: asked.cpuSec * 1e6 / asked.count,
          cpuPerGbit: sent.cpuSec / (sent.count * 8 / 1e9),
        });
      }
    }
    const figures = Object.fromEntries(
      measured.map((one) => [one, summary(turns.get(one) ?? [])]),
    );
    tell(figures, say);
    return { guest: figures };
  },
};

function tell(
  figures: Readonly<Record<string, Turn>>,
  say: PartOptions["say"],
): void {
  for (const [datapath, turn] of Object.entries(figures)) {
    const { perSec, usEach, cpuPerGbit } = turn;
    say(
      `${datapath.padEnd(7)} ${perSec.toFixed(0)} questions/s, ` +
        `${usEach.toFixed(1)} µs of CPU each, ` +
        `${cpuPerGbit.toFixed(3)} s of CPU a Gbit (medians)`,
    );
  }
}

function summary(turns: readonly Turn[]): Turn {
  const median = (pick: (turn: Turn) => number): number => {
    const sorted = turns.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  return {
    perSec: median(({ perSec }) => perSec),
    usEach: median(({ usEach }) => usEach),
    cpuPerGbit: median(({ cpuPerGbit }) => cpuPerGbit),
  };
}
