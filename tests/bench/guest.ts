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
import { GuestNode } from "../guest/node.ts";
import { type BenchLab, type Datapath, DATAPATHS } from "./guest_lab.ts";
import { compileNative } from "./native.ts";
import type { Part } from "./part.ts";

/** How long one of a turn's two measurements is. */
const TURN_MS = 400;
const PORT = "7777";

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
  measure: async ({ roundCount, say }) => {
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
    const turns = new Map<Datapath, Turn[]>(DATAPATHS.map((one) => [one, []]));
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
    for (let round = -1; round < roundCount; round++) {
      for (let i = 0; i < DATAPATHS.length; i++) {
        const datapath = DATAPATHS[(i + round + 1) % DATAPATHS.length];
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
      DATAPATHS.map((one) => [one, summary(turns.get(one) ?? [])]),
    );
    for (
      const [datapath, { perSec, usEach, cpuPerGbit }] of Object.entries(
        figures,
      )
    ) {
      say(
        `${datapath.padEnd(7)} ${perSec.toFixed(0)} questions/s, ` +
          `${usEach.toFixed(1)} µs of CPU each, ` +
          `${cpuPerGbit.toFixed(3)} s of CPU a Gbit (medians)`,
      );
    }
    return { guest: figures };
  },
};

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
