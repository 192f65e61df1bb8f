/**
 * An API server of Kubernetes as far as watching, leases and events go: any
 * path is a collection, objects have versions, a watch goes on from any
 * version that is remembered, a stale update is a conflict.
 *
 * It has no schema, no admission and nobody's rights; a real one is what
 * `deno task cluster` has.
 *
 * @module
 */
import { Front, type Listen } from "./front.ts";

/** An object, as far as this server looks at it. */
export interface ApiObject {
  /** Its metadata. */
  metadata: {
    name: string;
    namespace?: string;
    resourceVersion?: string;
    [key: string]: unknown;
  };
  [key: string]: unknown;
}

/** What a watch is told. */
interface Event {
  readonly version: number;
  readonly collection: string;
  readonly line: { readonly type: string; readonly object: ApiObject };
}

/** A watch that is open. */
interface Watcher {
  readonly collection: string;
  readonly wants: (object: ApiObject) => boolean;
  readonly tell: (line: unknown) => void;
  readonly end: () => void;
}

/** A call, as tests count them. */
export interface ApiCall {
  /** `GET`, `WATCH`, `POST`, … */
  readonly verb: string;
  /** The path. */
  readonly path: string;
}

/** The server. */
export class ApiServer implements AsyncDisposable {
  /** What was asked, the first call first. */
  readonly calls: ApiCall[] = [];
  /** Its door; slam it, and the server is as good as killed. */
  readonly front: Front;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #objects = new Map<string, ApiObject>();
  readonly #watchers = new Set<Watcher>();
  #events: Event[] = [];
  #version = 1;
  #oldest = 0;

  /**
   * Begins to serve.
   *
   * @param listen Where its door is; this machine's loopback unless told.
   */
  constructor(listen?: Listen) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
    this.front = new Front(this.#server.addr.port, listen);
  }

  /** Where it is. */
  get url(): string {
    return `http://${this.front.hostname}:${this.front.port}`;
  }

