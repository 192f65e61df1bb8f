/**
 * `deno task stage`: a stage in the background, and its pods.
 *
 * @module
 */
import { join } from "node:path";
import {
  type Command,
  type PodCommand,
  readCommand,
  type UpCommand,
  USAGE,
} from "./arguments.ts";
import { serveStage, startStage } from "./background.ts";
import {
  DEFAULT_STAGE_DIR,
  findNode,
  readDescription,
  type StageDescription,
  StageError,
} from "./description.ts";
import { readProcesses, tearDown } from "./ledger.ts";
import { PluginError } from "./plugin.ts";
import {
  addPod,
  checkPod,
  listPods,
  type PodHost,
  readPod,
  removePod,
} from "./pods.ts";
import { isRunning } from "./process.ts";
import { denoCommand, Printer, table } from "./terminal.ts";

/** Runs a command. Gives the exit status. */
async function main(words: readonly string[]): Promise<number> {
  const printer = Printer.stdout();
  try {
    const command = readCommand(words);
    if (command.name !== "help" && Deno.uid() !== 0) {
      throw new StageError("Network namespaces need root: use sudo");
    }
    return await run(command, printer);
  } catch (error) {
    if (!(error instanceof StageError || error instanceof PluginError)) {
      throw error;
    }
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    return error instanceof PluginError ? 3 : 2;
  }
}

async function run(command: Command, printer: Printer): Promise<number> {
  const { dir } = command;
  switch (command.name) {
    case "help":
      printer.say(USAGE.trimEnd());
      return 0;
    case "serve":
      await serveStage(command);
      return 0;
    case "up":
      await up(command, printer);
      return 0;
    case "down":
      await tearDown(dir);
      printer.say(`${dir} is gone, with its namespaces and processes`);
      return 0;
    case "status":
      return await tellStatus(dir, printer);
    case "node exec": {
      const node = findNode(await readDescription(dir), command.node);
      return await exec(node.netns, command.command);
    }
    default:
      return await runPodCommand(command, printer);
  }
}

async function runPodCommand(
  command: PodCommand,
  printer: Printer,
): Promise<number> {
  const { dir } = command;
  const host: PodHost = { dir, description: await readDescription(dir) };
  switch (command.name) {
    case "pod add": {
      const node = command.node ?? await quietestNode(host);
      const pod = await addPod(host, { name: command.pod, node });
      const ms = pod.addMs.toFixed(1);
      printer.say(`${pod.name} is on ${node} with ${pod.ip}, in ${ms} ms`);
      return 0;
    }
    case "pod check":
      await checkPod(host, command.pod);
      printer.say(`${command.pod} is as ADD left it`);
      return 0;
    case "pod del": {
      const tookMs = await removePod(host, command.pod);
      printer.say(`${command.pod} is gone, in ${tookMs.toFixed(1)} ms`);
      return 0;
    }
    case "pod ls":
      printer.say(await podTable(host));
      return 0;
    case "pod exec": {
      const pod = await readPod(host, command.pod);
      return await exec(pod.sandbox.netns, command.command);
    }
  }
}

async function up(command: UpCommand, printer: Printer): Promise<void> {
  const { dir } = command;
  const interrupt = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupt.abort());
  Deno.addSignalListener("SIGTERM", () => interrupt.abort());
  const description = await startStage(command, interrupt.signal);
  const flag = dir === DEFAULT_STAGE_DIR ? "" : ` --dir ${dir}`;
  const deno = denoCommand();
  printer.say(nodeTable(description));
  printer.say(`\nThe cloud's API is at http://${description.cloud.endpoint}, \
all else in ${join(dir, "stage.json")}. Now, for example:

  ${deno} task stage pod add web${flag}
  ${deno} task stage pod exec web${flag} -- ping -c 1 ${
    description.nodes.at(-1)?.primaryIp
  }
  ${deno} task stage down${flag}`);
}

async function tellStatus(dir: string, printer: Printer): Promise<number> {
  const processes = await readProcesses(dir);
  const ended = processes.filter((process) => !isRunning(process));
  printer.say(table(
    ["process", "pid", "state"],
    processes.map((process) => [
      process.role,
      `${process.pid}`,
      isRunning(process) ? "runs" : "has ended",
    ]),
  ));
  const description = await readDescription(dir);
  printer.say(`\n${nodeTable(description)}`);
  const pods = await podTable({ dir, description });
  printer.say(`\n${pods}`);
  return ended.length === 0 ? 0 : 1;
}

function nodeTable({ nodes }: StageDescription): string {
  return table(
    ["node", "zone", "address", "instance", "type", "daemon"],
    nodes.map((node) => [
      node.name,
      node.zone,
      node.primaryIp,
      node.instanceId,
      node.instanceType,
      `pid ${node.daemonPid}`,
    ]),
  );
}

async function podTable(host: PodHost): Promise<string> {
  const pods = await listPods(host);
  if (pods.length === 0) return "no pods";
  return table(
    ["pod", "node", "address", "namespace", "ms"],
    pods.map(({ name, node, ip, sandbox, addMs }) => [
      name,
      node,
      ip ?? "none yet",
      sandbox.netns,
      addMs?.toFixed(1) ?? "-",
    ]),
  );
}

async function quietestNode(host: PodHost): Promise<string> {
  const pods = await listPods(host);
  const counted = host.description.nodes.map(({ name }) => ({
    name,
    podCount: pods.filter((pod) => pod.node === name).length,
  }));
  const [first] = counted.sort((a, b) => a.podCount - b.podCount);
  return first?.name ?? "";
}

/** Runs a command in a namespace, on this terminal. */
async function exec(
  netns: string,
  command: readonly [string, ...string[]],
): Promise<number> {
  // Ctrl-C is the command's: this process waits for what it makes of it.
  Deno.addSignalListener("SIGINT", () => {});
  const { code } = await new Deno.Command("nsenter", {
    args: [`--net=${netns}`, "--", ...command],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

Deno.exit(await main(Deno.args));
