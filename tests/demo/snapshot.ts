/**
 * What a stage's cloud and kernel hold, to be compared: the proof that what
 * was made is gone again.
 *
 * @module
 */
import { dumpNamespace, type NamespaceDump } from "../../netns/dump.ts";
import { openNamespace } from "../../netns/namespace.ts";
import { openRoutes } from "../../netns/socket.ts";
import type { CloudDump } from "../emulators/alibaba/dump.ts";
import type { Stage } from "../stage/stage.ts";
import { count } from "../stage/terminal.ts";

/** Everything that pods leave traces in. */
export interface Snapshot {
  /** The cloud's records. */
  readonly cloud: CloudDump;
  /** By name: the nodes' namespaces, and the VPC's own. */
  readonly kernels: Readonly<Record<string, NamespaceDump>>;
}

/**
 * Takes a snapshot.
 *
 * @param stage The stage.
 * @returns Plain data.
 */
export function takeSnapshot(stage: Stage): Snapshot {
  const { region, description } = stage;
  const places = [
    ...description.nodes.map(({ name, netns }) => [name, netns] as const),
    ["the VPC", region.fabric.netns] as const,
  ];
  return {
    cloud: region.cloud.dump(),
    kernels: Object.fromEntries(
      places.map(([name, netns]) => [name, dumpKernel(netns)]),
    ),
  };
}

/**
 * Compares two snapshots.
 *
 * @param before What was.
 * @param after What is.
 * @returns A line for every part that isn't as before; none is what one hopes.
 */
export function differences(before: Snapshot, after: Snapshot): string[] {
  const [old, now] = [parts(before), parts(after)];
  return Object.keys({ ...old, ...now })
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => {
      const [was, is] = [old[name] ?? [], now[name] ?? []].map(lines);
      const lost = was?.filter((line) => !is?.includes(line)) ?? [];
      const more = is?.filter((line) => !was?.includes(line)) ?? [];
      return [
        `${name}:`,
        ...lost.map((line) => `    gone  ${line}`),
        ...more.map((line) => `    left  ${line}`),
      ].join("\n");
    });
}

/**
 * Says what a snapshot holds, in figures.
 *
 * @param snapshot The snapshot.
 * @returns A row for the cloud and for each kernel: its name, what is in it.
 */
export function figures({ cloud, kernels }: Snapshot): [string, string][] {
  const free = cloud.vSwitches.reduce(
    (sum, { availableIpCount }) => sum + availableIpCount,
    0,
  );
  return [
    [
      "the cloud",
      `${count(cloud.enis.length, "ENI")}, ${count(free, "free address")}`,
    ],
    ...Object.entries(kernels).map(([name, dump]): [string, string] => [
      name,
      [
        count(dump.links.length, "link"),
        count(dump.addresses.length, "address"),
        count(dump.routes.length, "route"),
        count(dump.rules.length, "rule"),
        count(dump.neighbours.length, "permanent neighbour"),
      ].join(", "),
    ]),
  ];
}

function parts({ cloud, kernels }: Snapshot): Record<string, unknown> {
  const all: [string, unknown][] = Object.entries(cloud);
  for (const [name, dump] of Object.entries(kernels)) {
    for (const [kind, objects] of Object.entries(dump)) {
      all.push([`${name}, ${kind}`, objects]);
    }
  }
  return Object.fromEntries(all);
}

function lines(objects: unknown): string[] {
  return [objects].flat().map((object) => JSON.stringify(object));
}

function dumpKernel(netns: string): NamespaceDump {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  return dumpNamespace(routes);
}
