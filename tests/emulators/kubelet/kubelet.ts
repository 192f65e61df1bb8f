/**
 * A kubelet's device manager: it takes plugins up on `kubelet.sock`, listens to
 * their devices, and allocates them to containers.
 *
 * It judges as the real one does, by its source (Kubernetes 1.34,
 * `pkg/kubelet/cm/devicemanager`): the version, the resource's name, and that
 * the plugin answers on its socket before Register does. A start empties the
 * folder; a plugin that stops talking keeps its devices, all of them unhealthy.
 *
 * @module
 */
import {
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Line } from "./line.ts";

const PROTO = new URL("./api.proto", import.meta.url).pathname;

const DEFINITION = loadSync(PROTO, { defaults: true, arrays: true });

const PluginClient = (loadPackageDefinition(DEFINITION) as unknown as {
  v1beta1: { DevicePlugin: ServiceClientConstructor };
}).v1beta1.DevicePlugin;

/** What the real one takes. */
const VERSIONS = ["v1beta1"];

/** A domain that isn't Kubernetes' own, and a name. */
const EXTENDED_NAME =
  /^(?!(?:.*\.)?kubernetes\.io\/)(?!requests\.)[a-z0-9][a-z0-9.-]*\/[A-Za-z0-9][\w.-]*$/;

/** As long as the real one waits for a plugin. */
const DIAL_MS = 10_000;

/** It outlives a start. */
const CHECKPOINT = "kubelet_internal_checkpoint";

/** Where a kubelet that is killed keeps its socket in the meantime. */
const ASIDE = ".kubelet.sock.aside";

/** What a plugin said when it registered. */
export interface Registration {
  readonly version: string;
  readonly endpoint: string;
  readonly resourceName: string;
  readonly options: { readonly getPreferredAllocationAvailable: boolean };
}

/** What a resource has on the node. */
export interface Resource {
  /** Healthy devices. */
  readonly allocatable: readonly string[];
  /** All of them. */
  readonly capacity: number;
}

interface Plugin {
  readonly client: Client;
  readonly line: Line;
  readonly prefers: boolean;
  devices: readonly { readonly ID: string; readonly health: string }[];
}

/** Plays the kubelet. */
export class Kubelet implements AsyncDisposable {
  /** Every registration that was asked for, refused ones too. */
  readonly registrations: Registration[] = [];
  /** By container, the ids that it has. */
  readonly allocated: Map<string, readonly string[]> = new Map();
  readonly #folder: string;
  readonly #plugins = new Map<string, Plugin>();
  #server: Server | undefined;

