/**
 * What a packet costs on each datapath, between two nodes of the fabric, as
 * shares of what it costs between the nodes themselves in the same rounds.
 *
 * A card of the fabric is a veth pair to a router, and all of it is this one
 * machine: figures are to be read as shares, not as a cloud's.
 *
 * @module
 */
import type { Ip } from "../../netns/ip.ts";
import { Fixture, NODE_IPS } from "../fabric/fixture.ts";
import { percentile, round } from "./figures.ts";
import { NETWORK_PACKAGES } from "../packages.ts";
import { C_COMPILER, compileNative } from "./native.ts";
import type { Part, PartOptions } from "./part.ts";

/** How long each is measured in a round. */
const SLICE_MS = 200;

const PORT = 7007;

/** One end: where, and as whom. */
interface End {
  readonly netns: string;
  readonly ip: Ip;
}

/** A node of a fixture. */
type NodeName = "n1" | "n2";

/** How an end of each kind comes about; the first is what others are held to. */
const DATAPATHS: Readonly<
  Record<string, (fixture: Fixture, node: NodeName) => End>
> = {
  node: ({ nodes }, node) => ({
    netns: nodes[node].netns,
    ip: NODE_IPS[node][0],
  }),
  policyRouting: (fixture, node) => {
    const ip = `10.${node[1]}.0.10`;
    return { netns: fixture.addPod(node, ip), ip };
  },
  vpcRoute: (fixture, node) => endOf(fixture.addVpcPod(node, 4)),
  exclusiveEni: (fixture, node) => endOf(fixture.addExclusivePod(node, 2)),
};

/** What one slice came to. */
interface Slice {
  /** Answers, or Gbit, in a second. */
  readonly rate: number;
  /** CPU time of both ends, in ms, for 1,000 answers or a Gbit. */
  readonly cpuMs: number;
}

/** A path under measurement. */
interface Path {
  readonly name: string;
  readonly client: End;
  readonly server: End;
  readonly slices: Record<Kind, Slice[]>;
}

/** Questions and answers, or a stream. */
type Kind = "ask" | "send";

/** Packets. */
export const packets: Part = {
  name: "packets",
  title: "packets from pod to pod of another node, by datapath",
  needs: [...NETWORK_PACKAGES, C_COMPILER],
  measure,
};

async function measure(
  { roundCount, say }: PartOptions,
): Promise<Record<string, unknown>> {
  await using parts = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "terway-bench-" });
  parts.defer(() => Deno.remove(dir, { recursive: true }));
  const program = await compileNative("traffic", dir);
  const fixture = parts.use(await Fixture.open());
  fixture.letNodesForward();
  const paths: Path[] = [];
  for (const [name, end] of Object.entries(DATAPATHS)) {
    const [client, server] = [end(fixture, "n1"), end(fixture, "n2")];
    parts.use(await serve(program, server));
    paths.push({ name, client, server, slices: { ask: [], send: [] } });
  }
  for (let at = -1; at < roundCount; at++) {
    for (const kind of ["ask", "send"] as const) {
      for (const path of turned(paths, at)) {
        const slice = await call(program, path, kind);
        if (at >= 0) path.slices[kind].push(slice); // the first warms up
      }
    }
  }
  const found = Object.fromEntries(paths.map((path) => [
    path.name,
    { tcpRr: told(path, paths, "ask"), tcpStream: told(path, paths, "send") },
  ]));
  for (const [name, { tcpRr, tcpStream }] of Object.entries(found)) {
    say(
      `${name.padEnd(13)} ${tcpRr.perSecond} answers/s, ${tcpRr.ratioToNode} ` +
        `x node; ${tcpStream.perSecond} Gbit/s, ${tcpStream.ratioToNode} x ` +
        `node; CPU ${tcpStream.cpuMs} ms/Gbit, ${tcpStream.cpuRatioToNode} x ` +
        `node, ${tcpRr.cpuMs} ms/1000 answers, ${tcpRr.cpuRatioToNode} x node`,
    );
  }
  return { packets: found };
}

/** Medians, and medians of what the same round gave the nodes. */
function told(
  { slices }: Path,
  [node]: readonly Path[],
  kind: Kind,
): Record<string, number> {
  const own = slices[kind];
  const median = (of: (slice: Slice, at: number) => number): number =>
    percentile(own.map(of), 0.5);
  const peer = (at: number): Slice => node?.slices[kind][at] ?? NOTHING;
  return {
    perSecond: round(median(({ rate }) => rate), 2),
    ratioToNode: round(median(({ rate }, at) => rate / peer(at).rate), 3),
    cpuMs: round(median(({ cpuMs }) => cpuMs), 1),
    cpuRatioToNode: round(
      median(({ cpuMs }, at) => cpuMs / peer(at).cpuMs),
      2,
    ),
  };
}

const NOTHING: Slice = { rate: NaN, cpuMs: NaN };

/** Each round another one is the first. */
function turned<T>(all: readonly T[], round: number): readonly T[] {
  const first = (round + all.length) % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

async function serve(
  program: string,
  { netns, ip }: End,
): Promise<AsyncDisposable> {
  const child = new Deno.Command("nsenter", {
    args: [`--net=${netns}`, program, "serve", ip, String(PORT)],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read(); // "listening"
  if (done) throw new Error(`nothing listens on ${ip}`);
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      await reader.cancel();
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

async function call(
  program: string,
  { client, server }: Path,
  kind: Kind,
): Promise<Slice> {
  const to = [server.ip, String(PORT), String(SLICE_MS)];
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=${client.netns}`, program, kind, ...to],
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr);
    throw new Error(`${client.ip} can't call ${server.ip}: ${why}`);
  }
  const [count = NaN, wallUs = NaN, cpuUs = NaN] = new TextDecoder()
    .decode(stdout).split(" ").map(Number);
  const units = kind === "ask" ? count : count * 8 / 1e9;
  const cpuUnits = kind === "ask" ? count / 1_000 : units;
  return { rate: units / wallUs * 1e6, cpuMs: cpuUs / 1_000 / cpuUnits };
}

function endOf(pod: { netns: string; ips: readonly Ip[] }): End {
  return { netns: pod.netns, ip: pod.ips[0] ?? "" };
}
