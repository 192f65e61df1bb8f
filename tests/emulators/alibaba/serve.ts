/**
 * The HTTP front of the emulated cloud: ECS, VPC and STS on one endpoint, and
 * the emulator's own paths beside them (`control.ts`).
 *
 * @module
 */
import { control } from "./control.ts";
import type { EmulatedCloud } from "./cloud.ts";
import { type Outcome, perform, refused } from "./perform.ts";
import { Refusal } from "./refusal.ts";
import { sha256 } from "./signature.ts";
import { Verifier } from "./verify.ts";

/** Answers requests; what `Deno.serve` takes. */
export type Handler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Promise<Response>;

/** Where to serve. */
export type Where =
  | {
    /** @default {"127.0.0.1"} */
    readonly hostname?: string;
    /** @default {0} Any free one. */
    readonly port?: number;
  }
  | {
    /**
     * Begins to serve somewhere else, such as in another network namespace:
     * there `Deno.serve` is called while inside, since it binds at once.
     */
    readonly serve: (handler: Handler) => Deno.HttpServer<Deno.NetAddr>;
  };

/** A front that serves. */
export interface Front {
  /** Host and port, as `ECS_ENDPOINT` takes them. */
  readonly endpoint: string;
  /** Stops it: waiting requests are cut off. */
  close(): Promise<void>;
}

/**
 * Serves a cloud's API.
 *
 * @param cloud The cloud.
 * @param where Where.
 * @returns The front.
 */
export function serveAlibaba(cloud: EmulatedCloud, where: Where = {}): Front {
  const verifier = new Verifier(cloud);
  return listen(
    where,
    async (request) =>
      await control(cloud, request) ?? await handle(cloud, verifier, request),
  );
}

/**
 * Begins to serve with a handler.
 *
 * @param where Where.
 * @param handler Gives the answers; what it throws cuts the connection.
 * @returns The front.
 */
export function listen(where: Where, handler: Handler): Front {
  const end = new AbortController();
  const cut: Handler = (request, info) => {
    const closed = Promise.withResolvers<Response>();
    const onClose = (): void => closed.resolve(new Response(null));
    end.signal.addEventListener("abort", onClose, { once: true });
    return Promise.race([handler(request, info), closed.promise]).finally(() =>
      end.signal.removeEventListener("abort", onClose)
    );
  };
  const server = "serve" in where ? where.serve(cut) : Deno.serve({
    hostname: where.hostname ?? "127.0.0.1",
    port: where.port ?? 0,
    onListen: () => {}, // the default one writes to stdout
  }, cut);
  const { hostname, port } = server.addr;
  return {
    endpoint: `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
    async close(): Promise<void> {
      end.abort();
      await server.shutdown();
    },
  };
}

async function handle(
  cloud: EmulatedCloud,
  verifier: Verifier,
  request: Request,
): Promise<Response> {
  const host = request.headers.get("host") ?? "";
  const outcome = await outcomeOf(cloud, verifier, request, host);
  switch (outcome.kind) {
    case "reply":
      return Response.json(outcome.body, {
        status: outcome.status,
        headers: { "x-acs-request-id": String(outcome.body["RequestId"]) },
      });
    case "garbage":
      return new Response(outcome.text, {
        status: outcome.status,
        headers: { "content-type": "text/html" },
      });
    case "hang":
      return await new Promise(() => {}); // until the front is closed
    case "lost":
      return broken();
  }
}

async function outcomeOf(
  cloud: EmulatedCloud,
  verifier: Verifier,
  request: Request,
  host: string,
): Promise<Outcome> {
  try {
    const url = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    const isForm = request.headers.get("content-type")
      ?.startsWith("application/x-www-form-urlencoded") ?? false;
    const form = isForm
      ? new URLSearchParams(new TextDecoder().decode(body))
      : [];
    // RPC v1 signs query and form as one; ACS3 signs the form as the body.
    const isAcs3 = request.headers.has("authorization");
    const verified = verifier.verify({
      method: request.method,
      path: url.pathname,
      query: Object.fromEntries([
        ...url.searchParams,
        ...(isAcs3 ? [] : form),
      ]),
      headers: Object.fromEntries(request.headers),
      bodyHash: sha256(body),
    });
    const params = isAcs3
      ? { ...verified.params, ...Object.fromEntries(form) }
      : verified.params;
    return await perform(cloud, { ...verified, params, host });
  } catch (error) {
    if (error instanceof Refusal) return refused(cloud, error, host);
    throw error;
  }
}

/** Promises more than it gives, so that the connection breaks. */
function broken(): Response {
  const stream = new ReadableStream<Uint8Array>({
    start(controller): void {
      controller.enqueue(new TextEncoder().encode('{"RequestId":"'));
      controller.close();
    },
  });
  return new Response(stream, {
    headers: { "content-type": "application/json", "content-length": "4096" },
  });
}
