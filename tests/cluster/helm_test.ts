/** The chart against the manifests, by helm itself. */
import { assertEquals, assertRejects } from "@std/assert";
import { parse, parseAll } from "@std/yaml";
import { findTools } from "./build.ts";
import { run } from "./command.ts";
import { CLUSTER_TOOLS, HELM_TOOL, KUBERNETES_VERSION } from "./tools.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url).pathname;

const tools = await findTools([HELM_TOOL], {
  mayBuild: false,
  onStep: () => {},
});
const others = await findTools(
  CLUSTER_TOOLS.filter(({ name }) => name === "kubectl"),
  { mayBuild: false, onStep: () => {} },
);
const kubectl = others.ok ? others.paths.get("kubectl") ?? "" : "";
const helm = tools.ok ? tools.paths.get("helm") ?? "" : "";
if (!tools.ok) {
  const line = `skipped: the chart against the manifests: ${tools.reason}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}

interface Part {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  data?: Record<string, string>;
}

/** By kind and name; eni_conf by what it says and not by how it is written. */
function byName(text: string): ReadonlyMap<string, unknown> {
  const parts = parseAll(text) as Part[];
  for (const { data } of parts) {
    if (data?.["eni_conf"] === undefined) continue;
    const conf: unknown = parse(data["eni_conf"]);
    Object.assign(data, Object.fromEntries([["eni_conf", conf]]));
  }
  return new Map(
    parts.map((part): [string, unknown] => [
      `${part.kind} ${part.metadata.name}`,
      part,
    ]).sort(([a], [b]) => a < b ? -1 : 1),
  );
}

async function render(...flags: readonly string[]): Promise<string> {
  const what = ["template", "terway", `${DEPLOY}helm`, ...flags];
  const where = ["--namespace", "kube-system"];
  // Without a cluster helm takes one of long ago for granted.
  where.push("--kube-version", KUBERNETES_VERSION);
  return await run([helm, ...what, ...where]);
}

/** What a user edits in each of the manifests. */
const EDITED = [
  "eniConf.vswitches.cn-hangzhou-a={vsw-AAA}",
  "eniConf.security_group=sg-CCC",
  "eniConf.service_cidr=172.21.0.0/20",
].flatMap((pair) => ["--set", pair]);

for (
  const [mode, file] of [
    ["ENIMultiIP", "terway-multiip.yml"],
    ["ENIOnly", "terway-eni.yml"],
    ["VPC", "terway.yml"],
  ] as const
) {
  Deno.test({
    name: `the chart in mode ${mode} makes what ${file} says`,
    ignore: !tools.ok,
    fn: async () => {
      const flags = ["--set", `mode=${mode}`, ...EDITED];
      if (mode === "VPC") flags.push("--set", "network=172.30.0.0/16");
      const written = await Deno.readTextFile(DEPLOY + file);
      assertEquals(byName(await render(...flags)), byName(written));
    },
  });
}

Deno.test({
  name: "the chart with a trunk makes what kustomize/trunk does",
  ignore: !tools.ok || kubectl === "",
  fn: async () => {
    const flags = ["--set", "eniConf.enable_eni_trunking=true", ...EDITED];
    const made = await run([kubectl, "kustomize", `${DEPLOY}kustomize/trunk`]);
    assertEquals(byName(await render(...flags)), byName(made));
  },
});

Deno.test({
  name: "the chart refuses a mode and a value that there aren't",
  ignore: !tools.ok,
  fn: async () => {
    await assertRejects(() => render("--set", "mode=Overlay"), Error, "mode");
    await assertRejects(() => render("--set", "modes=VPC"), Error, "modes");
  },
});
