/**
 * terway: one executable, several modes, and exactly one of them is loaded.
 *
 * A runtime sets `CNI_COMMAND` and gives no argument; people and pods name the
 * mode. A mode's `main(args)` gives the exit status.
 *
 * @module
 */
import config from "./deno.json" with { type: "json" };

/** What every mode exports. */
interface Mode {
  main(args: readonly string[]): Promise<number>;
}

const MODES: ReadonlyMap<string, () => Promise<Mode>> = new Map([
  ["cni", () => import("./modes/cni/main.ts")],
  ["daemon", () => import("./modes/daemon/main.ts")],
  ["device-plugin", () => import("./modes/device_plugin/main.ts")],
  ["explain", () => import("./modes/operator/explain.ts")],
  ["install", () => import("./modes/install/main.ts")],
  ["plan", () => import("./modes/operator/plan.ts")],
  ["status", () => import("./modes/operator/status.ts")],
]);

const USAGE = `usage: terway MODE [argument...], each with a --help of its own
  daemon         a node's pool of ENIs and addresses, and its pods' network
  device-plugin  tells the kubelet how many ENIs pods can have to themselves
  install        puts plugin and network list in place, and takes them away
  status         what a node's daemon holds, and who waits for what
  explain        one pod: its plan, what differs in the kernel, its history
  plan           how many pods this node's network can serve, in each mode
  cni            the plugin; also when CNI_COMMAND is set, as a runtime does it
  --version
`;

/** What it says of itself when it is asked. */
const ANSWERS: ReadonlyMap<string, string> = new Map([
  ["--version", `${config.version}\n`],
  ["--help", USAGE],
]);

const [name, ...args] = Deno.env.has("CNI_COMMAND") ? ["cni"] : Deno.args;
const load = MODES.get(name ?? "");
if (load === undefined) {
  const asked = ANSWERS.get(name ?? "");
  const stream = asked === undefined ? Deno.stderr : Deno.stdout;
  stream.writeSync(new TextEncoder().encode(asked ?? USAGE));
  Deno.exit(asked === undefined ? 2 : 0);
}
// The process ends here: nothing that is still pending may keep it.
Deno.exit(await (await load()).main(args));
