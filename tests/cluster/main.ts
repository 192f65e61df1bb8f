/**
 * `deno task cluster`: a real Kubernetes in the background.
 *
 * @module
 */
import { StageError } from "../stage/description.ts";
import { SERVER_LOG } from "../stage/ledger.ts";
import { Printer, table } from "../stage/terminal.ts";
import { type Command, readCommand, USAGE } from "./arguments.ts";
import { restartDaemon, serveCluster, startCluster } from "./background.ts";
import { findTools } from "./build.ts";
import { CONFORMANCE_COUNT, conformanceCommand } from "./conformance.ts";
import { CommandError, run as runCommand, TimeoutError } from "./command.ts";
import {
  type ClusterDescription,
  ClusterError,
  DEFAULT_CLUSTER_DIR,
  findMachine,
  readCluster,
} from "./description.ts";
import { makeImages } from "./images.ts";
import { kubectlCommand, kubectlOf, makeKubectl } from "./kubectl.ts";
import { ensurePackages } from "../packages.ts";
import { AGNHOST_PACKAGES, CLUSTER_PACKAGES } from "./requirements.ts";
import { tearDownCluster } from "./ledger.ts";
import { loadImages } from "./node.ts";
import { installTerway, makeTerwayImage } from "./terway.ts";
import { CLUSTER_TOOLS, CONFORMANCE_TOOLS, HELM_TOOL } from "./tools.ts";
import { enterCommand } from "./tree.ts";

/** Runs a command. Gives the exit status. */
async function main(words: readonly string[]): Promise<number> {
  const printer = Printer.stdout();
  try {
    const command = readCommand(words);
    if (!["help", "build"].includes(command.name) && Deno.uid() !== 0) {
      throw new ClusterError("Namespaces need root: use sudo");
    }
    return await run(command, printer);
  } catch (error) {
    const isExpected = error instanceof StageError ||
      error instanceof CommandError || error instanceof TimeoutError;
    if (!isExpected) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    return 2;
  }
}

async function run(command: Command, printer: Printer): Promise<number> {
  const { dir } = command;
  const onStep = (line: string): void => printer.say(line);
  switch (command.name) {
    case "help":
      printer.say(USAGE.trimEnd());
      return 0;
    case "build":
      return await build(onStep);
    case "serve":
      await serveCluster(command, onStep);
      return 0;
    case "up":
      return await up(command, printer);
    case "down":
      await tearDownCluster(dir);
      printer.say(`${dir} is gone, with its machines`);
      return 0;
    case "kill":
      await restartDaemon(dir, command.machine, command.daemon);
      return 0;
  }
  const description = await readCluster(dir);
  switch (command.name) {
    case "status":
      return await tellStatus(description, printer);
    case "kubectl":
      return await exec(kubectlCommand(kubectlOf(description), command.words));
    case "exec": {
      const { pid } = findMachine(description, command.machine);
      return await exec(enterCommand(pid, command.command));
    }
    case "e2e": {
      const { focus } = command;
      const wish = { dir, description, focus, processCount: CONFORMANCE_COUNT };
      return await exec(await conformanceCommand(wish));
    }
    case "load":
      await load(description, command.files);
      return 0;
    case "install":
      await load(description, [await makeTerwayImage(onStep)]);
      await installTerway({
        kubectl: makeKubectl(kubectlOf(description)),
        cloud: description.cloud,
        manifest: "terway-multiip.yml",
      });
      onStep("terway is applied: deno task cluster kubectl get pods -A");
      return 0;
  }
}

async function load(
  { nodes }: ClusterDescription,
  archives: readonly string[],
): Promise<void> {
  for (const { pid } of nodes) {
    await loadImages({
      run: (words, options) => runCommand(enterCommand(pid, words), options),
    }, archives);
  }
}

/** Without Go it is skipped aloud: nobody needs a cluster for the rest. */
async function build(onStep: (line: string) => void): Promise<number> {
  await ensurePackages(
    [...CLUSTER_PACKAGES, ...AGNHOST_PACKAGES],
    { yes: false, say: onStep },
  );
  const tools = await findTools(
    [...CLUSTER_TOOLS, ...CONFORMANCE_TOOLS, HELM_TOOL],
    { mayBuild: true, onStep },
  );
  if (!tools.ok) {
    onStep(`skipped: ${tools.reason}`);
    return 0;
  }
  await makeImages(tools.paths, onStep);
  onStep("all is built: deno task cluster up");
  return 0;
}

async function up(
  command: Extract<Command, { name: "up" | "serve" }>,
  printer: Printer,
): Promise<number> {
  const { dir } = command;
  const interrupt = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupt.abort());
  Deno.addSignalListener("SIGTERM", () => interrupt.abort());
  const startMs = Date.now();
  const onLine = (line: string): void => {
    const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
    printer.say(`${seconds.padStart(5)} s  ${line}`);
  };
  const description = await startCluster(command, {
    onLine,
    signal: interrupt.signal,
  });
  const flag = dir === DEFAULT_CLUSTER_DIR ? "" : ` --dir ${dir}`;
  printer.say(`\n${machineTable(description)}`);
  printer.say(`\nThe cloud's API is at http://${description.cloud.endpoint}; \
what the server says is in ${dir}/${SERVER_LOG}, the daemons' logs are in \
${dir}/log. Now, for example:

  deno task cluster${flag} kubectl get nodes -o wide
  deno task cluster${flag} exec n1 -- ip address
  deno task cluster${flag} down`);
  return 0;
}

function machineTable(
  { controlPlane, nodes }: ClusterDescription,
): string {
  return table(
    ["machine", "zone", "address", "instance", "type"],
    [controlPlane, ...nodes].map((machine) => [
      machine.name,
      machine.zone,
      machine.primaryIp,
      machine.instanceId,
      machine.instanceType,
    ]),
  );
}

async function tellStatus(
  description: ClusterDescription,
  printer: Printer,
): Promise<number> {
  printer.say(machineTable(description));
  for (const words of [["nodes"], ["pods", "-A"]]) {
    const command = ["get", ...words, "-o", "wide"];
    const kubectl = kubectlCommand(kubectlOf(description), command);
    printer.say(`\n${(await runCommand(kubectl)).trimEnd()}`);
  }
  for (
    const { name, pid } of [description.controlPlane, ...description.nodes]
  ) {
    const ps = ["ps", "-eo", "rss=,etimes=,comm=", "--sort=-rss"] as const;
    const lines = (await runCommand(enterCommand(pid, [...ps]))).trimEnd()
      .split("\n").map((line) => line.trim().split(/\s+/))
      .filter(([rss]) => Number(rss) > 4_000)
      .map(([rss, seconds = "", program = ""]) => [
        program,
        `${Math.round(Number(rss) / 1024)} MiB`,
        `${seconds} s`,
      ]);
    printer.say(`\n${table([name, "memory", "runs for"], lines)}`);
  }
  return 0;
}

/** Runs a command on this terminal. */
async function exec(
  [program, ...args]: readonly [string, ...string[]],
): Promise<number> {
  // Ctrl-C is the command's: this process waits for what it makes of it.
  Deno.addSignalListener("SIGINT", () => {});
  const { code } = await new Deno.Command(program, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

Deno.exit(await main(Deno.args));