  /**
   * Makes one that doesn't run yet.
   *
   * @param folder The folder of device plugins.
   */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts; all that is in the folder goes first. */
  async start(): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(this.#folder)) {
      if (name === CHECKPOINT || isDirectory) continue;
      await Deno.remove(`${this.#folder}/${name}`);
    }
    const server = new Server();
    server.addService(
      DEFINITION["v1beta1.Registration"] as ServiceDefinition,
      {
        Register: (
          call: ServerUnaryCall<Registration, unknown>,
          answer: (error: Error | null, value?: unknown) => void,
        ) => {
          this.registrations.push(call.request);
          this.#register(call.request).then(
            () => answer(null, {}),
            (error) => answer(error),
          );
        },
      },
    );
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(
        `unix:${this.#folder}/kubelet.sock`,
        ServerCredentials.createInsecure(),
        (error) => error === null ? resolve() : reject(error),
      )
    );
    this.#server = server;
  }

  /**
   * Ends as a kill does: connections break, its socket's file stays.
   */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const path = `${this.#folder}/kubelet.sock`;
    const aside = `${this.#folder}/${ASIDE}`;
    await Deno.rename(path, aside); // else closing would take it away
    for (const { client, line } of this.#plugins.values()) {
      line[Symbol.dispose]();
      client.close();
    }
    this.#plugins.clear();
    server.forceShutdown();
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    await Deno.rename(aside, path);
  }

  /**
   * Tells what the node has of a resource.
   *
   * @param name The resource.
   * @returns What it has; undefined when nobody registered it.
   */
  resource(name: string): Resource | undefined {
    const plugin = this.#plugins.get(name);
    return plugin && {
      allocatable: plugin.devices.filter(({ health }) => health === "Healthy")
        .map(({ ID }) => ID),
      capacity: plugin.devices.length,
    };
  }

  /**
   * Gives a container devices.
   *
   * @param container Its name.
   * @param name The resource.
   * @param size How many.
   * @returns What the plugin wants the container to have.
   * @throws {Error} When there aren't so many.
   */
  async allocate(
    container: string,
    name: string,
    size: number,
  ): Promise<unknown> {
    const plugin = this.#plugins.get(name);
    if (plugin === undefined) throw new Error(`unregistered ${name}`);
    const used = new Set([...this.allocated.values()].flat());
    const available = (this.resource(name)?.allocatable ?? [])
      .filter((id) => !used.has(id)).reverse();
    if (available.length < size) {
      throw new Error(
        `${size} asked, ${available.length} available of ${name}`,
      );
    }
    let ids = available.slice(0, size);
    if (plugin.prefers) {
      const { containerResponses } = await ask(
        plugin.client,
        "GetPreferredAllocation",
        {
          containerRequests: [{
            availableDeviceIDs: available,
            mustIncludeDeviceIDs: [],
            allocationSize: size,
          }],
        },
      ) as { containerResponses: { deviceIDs: string[] }[] };
      ids = containerResponses[0]?.deviceIDs ?? ids;
    }
    const { containerResponses: [given] } = await ask(
      plugin.client,
      "Allocate",
      { containerRequests: [{ devicesIds: ids }] },
    ) as { containerResponses: unknown[] };
    this.allocated.set(container, ids);
    return given;
  }

  /** Ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #register(request: Registration): Promise<void> {
    const { version, endpoint, resourceName } = request;
    if (!VERSIONS.includes(version)) {
      throw new Error(`version ${version} isn't one of ${VERSIONS}`);
    }
    if (!EXTENDED_NAME.test(resourceName)) {
      throw new Error(`${resourceName} is no extended resource`);
    }
    const line = new Line(`${this.#folder}/${endpoint}`);
    const client = new PluginClient(
      `unix:${line.path}`,
      credentials.createInsecure(),
      {
        "grpc.default_authority": "localhost",
        // Of a plugin that was away nothing is remembered.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.max_reconnect_backoff_ms": 1_000,
      },
    );
    try {
      await ready(client);
      const { getPreferredAllocationAvailable: prefers } = await ask(
        client,
        "GetDevicePluginOptions",
        {},
      ) as Registration["options"];
      this.#watch(resourceName, { client, line, prefers, devices: [] });
    } catch (error) {
      line[Symbol.dispose]();
      client.close();
      throw error;
    }
  }

  #watch(name: string, plugin: Plugin): void {
    this.#plugins.set(name, plugin);
    const method = (plugin.client as unknown as Record<
      string,
      (request: unknown) => ClientReadableStream<unknown>
    >)["ListAndWatch"];
    const stream = method?.call(plugin.client, {});
    if (stream === undefined) throw new Error("no ListAndWatch");
    stream.on("data", (list: Pick<Plugin, "devices">) => {
      plugin.devices = list.devices;
    });
    const lost = (): void => {
      plugin.devices = plugin.devices.map((device) => ({
        ...device,
        health: "Unhealthy",
      }));
      plugin.line[Symbol.dispose]();
      plugin.client.close();
    };
    stream.on("end", lost);
    stream.on("error", lost);
  }
}

function ready(client: Client): Promise<void> {
  return new Promise((resolve, reject) =>
    client.waitForReady(
      Date.now() + DIAL_MS,
      (error) => error === undefined ? resolve() : reject(error),
    )
  );
}

function ask(client: Client, name: string, request: unknown): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const method = (client as unknown as Record<
    string,
    (
      request: unknown,
      options: { deadline: number },
      answer: (error: Error | null, value: unknown) => void,
    ) => void
  >)[name];
  method?.call(
    client,
    request,
    { deadline: Date.now() + DIAL_MS },
    (error, value) => error === null ? resolve(value) : reject(error),
  );
  return promise;
}
