/**
 * `terway plan`: what a node could do, worked out before it does it.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { podCidrCapacity } from "../../pool/pod_cidr.ts";
import { messageOf, print, readCommandLine } from "../command_line.ts";
import { DEFAULT_SOCKET } from "../wire.ts";
import { type ModeRoom, roomsOf } from "./max_pods.ts";
import { askQuota, type Quota } from "./quota.ts";

const USAGE = `terway plan: what this node could do

  terway plan max-pods  how many pods its network can serve in each mode, and
                        what the kubelet's --max-pods may say

  --pod-cidr CIDR    the node's pod CIDR, for mode VPC [the daemon's]
  --host-pods COUNT  pods of the host's network on each node, such as daemons:
                     the kubelet counts them, and they need no address [0]
  --ip-prefix        as with enable_ip_prefix: a prefix in place of each
                     secondary address of an ENI, whatever the daemon has
  --socket PATH      where the daemon is asked [${DEFAULT_SOCKET}]
  --json             as JSON
  --help             this text

Without a daemon the instance's metadata and the cloud are asked, with the
daemon's environment: AK_ID and AK_SECRET, else the instance's RAM role.
`;

/** More than any node may run. */
const HOST_PODS_LIMIT = 1_000;

/** What the command line says. */
interface Wish {
  readonly socket: string;
  readonly podCidr: NonNullable<Quota["podCidr"]> | undefined;
  readonly hostPodCount: number;
  readonly hasPrefixes: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/**
 * Plans, and prints the plan.
 *
 * @param args What follows `terway plan`.
 * @returns The exit status: 0, 1 when nobody tells the node's quota, 2 for a
 * wrong command line.
 */
export async function main(args: readonly string[]): Promise<number> {
  const wish = readCommandLine(
    { mode: "plan", usage: USAGE },
    () => readArguments(args),
  );
  if (typeof wish === "number") return wish;
  const { socket, podCidr, hostPodCount, hasPrefixes, json } = wish;
  try {
    const told = await askQuota(socket, { hasPrefixes });
    const quota = podCidr === undefined ? told : { ...told, podCidr };
    const rooms = roomsOf(quota, hostPodCount);
    print(Deno.stdout, json ? toJson(quota, rooms) : toText(quota, rooms));
    return 0;
  } catch (error) {
    print(
      Deno.stderr,
      `terway plan: nobody tells this node's quota: no daemon answers on ` +
        `${socket}, and the cloud can't be asked: ${messageOf(error)}\n` +
        "Run it on the node, beside its daemon, or with what the daemon needs " +
        "to ask the cloud: see terway plan --help\n",
    );
    return 1;
  }
}

function readArguments(args: readonly string[]): Wish {
  const problems: string[] = [];
  const flags = parseArgs([...args], {
    string: ["socket", "pod-cidr", "host-pods", "_"],
    boolean: ["ip-prefix", "json", "help"],
    default: { socket: DEFAULT_SOCKET, "pod-cidr": "", "host-pods": "0" },
    unknown: (arg) => {
      if (!arg.startsWith("-")) return true;
      problems.push(`${arg} is not known`);
      return false;
    },
  });
  const words = flags._.map(String);
  if (!flags.help && (words.length !== 1 || words[0] !== "max-pods")) {
    problems.push(`max-pods must be asked for: it is "${words.join(" ")}"`);
  }
  const hostPodCount = Number(flags["host-pods"]);
  if (!/^\d+$/.test(flags["host-pods"]) || hostPodCount > HOST_PODS_LIMIT) {
    problems.push(
      `--host-pods must be 0 to ${HOST_PODS_LIMIT}: it is "${
        flags["host-pods"]
      }"`,
    );
  }
  const cidr = flags["pod-cidr"];
  let podCidr: Wish["podCidr"];
  try {
    if (cidr !== "") podCidr = { cidr, capacity: podCidrCapacity(cidr) };
  } catch {
    problems.push(
      "--pod-cidr must be an IPv4 prefix of 8 to 29 bits, such as " +
        `172.30.0.0/24: it is "${cidr}"`,
    );
  }
  if (problems.length > 0) throw new SyntaxError(problems.join("; "));
  const { socket, json, help, "ip-prefix": hasPrefixes } = flags;
  return { socket, podCidr, hostPodCount, hasPrefixes, json, help };
}

function toJson(quota: Quota, rooms: readonly ModeRoom[]): string {
  const { source, instanceId, instanceType, daemonMode, typeEniCount } = quota;
  return JSON.stringify(
    {
      schema: 1,
      source,
      instanceId,
      instanceType,
      typeEniCount,
      eniCount: quota.eniCount,
      daemonMode,
      modes: rooms,
    },
    null,
    2,
  ) + "\n";
}

function toText(quota: Quota, rooms: readonly ModeRoom[]): string {
  const { source, instanceId, instanceType, typeEniCount, eniCount } = quota;
  const by = source === "daemon"
    ? `its daemon, in mode ${quota.daemonMode}`
    : `the type alone, without eni_conf and others' ENIs, as no daemon tells: ${
      quota.problem ?? ""
    }`;
  return [
    `node        ${instanceId} (${instanceType}): ${typeEniCount} ENIs, ` +
    `${eniCount} of them for pods`,
    `told by     ${by}`,
    ...rooms.map(({ mode, podCount, maxPods, because }) =>
      `${mode.padEnd(10)}  ` +
      (podCount === undefined
        ? because
        : `${podCount} pods: --max-pods=${maxPods} (${because})`)
    ),
    "The kubelet's flag is maxPods in a KubeletConfiguration. It counts pods of",
    "the host's network too, which need no address: see --host-pods.",
  ].join("\n") + "\n";
}
