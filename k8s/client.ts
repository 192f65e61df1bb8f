/**
 * The API server as this process's account sees it.
 *
 * Every call but a watch has a deadline. Nothing is retried here: who calls
 * knows whether it may be.
 *
 * @module
 */
import "./web_streams.ts";
import {
  ApiException,
  CoordinationV1Api,
  CoreV1Api,
  createConfiguration,
  CustomObjectsApi,
  KubeConfig,
  NetworkingV1Api,
  type RequestContext,
  ServerConfiguration,
} from "@kubernetes/client-node";

/** How to reach an API server. */
export interface KubernetesOptions {
  /** A kubeconfig's path. @default {the pod's service account} */
  readonly kubeconfig?: string;
  /** How long a call may take; 10 seconds unless told. */
  readonly deadlineMs?: number;
}

/** The parts of the API that are used. */
export interface Kubernetes {
  /** Where the API server is, and as whom it is asked. */
  readonly config: KubeConfig;
  /** Pods, nodes, events, ConfigMaps. */
  readonly core: CoreV1Api;
  /** Leases. */
  readonly coordination: CoordinationV1Api;
  /** Service CIDRs, network policies. */
  readonly networking: NetworkingV1Api;
  /** Objects of our own kinds. */
  readonly custom: CustomObjectsApi;
}

/** What the API server refused, or that it can't be reached. */
export class ApiError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "ApiError";
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Kubernetes' word for it, such as `NotFound`; empty without one. */
  readonly reason: string;

  /**
   * Makes one.
   *
   * @param message What happened.
   * @param said The status and the reason.
   * @param options The cause.
   */
  constructor(
    message: string,
    said: { readonly status: number; readonly reason: string },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = said.status;
    this.reason = said.reason;
  }
}

/** Long for an API server, short for a pod that waits. */
const DEADLINE_MS = 10_000;

/**
 * Opens the API.
 *
 * Effects: reads the kubeconfig or the service account's files; calls nobody.
 *
 * @param options See {@linkcode KubernetesOptions}.
 * @returns The API.
 * @throws {Error} When neither is there.
 */
export function openKubernetes(options: KubernetesOptions = {}): Kubernetes {
  const { kubeconfig, deadlineMs = DEADLINE_MS } = options;
  const config = new KubeConfig();
  if (kubeconfig === undefined) requirePod(config);
  else config.loadFromFile(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new Error(
      `Cannot find an API server: ${kubeconfig} names no current cluster`,
    );
  }
  const api = createConfiguration({
    baseServer: new ServerConfiguration(server, {}),
    authMethods: { default: config },
    promiseMiddleware: [{
      pre: (context: RequestContext) => {
        context.setSignal(AbortSignal.timeout(deadlineMs));
        return Promise.resolve(context);
      },
      post: (response) => Promise.resolve(response),
    }],
  });
  return {
    config,
    core: new CoreV1Api(api),
    coordination: new CoordinationV1Api(api),
    networking: new NetworkingV1Api(api),
    custom: new CustomObjectsApi(api),
  };
}

function requirePod(config: KubeConfig): void {
  if (Deno.env.get("KUBERNETES_SERVICE_HOST") === undefined) {
    throw new Error(
      "Cannot find the API server: KUBERNETES_SERVICE_HOST isn't set, so " +
        "this is no pod; give a kubeconfig",
    );
  }
  config.loadFromCluster();
}

/**
 * Calls, and makes what goes wrong an {@linkcode ApiError}.
 *
 * @param what What was tried, in a few words: it begins the message.
 * @param work The call.
 * @returns What the call gives.
 * @throws {ApiError} When it fails.
 */
export async function call<T>(
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asApiError(what, error);
  }
}

/**
 * Makes any failure of a call an {@linkcode ApiError}.
 *
 * @param what What was tried.
 * @param error What was thrown.
 * @returns The error; its cause is kept unless it holds an answer's headers.
 */
export function asApiError(what: string, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ApiException) {
    const { reason = "", message = "" } = statusOf(error.body);
    const said = message === "" ? `HTTP ${error.code}` : message;
    return new ApiError(`Cannot ${what}: ${said}`, {
      status: error.code,
      reason,
    });
  }
  const status = error instanceof Error && "statusCode" in error
    ? Number(error.statusCode)
    : 0;
  const why = error instanceof Error ? deepest(error).message : String(error);
  return new ApiError(
    `Cannot ${what}: ${why}`,
    { status, reason: "" },
    { cause: error },
  );
}

/** Source: the API conventions, "Response Status Kind". */
function statusOf(body: unknown): { reason?: string; message?: string } {
  let status = body;
  if (typeof body === "string") {
    try {
      status = JSON.parse(body);
    } catch {
      return { message: body.slice(0, 300) };
    }
  }
  return typeof status === "object" && status !== null ? status : {};
}

/** `fetch failed` says nothing; its cause does. */
function deepest(error: Error): Error {
  let found = error;
  for (let depth = 0; depth < 8 && found.cause instanceof Error; depth++) {
    found = found.cause;
  }
  return found;
}
