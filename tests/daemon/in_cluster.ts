/**
 * A stage's daemon in a Kubernetes that is an emulated API server, reached on
 * the node's own loopback.
 *
 * @module
 */
import { openNamespace, within } from "../../netns/namespace.ts";
import { type ApiObject, ApiServer } from "../emulators/kubernetes/server.ts";
import { openStage, type Stage, type StageOptions } from "../stage/stage.ts";
import { Caller } from "./harness.ts";

/** Where kinds of objects are. */
export const KINDS = {
  pods: "/api/v1/pods",
  nodes: "/api/v1/nodes",
  events: "/api/v1/events",
  services: "/api/v1/services",
  configs: "/api/v1/configmaps",
} as const;

/** A node in a cluster. */
export class InCluster implements AsyncDisposable {
  /** The stage. */
  readonly stage: Stage;
  /** The API server. */
  readonly server: ApiServer;
  /** Speaks to the daemon. */
  readonly caller: Caller;
  readonly #parts: AsyncDisposableStack;

  constructor(open: {
    stage: Stage;
    server: ApiServer;
    parts: AsyncDisposableStack;
  }) {
    this.stage = open.stage;
    this.server = open.server;
    this.#parts = open.parts;
    this.caller = new Caller(open.stage);
  }

  /** The node's object. */
  node(): ApiObject | undefined {
    return this.server.list(KINDS.nodes)[0];
  }

  /** Events of a reason, their messages. */
  events(reason: string): readonly string[] {
    return this.server.list(KINDS.events)
      .filter((event) => event["reason"] === reason)
      .map((event) => String(event["message"]));
  }

  /** Changes eni-config: these keys over what the stage has. */
  async configure(config: Record<string, unknown> | string): Promise<void> {
    const { dir } = this.stage;
    const own = JSON.parse(await Deno.readTextFile(`${dir}/n1/eni.json`));
    const text = typeof config === "string"
      ? config
      : JSON.stringify({ ...own, ...config });
    this.server.put(KINDS.configs, {
      metadata: { name: "eni-config", namespace: "kube-system" },
      data: Object.fromEntries([["eni_conf", text]]),
    });
  }

  /** Makes a pod of the node; a call of `sandbox.env` names it. */
  addPod(name: string, more: Partial<ApiObject> = {}): void {
    const { metadata = {}, ...rest } = more;
    this.server.put(KINDS.pods, {
      metadata: { name, namespace: "default", uid: `u-${name}`, ...metadata },
      spec: { nodeName: "n1", containers: [] },
      ...rest,
    });
  }

  /** What the daemon has logged. */
  log(): Promise<string> {
    return Deno.readTextFile(this.stage.daemon("n1").log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/**
 * Opens a stage of one node, then the API server in it, then the daemon anew
 * as one in a cluster.
 *
 * @param options The stage's, the node's object, and further objects.
 * @returns The node.
 */
export async function openInCluster(
  { node = {}, daemonFlags = [], ...options }:
    & Partial<Omit<StageOptions, "daemonFlags">>
    & {
      readonly node?: Readonly<Record<string, unknown>>;
      readonly daemonFlags?: readonly string[];
    } = {},
): Promise<InCluster> {
  await using parts = new AsyncDisposableStack();
  let flags: readonly string[] = [];
  const stage = parts.use(
    await openStage({
      ...{ nodeCount: 1, zoneCount: 1, ...options },
      daemonFlags: () => [...daemonFlags, ...flags],
    }),
  );
  const [first] = stage.description.nodes;
  const netns = first?.netns ?? "";
  const server = parts.use(
    new ApiServer((port) => {
      using namespace = openNamespace(netns);
      return within<Deno.TcpListener>(
        namespace,
        () => Deno.listen({ hostname: "127.0.0.1", port }),
      );
    }),
  );
  const opened = new InCluster({ stage, server, parts: parts.move() });
  const kubeconfig = `${stage.dir}/kubeconfig`;
  await server.writeKubeconfig(kubeconfig);
  server.put(KINDS.nodes, { metadata: { name: "n1", uid: "u-n1" }, ...node });
  await opened.configure({});
  flags = ["--node", "n1", "--kubeconfig", kubeconfig];
  await stage.killDaemon("n1");
  await stage.restartDaemon("n1");
  return opened;
}
