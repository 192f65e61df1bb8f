/**
 * Seed 002's operation in a real cluster: a vSwitch runs dry, an operator
 * reads why, adds another to eni-config, and pods get addresses again.
 *
 * Run by `deno task test:cluster`; without Go it is skipped aloud.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Cluster } from "../cluster.ts";
import { run, until } from "../command.ts";
import { kubectlCommand, kubectlOf } from "../kubectl.ts";
import { createPod, type PodSeen, runPod, waitForPod } from "../pods.ts";
import { SOON_MS, walk } from "../walk.ts";

/** Eight addresses, of which the cloud keeps four. */
const SMALL_CIDR = "10.200.0.0/29";

/** The vSwitch that runs dry. */
let small = "";

walk(
  "a vSwitch that ran dry is told, and another is taken up without a restart",
  {
    network: "terway",
    nodeCount: 1,
    zoneCount: 1,
    eniConf: ({ cloud, fabric, description }) => {
      const [{ zone } = { zone: "" }] = description.vSwitches;
      const { vpcId } = description;
      small = cloud.addVSwitch({ vpcId, zone, cidr: SMALL_CIDR }).id;
      fabric.addVSwitch(SMALL_CIDR);
      return { vswitches: Object.fromEntries([[zone, [small]]]) };
    },
  },
  async (t, cluster) => {
    await t.step(
      "pods wait once it is dry, and the log says why",
      () => runsDry(cluster, small),
    );
    await t.step(
      "kubectl edit cm eni-config helps those that wait",
      () => isEdited(cluster, small),
    );
    await t.step(
      "daemons that are deleted come back, and serve",
      () => isRestarted(cluster),
    );
  },
);

async function runsDry(
  { kubectl, description }: Cluster,
  small: string,
): Promise<void> {
  for (let number = 1; number <= 4; number++) {
    await createPod(kubectl, { name: `pod-${number}` });
  }
  await until("a pod that waits", { deadlineMs: SOON_MS }, async () => {
    const said = await kubectl(["get", "events", "-o", "json"]);
    return said.includes("AllocIPFailed");
  });
  const pods = await kubectl(["get", "pods"]);
  assertMatch(pods, /ContainerCreating/);
  const log = await kubectl([
    ...["-n", "kube-system", "logs", "--tail=100", "-c", "terway"],
    ...["-l", "app=terway-eniip"],
  ]);
  assert(log.includes("InvalidVSwitchId.IpNotEnough"), log);
  assert(log.includes(small), log);
  const [{ name } = { name: "" }] = description.nodes;
  await until("the node's condition", { deadlineMs: SOON_MS }, async () => {
    const path = '{.status.conditions[?(@.type=="SufficientIP")].status}';
    const words = ["get", "node", name, "-o", `jsonpath=${path}`];
    return await kubectl(words) === "False";
  });
}

async function isEdited(cluster: Cluster, small: string): Promise<void> {
  const { kubectl, description } = cluster;
  const before = await restartsOf(cluster);
  const large = description.cloud.vSwitches[0]?.id;
  const editor = `sed -i 's/"${small}"/"${small}", "${large}"/'`;
  const edit = ["-n", "kube-system", "edit", "cm", "eni-config"];
  await run([
    ...["env", `KUBE_EDITOR=${editor}`] as const,
    ...kubectlCommand(kubectlOf(description), edit),
  ]);
  const pods: PodSeen[] = [];
  for (let number = 1; number <= 4; number++) {
    pods.push(await waitForPod(kubectl, `pod-${number}`));
  }
  const inLarge = pods.filter(({ ip }) => isOf(cluster, ip, large));
  assert(inLarge.length > 0, JSON.stringify(pods));
  assertEquals(await restartsOf(cluster), before);
}

async function isRestarted(cluster: Cluster): Promise<void> {
  const { kubectl, description } = cluster;
  const daemons = ["-n", "kube-system", "-l", "app=terway-eniip"];
  await kubectl(["delete", "pod", ...daemons]);
  const pod = await runPod(kubectl, { name: "late" });
  assert(isOf(cluster, pod.ip, description.cloud.vSwitches[0]?.id), pod.ip);
}

/** Names and restarts of the daemons: a new one has another name. */
async function restartsOf({ kubectl }: Cluster): Promise<string> {
  const path = "{range .items[*]}{.metadata.name} " +
    "{.status.containerStatuses[*].restartCount}{end}";
  return await kubectl([
    ...["-n", "kube-system", "get", "pod", "-l", "app=terway-eniip"],
    ...["-o", `jsonpath=${path}`],
  ]);
}

function isOf(
  { region }: Cluster,
  ip: string,
  vSwitchId: string | undefined,
): boolean {
  const enis = [...region.cloud.model.enis.values()];
  return enis.find(({ ips }) => ips.includes(ip))?.vSwitchId === vSwitchId;
}
