import { assert, assertEquals } from "@std/assert";
import { parseAll } from "@std/yaml";
import { decodeConfig } from "../modes/daemon/config.ts";

/** The parts of a container that are looked at. */
interface Container {
  readonly name: string;
  readonly command: readonly string[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly capabilities: {
      readonly drop: readonly string[];
      readonly add?: readonly string[];
    };
  };
}

/** What of root's rights each container keeps. */
const RIGHTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["install", ["DAC_OVERRIDE"]],
  ["terway", ["NET_ADMIN", "SYS_ADMIN", "DAC_OVERRIDE"]],
  ["device-plugin", []],
]);

/** The parts of an object that are looked at. */
interface Part {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: { readonly app: string };
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly {
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
  readonly spec?: {
    readonly template: {
      readonly metadata: { readonly labels: { readonly app: string } };
      readonly spec: {
        readonly hostNetwork: boolean;
        readonly priorityClassName: string;
        readonly initContainers: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly {
          readonly name: string;
          readonly hostPath?: { readonly path: string };
        }[];
      };
    };
  };
}

const MANIFESTS = [
  ["terway-multiip.yml", "terway-eniip", "ENIMultiIP"],
  ["terway-eni.yml", "terway-eni", "ENIOnly"],
  ["terway.yml", "terway", "VPC"],
] as const;

async function textOf(file: string): Promise<string> {
  return await Deno.readTextFile(new URL(file, import.meta.url));
}

async function partsOf(file: string): Promise<readonly Part[]> {
  return parseAll(await textOf(file)) as Part[];
}

for (const [file, name, mode] of MANIFESTS) {
  Deno.test(`${file} has DaemonSet and label ${name}, and a container terway`, async () => {
    const parts = await partsOf(file);
    const set = parts.find(({ kind }) => kind === "DaemonSet");
    assertEquals(set?.metadata, {
      name,
      namespace: "kube-system",
      labels: { app: name },
    });
    const pod = set?.spec?.template;
    assertEquals(pod?.metadata.labels.app, name);
    assertEquals(pod?.spec.priorityClassName, "system-node-critical");
    const [daemon] = pod?.spec.containers ?? [];
    assertEquals(daemon?.name, "terway");
    assert(daemon?.command.includes(`--daemon-mode=${mode}`));
  });

  Deno.test(`${file} has an eni_conf that a daemon takes`, async () => {
    const parts = await partsOf(file);
    const map = parts.find(({ kind }) => kind === "ConfigMap");
    assertEquals(map?.metadata.name, "eni-config");
    const { config } = decodeConfig(map?.data?.["eni_conf"] ?? "", file);
    assertEquals(config.minPoolCount, mode === "VPC" ? 2 : 0);
  });

  Deno.test(`${file} says why each folder of the node is mounted`, async () => {
    const lines = (await textOf(file)).split("\n");
    const silent = lines.filter((line, at) =>
      line.includes("hostPath:") &&
      !lines.slice(0, at - 1).at(-1)?.trim().startsWith("#")
    );
    assertEquals(silent, []);
  });

  Deno.test(`${file} has no privileged container, and few of root's rights`, async () => {
    const parts = await partsOf(file);
    const pod = parts.find(({ kind }) => kind === "DaemonSet")?.spec?.template;
    const { initContainers = [], containers = [] } = pod?.spec ?? {};
    for (
      const { name, securityContext } of [...initContainers, ...containers]
    ) {
      const { privileged = false, capabilities } = securityContext;
      assertEquals([privileged, capabilities.drop], [false, ["ALL"]]);
      assertEquals(capabilities.add ?? [], RIGHTS.get(name));
    }
  });

  Deno.test(`${file} gives no right to Secrets, and none to delete`, async () => {
    const rules = (await partsOf(file)).flatMap(({ rules = [] }) => rules);
    assert(rules.length > 0);
    for (const { resources, verbs } of rules) {
      assert(!resources.includes("secrets") && !resources.includes("*"));
      assert(!verbs.includes("delete") && !verbs.includes("*"));
    }
  });
}

Deno.test("the base of kustomize is terway-multiip.yml, byte for byte", async () => {
  assertEquals(
    await textOf("kustomize/base/terway-multiip.yml"),
    await textOf("terway-multiip.yml"),
  );
});
