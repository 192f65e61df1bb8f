/** The manifests against what kustomize makes, by the cluster's kubectl. */
import { assertEquals } from "@std/assert";
import { parseAll } from "@std/yaml";
import { findTools } from "./build.ts";
import { run } from "./command.ts";
import { CLUSTER_TOOLS } from "./tools.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url).pathname;

const tools = await findTools(
  CLUSTER_TOOLS.filter(({ name }) => name === "kubectl"),
  { mayBuild: false, onStep: () => {} },
);
const kubectl = tools.ok ? tools.paths.get("kubectl") ?? "" : "";
if (!tools.ok) {
  const line = `skipped: kustomize against the manifests: ${tools.reason}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}

/** By kind and name: kustomize has an order of its own. */
function byName(text: string): ReadonlyMap<string, unknown> {
  const objects = parseAll(text) as {
    kind: string;
    metadata: { name: string };
    data?: Record<string, string>;
  }[];
  return new Map(
    objects.map((object) => [`${object.kind} ${object.metadata.name}`, object])
      .sort(([a], [b]) => String(a) < String(b) ? -1 : 1) as [
        string,
        unknown,
      ][],
  );
}

for (
  const [folder, file] of [
    ["base", "terway-multiip.yml"],
    ["eni", "terway-eni.yml"],
    ["vpc", "terway.yml"],
  ] as const
) {
  Deno.test({
    name: `kustomize/${folder} makes what ${file} says`,
    ignore: !tools.ok,
    fn: async () => {
      const made = await run([
        kubectl,
        "kustomize",
        `${DEPLOY}kustomize/${folder}`,
      ]);
      const written = await Deno.readTextFile(DEPLOY + file);
      assertEquals(byName(made), byName(written));
    },
  });
}
