/**
 * The bundles that the executable is made of: one a mode of main.ts, so that
 * each loads only its own, and one for the Worker, which is a file of its own.
 *
 * @module
 */

const ROOT: string = new URL("../", import.meta.url).pathname;

/** The netlink thread. */
const WORKER = { name: "netlink", entry: "netns/worker.ts" } as const;

/** Loaded by a daemon in a cluster alone; no older Deno can load it. */
const KUBERNETES = {
  name: "kubernetes",
  entry: "modes/daemon/kubernetes.ts",
} as const;

/** A first bundle may have to fetch the bundler. */
const BUNDLE_TIMEOUT_MS = 300_000;

/** A bundle: `FOLDER/NAME.js` from a module. */
export interface Bundle {
  /** The file's name without its ending. */
  readonly name: string;
  /** The module, from the repository's root. */
  readonly entry: string;
}

/**
 * Bundles main.ts, modes of it, and the Worker.
 *
 * @param folder Where the bundles go: all in one folder, `main.js` first.
 * @param wanted The modes; all when absent.
 * @returns Their paths, without that of `main.js`.
 */
export async function bundleModes(
  folder: string,
  wanted?: readonly string[],
): Promise<readonly string[]> {
  const source = await Deno.readTextFile(`${ROOT}main.ts`);
  const modes = source.matchAll(
    /\["([\w-]+)", \(\) => import\("\.\/(modes\/[\w/]+\.ts)"\)\]/g,
  );
  const bundles: Bundle[] = [...modes].map(([, name = "", entry = ""]) => ({
    name,
    entry,
  })).filter(({ name }) => wanted?.includes(name) ?? true);
  bundles.push(WORKER, KUBERNETES);
  // Alone, as the first bundle of a machine fetches the bundler, and two at
  // once get in each other's way there.
  await bundleMain(folder, bundles);
  return await Promise.all(bundles.map((each) => bundleOne(folder, each)));
}

/**
 * Bundles one module.
 *
 * @param folder Where the bundle goes.
 * @param bundle The module and the bundle's name.
 * @param external What isn't to be bundled.
 * @returns The bundle's path.
 */
export async function bundleOne(
  folder: string,
  { name, entry }: Bundle,
  ...external: readonly string[]
): Promise<string> {
  const output = `${folder}/${name}.js`;
  const args = ["bundle", "--quiet", "--platform", "deno", "--minify"];
  for (const specifier of external) args.push("--external", specifier);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, "-o", output, entry],
    cwd: ROOT,
    signal: AbortSignal.timeout(BUNDLE_TIMEOUT_MS),
  }).output();
  if (success) return output;
  throw new Error(new TextDecoder().decode(stderr));
}

/** main.ts stays what it is, but imports bundles. */
async function bundleMain(
  folder: string,
  bundles: readonly Bundle[],
): Promise<void> {
  const main = { name: "main", entry: "main.ts" };
  const path = await bundleOne(folder, main, "./modes/*");
  const text = bundles.reduce(
    (text, { name, entry }) => text.replace(`"./${entry}"`, `"./${name}.js"`),
    await Deno.readTextFile(path),
  );
  await Deno.writeTextFile(path, text);
}