  /**
   * Writes a kubeconfig for it.
   *
   * @param path The file.
   */
  async writeKubeconfig(path: string): Promise<void> {
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name: "emulated",
        cluster: { server: this.url, "insecure-skip-tls-verify": true },
      }],
      users: [{ name: "anybody", user: {} }],
      contexts: [{
        name: "emulated",
        context: { cluster: "emulated", user: "anybody" },
      }],
      "current-context": "emulated",
    };
    await Deno.writeTextFile(path, JSON.stringify(config));
  }

  /**
   * Makes or changes an object, and tells its watchers.
   *
   * @param collection The path of its kind, such as `/api/v1/pods`.
   * @param object The object.
   * @returns The object with its version.
   */
  put(collection: string, object: ApiObject): ApiObject {
    const key = keyOf(collection, object);
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    const stored = this.#stamp(object);
    this.#objects.set(key, stored);
    this.#tell({ collection, type, object: stored });
    return stored;
  }

  /**
   * Deletes an object, and tells its watchers.
   *
   * @param collection The path of its kind.
   * @param name Its name.
   * @param namespace Its namespace, if it has one.
   */
  remove(collection: string, name: string, namespace?: string): void {
    const metadata = namespace === undefined ? { name } : { name, namespace };
    const key = keyOf(collection, { metadata });
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    this.#tell({ collection, type: "DELETED", object: this.#stamp(object) });
  }

  /**
   * Gives the objects of a kind.
   *
   * @param collection The path of its kind.
   * @returns All of them.
   */
  list(collection: string): readonly ApiObject[] {
    return [...this.#objects].filter(([key]) =>
      key.startsWith(`${collection} `)
    ).map(([, object]) => object);
  }

  /** Forgets what happened: watches of before are answered 410. */
  forgetHistory(): void {
    this.#oldest = this.#version;
    this.#events = [];
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.front[Symbol.asyncDispose]();
    for (const watcher of this.#watchers) watcher.end();
    await this.#server.shutdown();
  }

  #stamp(object: ApiObject): ApiObject {
    const resourceVersion = `${++this.#version}`;
    return { ...object, metadata: { ...object.metadata, resourceVersion } };
  }

  #tell(
    { collection, ...line }: {
      collection: string;
      type: string;
      object: ApiObject;
    },
  ): void {
    this.#events.push({ version: this.#version, collection, line });
    for (const watcher of this.#watchers) {
      if (watcher.collection === collection && watcher.wants(line.object)) {
        watcher.tell(line);
      }
    }
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const isWatch = url.searchParams.get("watch") === "true";
    this.calls.push({
      verb: isWatch ? "WATCH" : request.method,
      path: url.pathname,
    });
    if (isWatch) return this.#watch(url);
    const { collection, name } = split(url.pathname);
    const found = this.#find(collection, url.pathname, name);
    switch (request.method) {
      case "GET":
        if (name === undefined) return this.#listed(url);
        return found === undefined ? refuse(404) : Response.json(found);
      case "POST":
        return this.#create(url.pathname, await request.json());
      case "PUT":
        return found === undefined
          ? refuse(404)
          : this.#replace(collection, found, await request.json());
      case "PATCH":
        return found === undefined ? refuse(404) : Response.json(
          this.put(collection, merge(found, await request.json()) as ApiObject),
        );
      case "DELETE":
        if (found === undefined) return refuse(404);
        this.remove(collection, found.metadata.name, found.metadata.namespace);
        return Response.json({ kind: "Status", status: "Success" });
    }
    return refuse(405);
  }

  #listed(url: URL): Response {
    const collection = collectionOf(url.pathname);
    const items = this.list(collection).filter(filterOf(url));
    const metadata = { resourceVersion: `${this.#version}` };
    return Response.json({ kind: "List", apiVersion: "v1", metadata, items });
  }

  #create(path: string, body: ApiObject): Response {
    const namespace = namespaceOf(path);
    const name = body.metadata.name ??
      `${body.metadata["generateName"] ?? ""}${this.#version}`;
    const object = {
      ...body,
      metadata: {
        ...body.metadata,
        name,
        ...(namespace === undefined ? {} : { namespace }),
      },
    };
    const collection = collectionOf(path);
    if (this.#objects.has(keyOf(collection, object))) return refuse(409);
    return Response.json(this.put(collection, object), { status: 201 });
  }

  #replace(collection: string, found: ApiObject, body: ApiObject): Response {
    const { resourceVersion } = body.metadata;
    const isStale = resourceVersion !== undefined &&
      resourceVersion !== found.metadata.resourceVersion;
    return isStale ? refuse(409) : Response.json(this.put(collection, body));
  }

  #watch(url: URL): Response {
    const from = Number(url.searchParams.get("resourceVersion") ?? 0);
    const collection = collectionOf(url.pathname);
    const wants = filterOf(url);
    const encoder = new TextEncoder();
    let watcher: Watcher | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const tell = (line: unknown): void =>
          controller.enqueue(encoder.encode(JSON.stringify(line) + "\n"));
        if (from < this.#oldest) {
          tell({ type: "ERROR", object: { code: 410, message: "too old" } });
          return controller.close();
        }
        for (const event of this.#events) {
          if (event.version <= from || event.collection !== collection) {
            continue;
          }
          if (wants(event.line.object)) tell(event.line);
        }
        const end = (): void => controller.close();
        watcher = { collection, wants, tell, end };
        this.#watchers.add(watcher);
      },
      cancel: () => {
        if (watcher !== undefined) this.#watchers.delete(watcher);
      },
    });
    return new Response(body);
  }

  #find(
    collection: string,
    path: string,
    name: string | undefined,
  ): ApiObject | undefined {
    if (name === undefined) return undefined;
    const namespace = namespaceOf(path);
    const metadata = namespace === undefined ? { name } : { name, namespace };
    return this.#objects.get(keyOf(collection, { metadata }));
  }
}

/** `/api/v1/namespaces/x/pods` is the part of `/api/v1/pods` in `x`. */
function collectionOf(path: string): string {
  return split(path).collection;
}

function split(path: string): { collection: string; name?: string } {
  const [, root, kind, name] =
    /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/[^/]+(?=\/))?\/([^/]+)(?:\/([^/]+))?/
      .exec(path) ?? [];
  const collection = `${root}/${kind}`;
  return name === undefined ? { collection } : { collection, name };
}

function namespaceOf(path: string): string | undefined {
  return /\/namespaces\/([^/]+)\//.exec(path)?.[1];
}

function keyOf(collection: string, { metadata }: ApiObject): string {
  return `${collection} ${metadata.namespace ?? ""}/${metadata.name}`;
}

/** Source: the API conventions; the fields are those that are asked for. */
function filterOf(url: URL): (object: ApiObject) => boolean {
  const selector = url.searchParams.get("fieldSelector");
  const namespace = namespaceOf(`${url.pathname}/`);
  const isNamespaced = /\/namespaces\/[^/]+\/./.test(url.pathname);
  const [path = "", value = ""] = selector?.split("=") ?? [];
  return (object) => {
    if (isNamespaced && object.metadata.namespace !== namespace) return false;
    if (selector === null) return true;
    let found: unknown = object;
    for (const key of path.split(".")) {
      found = (found as Record<string, unknown> | undefined)?.[key];
    }
    return found === value;
  };
}

/** RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const isTree = typeof target === "object" && target !== null;
  const merged = new Map(isTree ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, merge(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [404, "NotFound"],
  [405, "MethodNotAllowed"],
  [409, "Conflict"],
]);

function refuse(code: number): Response {
  const reason = REASONS.get(code) ?? "";
  return Response.json(
    { kind: "Status", status: "Failure", code, reason, message: reason },
    { status: code },
  );
}
