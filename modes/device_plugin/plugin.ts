/**
 * A device plugin's server: one resource on one socket of our own. It lists
 * devices to the kubelet for as long as that listens, and gives a container
 * nothing: a pod's ENI comes by CNI.
 *
 * @module
 */
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import {
  type Device,
  DEVICE_PLUGIN,
  type ForContainers,
  type PluginOptions,
  type PreferenceRequest,
} from "./api.ts";
import { preferred } from "./capacity.ts";

/** What this plugin wants to be asked. */
export const OPTIONS: PluginOptions = {
  preStartRequired: false,
  prefersAllocation: true,
};

/** How long streams may take to end when the server closes. */
const CLOSE_MS = 1_000;

/** Another process serves on our socket. */
export class ServedError extends Error {
  /** The error's name. */
  override readonly name = "ServedError";
}

type Listener = ServerWritableStream<unknown, { devices: readonly Device[] }>;

type Answer<T> = (error: null, answer: T) => void;

/** Serves a resource's devices. */
export class PluginServer {
  readonly #path: string;
  readonly #devices: () => readonly Device[];
  readonly #listeners = new Set<Listener>();
  #server: Server | undefined;

  /**
   * Makes one that doesn't serve yet.
   *
   * @param path Its socket; at most 107 bytes.
   * @param devices Tells the devices.
   */
  constructor(path: string, devices: () => readonly Device[]) {
    this.#path = path;
    this.#devices = devices;
  }

  /** Whether somebody listens to ListAndWatch. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /**
   * Serves, after what is left of an earlier process is taken away; anew when
   * it served already.
   *
   * @throws {ServedError} When another process serves there.
   * @throws {Error} When the socket can't be made.
   */
  async serve(): Promise<void> {
    await this.close();
    await takeAway(this.#path);
    const server = new Server();
    server.addService(DEVICE_PLUGIN, {
      GetDevicePluginOptions: (_: unknown, answer: Answer<PluginOptions>) =>
        answer(null, OPTIONS),
      ListAndWatch: (call: Listener) => this.#listen(call),
      GetPreferredAllocation: prefer,
      Allocate: allocate,
      PreStartContainer: (_: unknown, answer: Answer<unknown>) =>
        answer(null, {}),
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.bindAsync(
      `unix:${this.#path}`,
      ServerCredentials.createInsecure(),
      (error) => error === null ? resolve() : reject(error),
    );
    await promise;
    this.#server = server;
  }

  /** Tells who listens that the devices have changed. */
  tell(): void {
    for (const call of this.#listeners) {
      call.write({ devices: this.#devices() });
    }
  }

  /** Stops serving; the socket is taken away. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const call of this.#listeners) call.end();
    this.#listeners.clear();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, CLOSE_MS);
    server.tryShutdown(() => resolve());
    await promise;
    clearTimeout(timer);
  }

  #listen(call: Listener): void {
    this.#listeners.add(call);
    const forget = (): void => {
      this.#listeners.delete(call);
    };
    for (const end of ["cancelled", "close", "error"]) call.on(end, forget);
    call.write({ devices: this.#devices() });
  }
}

function prefer(
  call: ServerUnaryCall<ForContainers<PreferenceRequest>, unknown>,
  answer: Answer<unknown>,
): void {
  answer(null, {
    responses: call.request.requests.map((one) => ({
      ids: preferred(
        one.availableIds,
        one.mustIncludeIds,
        one.size,
      ),
    })),
  });
}

function allocate(
  call: ServerUnaryCall<ForContainers<unknown>, unknown>,
  answer: Answer<unknown>,
): void {
  answer(null, {
    responses: call.request.requests.map(() => ({})),
  });
}

/** Removes a socket that nobody serves any more; anything else stays. */
async function takeAway(path: string): Promise<void> {
  let found: Deno.FileInfo;
  try {
    found = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!found.isSocket) {
    throw new ServedError(`${path} is there and no socket: take it away`);
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch {
    await Deno.remove(path);
    return;
  }
  throw new ServedError(
    `another process serves on ${path}: there must be one device plugin of ` +
      "this resource on a node",
  );
}
