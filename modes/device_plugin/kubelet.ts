/**
 * The kubelet's side: which one is there, and how a plugin is made known to it.
 *
 * @module
 */
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import {
  API_VERSION,
  KUBELET_SOCKET,
  type RegisterRequest,
  REGISTRATION,
} from "./api.ts";
import { OPTIONS } from "./plugin.ts";

/** The kubelet connects to us before it answers, for 10 s at most. */
const REGISTER_MS = 10_000;

/**
 * Names the socket that is at a path now: another one has another name, even
 * where the filesystem gives its inode again.
 *
 * @param path The socket's path.
 * @returns The name; undefined when there is none.
 */
export async function socketAt(path: string): Promise<string | undefined> {
  try {
    const { isSocket, dev, ino, mtime } = await Deno.lstat(path);
    if (!isSocket) return undefined;
    return `${dev}:${ino}:${mtime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Registers a plugin, which must serve already.
 *
 * @param folder The folder of device plugins.
 * @param plugin The name of its socket there, and what it advertises.
 * @throws {Error} When the kubelet isn't there or refuses.
 */
export async function register(
  folder: string,
  plugin: { readonly endpoint: string; readonly resource: string },
): Promise<void> {
  const client = new Client(
    `unix:${folder}/${KUBELET_SOCKET}`,
    credentials.createInsecure(),
    // Connections that clients share remember that the last kubelet was away,
    // and wait longer after each failure before they look again.
    { "grpc.use_local_subchannel_pool": 1 },
  );
  const request: RegisterRequest = {
    version: API_VERSION,
    endpoint: plugin.endpoint,
    resourceName: plugin.resource,
    options: OPTIONS,
  };
  const { Register: method } = REGISTRATION;
  if (method === undefined) throw new Error("Register isn't defined");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const answered = (error: ServiceError | null): void =>
    error === null ? resolve() : reject(error);
  try {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      { deadline: Date.now() + REGISTER_MS },
      answered,
    );
    await promise;
  } finally {
    client.close();
  }
}
