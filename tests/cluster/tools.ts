/**
 * What a Kubernetes is made of, and how each part is built: from the Go
 * module proxy, at pinned versions.
 *
 * `k8s.io/kubernetes` requires its staging modules at v0.0.0 and replaces them
 * by folders of its own, which doesn't count in a dependency: the wrapper's
 * `go.mod` replaces each by the version that was published with it.
 *
 * @module
 */

/** The version of everything that is of Kubernetes. */
export const KUBERNETES_VERSION = "1.34.4";

/** Debian's etcd 3.4 lacks what a watch from "now" waits for. */
const ETCD_VERSION = "3.6.16";

/** The DNS server of clusters. */
export const COREDNS_VERSION = "1.14.7";

/** A module that programs are built from. */
export interface ToolModule {
  /** The name of the folder that its `go.mod` is kept in. */
  readonly name: string;
  /** Its path. */
  readonly path: string;
  /** Its version, with the v. */
  readonly version: string;
  /** Whether its staging modules have to be replaced. */
  readonly hasStaging?: boolean;
}

/** A program of the cluster. */
export interface Tool {
  /** Its file's name. */
  readonly name: string;
  /** Where it comes from. */
  readonly module: ToolModule;
  /** The package that is built. */
  readonly packagePath: string;
  /** Whether it is a test binary. */
  readonly isTest?: boolean;
}

/** Kubernetes. */
export const KUBERNETES: ToolModule = {
  name: "kubernetes",
  path: "k8s.io/kubernetes",
  version: `v${KUBERNETES_VERSION}`,
  hasStaging: true,
};

const ETCD: ToolModule = {
  name: "etcd",
  path: "go.etcd.io/etcd/server/v3",
  version: `v${ETCD_VERSION}`,
};

const COREDNS: ToolModule = {
  name: "coredns",
  path: "github.com/coredns/coredns",
  version: `v${COREDNS_VERSION}`,
};

/** What a cluster runs on, the slowest first. */
export const CLUSTER_TOOLS: readonly Tool[] = [
  ...[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
  ].map((name) => ({
    name,
    module: KUBERNETES,
    packagePath: `k8s.io/kubernetes/cmd/${name}`,
  })),
  { name: "etcd", module: ETCD, packagePath: ETCD.path },
  { name: "coredns", module: COREDNS, packagePath: COREDNS.path },
  {
    name: "agnhost",
    module: KUBERNETES,
    packagePath: "k8s.io/kubernetes/test/images/agnhost",
  },
];

/** What Kubernetes' own conformance tests need besides. */
export const CONFORMANCE_TOOLS: readonly Tool[] = [
  {
    name: "ginkgo",
    module: KUBERNETES,
    packagePath: "github.com/onsi/ginkgo/v2/ginkgo",
  },
  {
    name: "e2e.test",
    module: KUBERNETES,
    packagePath: "k8s.io/kubernetes/test/e2e",
    isTest: true,
  },
];

/** What renders the chart, to compare it with the manifests. */
export const HELM_TOOL: Tool = {
  name: "helm",
  module: {
    name: "helm",
    path: "helm.sh/helm/v3",
    version: "v3.19.5",
  },
  packagePath: "helm.sh/helm/v3/cmd/helm",
};

/** The environment of every build. */
export const GO_ENVIRONMENT: Readonly<Record<string, string>> = {
  CGO_ENABLED: "0",
  GOFLAGS: "-mod=mod -trimpath -buildvcs=false",
};

/** The language version that the wrappers ask for. */
const GO_LANGUAGE = "1.24.0";

/**
 * Writes a module's wrapper.
 *
 * @param module The module.
 * @param goMod The module's own `go.mod`.
 * @returns The wrapper's `go.mod`.
 */
export function wrapperOf(module: ToolModule, goMod: string): string {
  const head = [
    `module terway.local/${module.name}`,
    "",
    `go ${GO_LANGUAGE}`,
    "",
  ];
  if (module.hasStaging !== true) {
    return [...head, `require ${module.path} ${module.version}`, ""].join("\n");
  }
  const version = module.version.replace(/^v1\./, "v0.");
  return [
    ...head,
    // As the module itself has it: its programs are tested by that.
    `godebug default=go1.24`,
    "",
    `require ${module.path} ${module.version}`,
    "",
    ...stagingModules(goMod).map((path) =>
      `replace ${path} => ${path} ${version}`
    ),
    "",
  ].join("\n");
}

/**
 * Finds the modules that a `go.mod` replaces by folders of its own.
 *
 * @param goMod The text.
 * @returns Their paths.
 */
export function stagingModules(goMod: string): readonly string[] {
  return [...goMod.matchAll(/^\s*(?:replace\s+)?(\S+) => \.\/staging\//gm)]
    .map(([, path = ""]) => path);
}

/**
 * Gives the arguments of `go` that build a program.
 *
 * @param tool The program.
 * @param output Where it goes.
 * @returns The arguments.
 */
export function buildArguments(tool: Tool, output: string): readonly string[] {
  const verb = tool.isTest === true ? ["test", "-c"] : ["build"];
  return [...verb, "-ldflags", linkFlags(tool), "-o", output, tool.packagePath];
}

/** Without a version's stamp a kubelet says that it is v0.0.0. */
function linkFlags({ module }: Tool): string {
  const flags = ["-s", "-w"];
  if (module.hasStaging === true) {
    const [, minor = ""] = KUBERNETES_VERSION.split(".");
    const stamps = {
      gitVersion: module.version,
      gitMajor: "1",
      gitMinor: minor,
      gitTreeState: "clean",
      gitCommit: "unknown",
      buildDate: "1970-01-01T00:00:00Z",
    };
    const packages = [
      "k8s.io/component-base/version",
      "k8s.io/client-go/pkg/version",
    ];
    for (const one of packages) {
      for (const [name, value] of Object.entries(stamps)) {
        flags.push("-X", `${one}.${name}=${value}`);
      }
    }
  }
  return flags.join(" ");
}

/**
 * Names what a program is built from: another version, compiler or flag gives
 * another name.
 *
 * @param tool The program.
 * @param goVersion What `go env GOVERSION` says.
 * @returns 16 hex digits.
 */
export async function contentHash(
  tool: Tool,
  goVersion: string,
): Promise<string> {
  const recipe = JSON.stringify([
    tool,
    goVersion,
    Deno.build.arch,
    GO_ENVIRONMENT,
    GO_LANGUAGE,
    linkFlags(tool),
  ]);
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(recipe),
  );
  return new Uint8Array(digest).toHex().slice(0, 16);
}
