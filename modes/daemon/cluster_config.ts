/**
 * The configuration as the API server has it: ConfigMap `eni-config`, and over
 * it the ConfigMap that the node's label `terway-config` names. Each is kept
 * as a file of the daemon's own, which is read and followed like any other:
 * so a change arrives in seconds and not with the kubelet's next look, and a
 * daemon that starts while the API server is away has what it had.
 *
 * @module
 */
import { join } from "node:path";
import type { Kubernetes } from "../../k8s/client.ts";
import {
  configMapNamed,
  oneNode,
  type V1ConfigMap,
  type V1Node,
} from "../../k8s/objects.ts";
import { Informer } from "../../k8s/watch.ts";
import type { Log } from "../log.ts";
import type { ConfigPlaces } from "./eni_conf_file.ts";

/** The ConfigMap. Source: seed 000. */
const CONFIG_MAP = "eni-config";

/** Its key, and that of a node's overlay. Source: seed 000, reference §1.5. */
const KEY = "eni_conf";

/** The node label that names an overlay. Source: reference §1.8. */
const OVERLAY_LABEL = "terway-config";

/** What the configuration needs. */
export interface ClusterConfigParts {
  /** The API. */
  readonly kubernetes: Kubernetes;
  /** The node. */
  readonly nodeName: string;
  /** The namespace of the ConfigMaps. */
  readonly namespace: string;
  /** The folder of the files. */
  readonly dir: string;
  /** Where it is told. */
  readonly log: Log;
}

/** Keeps the files. */
export class ClusterConfig implements AsyncDisposable {
  /** The files. */
  readonly places: Required<ConfigPlaces>;
  /** Copies of those that a daemon could work with. */
  readonly goodPlaces: Required<ConfigPlaces>;
  readonly #parts: ClusterConfigParts;
  readonly #base: Informer<V1ConfigMap>;
  readonly #node: Informer<V1Node>;
  #overlay: { name: string; informer: Informer<V1ConfigMap> } | undefined;
  #writing: Promise<void> = Promise.resolve();

  /**
   * Begins to keep them.
   *
   * @param parts What it works with.
   */
  constructor(parts: ClusterConfigParts) {
    this.#parts = parts;
    const { kubernetes, nodeName, namespace, dir } = parts;
    this.places = {
      path: join(dir, KEY),
      overlayPath: join(dir, `${KEY}.node`),
    };
    this.goodPlaces = {
      path: join(dir, `${KEY}.good`),
      overlayPath: join(dir, `${KEY}.node.good`),
    };
    this.#base = new Informer(
      kubernetes,
      configMapNamed(kubernetes, { namespace, name: CONFIG_MAP }),
      { onChange: ({ kind, object }) => this.#take(kind, object) },
    );
    this.#node = new Informer(kubernetes, oneNode(kubernetes, nodeName), {
      onChange: ({ object }) => this.#follow(object),
    });
  }

  /** Settles once the API server has told it. */
  async synced(): Promise<void> {
    await Promise.all([this.#base.synced, this.#node.synced]);
    await this.#overlay?.informer.synced;
    await this.#writing;
  }

  /** The node as it is known. */
  node(): V1Node | undefined {
    return this.#node.get(this.#parts.nodeName);
  }

  /**
   * Keeps a good configuration, so that a daemon which starts under a bad one
   * has it. Never fails: without a copy a start tells what is wrong.
   */
  async keepGood(): Promise<void> {
    const read = (path: string): Promise<string | undefined> =>
      Deno.readTextFile(path).catch(() => undefined);
    const text = await read(this.places.path);
    if (text === undefined) return;
    this.#write(this.goodPlaces.path, text);
    const overlay = await read(this.places.overlayPath);
    this.#write(this.goodPlaces.overlayPath, overlay);
    await this.#writing;
  }

  /** Ends it; the files stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([
      this.#base[Symbol.asyncDispose](),
      this.#node[Symbol.asyncDispose](),
      this.#overlay?.informer[Symbol.asyncDispose](),
    ]);
    await this.#writing;
  }

  /** A ConfigMap that is deleted leaves the last good one in force. */
  #take(kind: "set" | "gone", object: V1ConfigMap): void {
    const text = object.data?.[KEY];
    if (kind === "set" && text !== undefined) {
      return this.#write(this.places.path, text);
    }
    const { namespace, log } = this.#parts;
    log.error(
      `the ConfigMap ${namespace}/${CONFIG_MAP} has no key ${KEY}: the last ` +
        "good configuration holds",
      { deleted: kind === "gone" },
    );
  }

  #follow(node: V1Node): void {
    const name = node.metadata?.labels?.[OVERLAY_LABEL];
    if (name === this.#overlay?.name) return;
    const { kubernetes, namespace, log } = this.#parts;
    this.#overlay?.informer[Symbol.asyncDispose]();
    log.info("the node's own configuration is another", { configmap: name });
    if (name === undefined) {
      this.#overlay = undefined;
      return this.#write(this.places.overlayPath, undefined);
    }
    const informer: Informer<V1ConfigMap> = new Informer(
      kubernetes,
      configMapNamed(kubernetes, { namespace, name }),
      {
        onChange: ({ kind, object }) => {
          // One whose label was changed may still have something to say.
          if (this.#overlay?.informer !== informer) return;
          const text = kind === "set" ? object.data?.[KEY] : undefined;
          this.#write(this.places.overlayPath, text);
        },
      },
    );
    this.#overlay = { name, informer };
  }

  /** One after another, each whole or not at all. */
  #write(path: string, text: string | undefined): void {
    this.#writing = this.#writing.then(async () => {
      if (text === undefined) {
        await Deno.remove(path);
        return;
      }
      const draft = `${path}.new`;
      await Deno.writeTextFile(draft, text, { mode: 0o600 });
      await Deno.rename(draft, path);
    }).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return;
      const err = error instanceof Error ? error.message : String(error);
      this.#parts.log.error(`${path} can't be written`, { err });
    });
  }
}
