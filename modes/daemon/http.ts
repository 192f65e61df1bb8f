/**
 * Health and metrics over HTTP, for a kubelet's probes and for Prometheus.
 *
 * That this answers is all that `/healthz` says: a daemon mustn't be restarted
 * because the cloud is away. `/readyz` says whether a pod could be attached.
 *
 * @module
 */
import type { Log } from "../log.ts";
import type { NotReady } from "./dispatch.ts";
import type { Meter } from "./meter.ts";

/** What it tells of. */
export interface HttpParts {
  /** What Prometheus reads. */
  readonly meter?: Meter;
  /** Says why no ADD can be served, if none can. */
  readonly notReady: () => NotReady | undefined;
  /** Where it is told that it can't be served. */
  readonly log: Log;
}

/**
 * Serves them.
 *
 * @param address Where; nothing is served without one.
 * @param parts What it tells of.
 * @returns Ends it.
 */
export function serveHttp(
  address: { readonly hostname: string; readonly port: number } | undefined,
  parts: HttpParts,
): AsyncDisposable | undefined {
  if (address === undefined) return undefined;
  const server = Deno.serve(
    { ...address, onListen: () => {} },
    (request) => answer(new URL(request.url).pathname, parts),
  );
  parts.log.info("health and metrics are served", { ...address });
  return server;
}

async function answer(
  path: string,
  { meter, notReady }: HttpParts,
): Promise<Response> {
  switch (path) {
    case "/healthz":
      return new Response("ok\n");
    case "/readyz": {
      const reason = notReady();
      return reason === undefined
        ? new Response("ok\n")
        : new Response(`${reason.why}\n`, { status: 503 });
    }
    case "/metrics":
      if (meter === undefined) break;
      return new Response(await meter.text(), {
        headers: { "content-type": meter.contentType },
      });
  }
  return new Response("not found\n", { status: 404 });
}
