/**
 * A container runtime as far as CNI goes: a whole list of plugins, called as
 * libcni calls them, with a result that goes from one to the next and is kept
 * for CHECK and DEL.
 *
 * Source: CNI spec 1.1.0, sections 2 to 4 (read 2026-11-21).
 *
 * @module
 */

/** An object of JSON. */
export type Tree = Readonly<Record<string, unknown>>;

/** A network configuration list. */
export interface Conflist {
  /** The version that all plugins are called with. */
  readonly cniVersion: string;
  /** The network's name. */
  readonly name: string;
  /** The plugins, in the order of ADD. */
  readonly plugins: readonly Tree[];
}

/** Where a runtime runs. */
export interface RuntimeOptions {
  /** The node's namespace. */
  readonly netns: string;
  /** The folders of plugins, the first first. */
  readonly path: readonly string[];
  /** The list. */
  readonly conflist: Conflist;
}

/** A sandbox of a pod. */
export interface Sandbox {
  /** Its id. */
  readonly containerId: string;
  /** The path of its namespace. */
  readonly netns: string;
  /** What the runtime gives to plugins, by capability. */
  readonly runtimeConfig?: Tree;
}

/** A call that a plugin refused. */
export class RefusedError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "RefusedError";
  /** CNI's error code; 0 when there is no document. */
  readonly code: number;

  /**
   * Makes one.
   *
   * @param who The verb and the plugin.
   * @param said What the plugin printed.
   */
  constructor(who: string, said: string) {
    super(`${who}: ${said.trim()}`);
    this.code = codeOf(said);
  }
}

/** Calls a list of plugins on one node. */
export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #results = new Map<string, Tree>();

  /**
   * Makes one.
   *
   * @param options See {@linkcode RuntimeOptions}.
   */
  constructor(options: RuntimeOptions) {
    this.#options = options;
  }

  /**
   * Attaches a sandbox: every plugin in turn, each with the result so far.
   *
   * @param sandbox Which.
   * @returns The last plugin's result.
   * @throws {RefusedError} When a plugin refuses.
   */
  async add(sandbox: Sandbox): Promise<Tree> {
    let result: Tree | undefined;
    for (const plugin of this.#options.conflist.plugins) {
      const text = await this.#call("ADD", plugin, {
        sandbox,
        ...(result === undefined ? {} : { prevResult: result }),
      });
      result = JSON.parse(text) as Tree;
    }
    if (result === undefined) throw new Error("a list has a plugin at least");
    this.#results.set(sandbox.containerId, result);
    return result;
  }

  /**
   * Asks every plugin whether a sandbox is as ADD left it.
   *
   * @param sandbox Which.
   * @param except A plugin whose CHECK is known to be broken.
   * @throws {RefusedError} When a plugin says that it isn't.
   */
  async check(sandbox: Sandbox, except?: string): Promise<void> {
    const prevResult = this.#results.get(sandbox.containerId);
    for (const plugin of this.#options.conflist.plugins) {
      if (plugin["type"] === except) continue;
      const text = await this.#call("CHECK", plugin, {
        sandbox,
        ...(prevResult === undefined ? {} : { prevResult }),
      });
      if (text !== "") throw new RefusedError("CHECK", `it printed ${text}`);
    }
  }

  /**
   * Detaches a sandbox: every plugin, the last first.
   *
   * @param sandbox Which.
   * @throws {RefusedError} When a plugin refuses.
   */
  async delete(sandbox: Sandbox): Promise<void> {
    const prevResult = this.#results.get(sandbox.containerId);
    for (const plugin of this.#options.conflist.plugins.toReversed()) {
      await this.#call("DEL", plugin, {
        sandbox,
        ...(prevResult === undefined ? {} : { prevResult }),
      });
    }
    this.#results.delete(sandbox.containerId);
  }

  /**
   * Calls every plugin with a verb that concerns no sandbox.
   *
   * @param verb GC or STATUS.
   * @param more Keys of the configuration, such as the valid attachments.
   * @throws {RefusedError} When a plugin refuses.
   */
  async tell(verb: "GC" | "STATUS", more: Tree = {}): Promise<void> {
    for (const plugin of this.#options.conflist.plugins) {
      await this.#call(verb, { ...plugin, ...more }, {});
    }
  }

  async #call(
    verb: string,
    plugin: Tree,
    { sandbox, prevResult }: { sandbox?: Sandbox; prevResult?: Tree },
  ): Promise<string> {
    const { netns, path, conflist } = this.#options;
    const { name, cniVersion } = conflist;
    const runtimeConfig = chosen(plugin, sandbox?.runtimeConfig ?? {});
    const config = {
      ...{ ...plugin, name, cniVersion },
      ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
    const child = new Deno.Command("nsenter", {
      args: [`--net=${netns}`, await find(path, String(plugin["type"]))],
      env: {
        CNI_COMMAND: verb,
        CNI_PATH: path.join(":"),
        ...(sandbox === undefined ? {} : {
          CNI_CONTAINERID: sandbox.containerId,
          CNI_NETNS: sandbox.netns,
          CNI_IFNAME: "eth0",
          CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;" +
            `K8S_POD_NAME=${sandbox.containerId}`,
        }),
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(config)));
    await writer.close();
    const { code, stdout, stderr } = await output;
    const text = new TextDecoder().decode(stdout);
    if (code === 0) return text;
    const said = text + new TextDecoder().decode(stderr);
    throw new RefusedError(`${verb} by ${plugin["type"]}`, said);
  }
}

/** What a plugin asked for by its capabilities, of what there is. */
function chosen(plugin: Tree, runtimeConfig: Tree): Tree {
  const capabilities = (plugin["capabilities"] ?? {}) as Tree;
  return Object.fromEntries(
    Object.entries(runtimeConfig).filter(([name]) => capabilities[name]),
  );
}

async function find(path: readonly string[], type: string): Promise<string> {
  for (const folder of path) {
    try {
      await Deno.stat(`${folder}/${type}`);
      return `${folder}/${type}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error(`Cannot find plugin ${type} in ${path.join(":")}`);
}

function codeOf(text: string): number {
  try {
    return Number(JSON.parse(text).code) || 0;
  } catch {
    return 0;
  }
}
