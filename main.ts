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
  ["install", () => import("./modes/install/main.ts")],
  ["status", () => import("./modes/operator/status.ts")],
]);

const USAGE = `usage: terway ${[...MODES.keys()].join("|")} [argument...]
       terway --version
       CNI_COMMAND=... terway < network-configuration
`;

const [name, ...args] = Deno.env.has("CNI_COMMAND") ? ["cni"] : Deno.args;
if (name === "--version") {
  Deno.stdout.writeSync(new TextEncoder().encode(`${config.version}\n`));
  Deno.exit(0);
}
const load = MODES.get(name ?? "");
if (load === undefined) {
  Deno.stderr.writeSync(new TextEncoder().encode(USAGE));
  Deno.exit(2);
}
// The process ends here: nothing that is still pending may keep it.
Deno.exit(await (await load()).main(args));
