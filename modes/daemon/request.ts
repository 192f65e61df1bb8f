/**
 * What a runtime asks: the `CNI_*` variables and the network configuration of
 * one call, checked once. Inside the daemon a {@linkcode CniRequest} is valid.
 *
 * Source: CNI spec 1.1.0, section 2 "Execution Protocol" (read 2026-11-21).
 *
 * @module
 */
import { z } from "zod";
import type { Owner, PodName } from "../../netns/attachment.ts";
import type { Cidr } from "../../netns/ip.ts";
import type { Bandwidth } from "../../netns/bandwidth.ts";
import {
  CRI_ANNOTATIONS,
  decodeBandwidth,
  type DecodedBandwidth,
} from "./bandwidth.ts";
import { destination } from "./eni_conf_values.ts";
import { valueAt } from "./overlay.ts";
import { type DecodedNetworks, decodePodNetworks } from "./pod_networks.ts";
import { type Previous, previous } from "./previous.ts";
import { CNI_VERSIONS, type CniVersion, isVersion } from "./versions.ts";
import {
  type SharingKeys,
  virtualType,
  vlanStripType,
} from "./virtual_type.ts";

export { CNI_VERSIONS, type CniVersion } from "./versions.ts";

/** What a runtime can ask of a daemon, besides VERSION. */
export type CniVerb = "ADD" | "CHECK" | "DEL" | "GC" | "STATUS";

/** The spec's error codes that we use. Source: CNI spec 1.1.0, "Error". */
export const CNI_CODE = {
  incompatibleVersion: 1,
  invalidVariable: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  tryAgain: 11,
  notAvailable: 50,
  limited: 51,
} as const;

/** A request that can't be served; its code goes to the runtime as it is. */
export class RequestError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "RequestError";
  /** The CNI error code. */
  readonly code: number;
  /** Every problem, one a line. */
  readonly details: string;

  /**
   * Makes one.
   *
   * @param code The CNI error code.
   * @param message What is wrong, in a few words.
   * @param problems All of them.
   */
  constructor(code: number, message: string, problems: readonly string[] = []) {
    super(message);
    this.code = code;
    this.details = problems.join("; ");
  }
}

/** The part of a network configuration that we read. */
export interface NetworkConfig extends SharingKeys {
  /** The version that the answer shall have. */
  readonly cniVersion: CniVersion;
  /** The network's name. */
  readonly name: string;
  /** Bytes in a packet, when the network says so. */
  readonly mtu?: number;
  /** How fast the pod may be; only of an ADD, which alone sets it. */
  readonly bandwidth?: Bandwidth;
  /** The pod's interfaces, when it lists them; only of an ADD. */
  readonly interfaces?: NonNullable<DecodedNetworks["interfaces"]>;
  /** Whether a later plugin opens ports of the node for this pod. */
  readonly hasHostPorts?: boolean;
  /** Whether a pod of this network gets an ENI to itself, in mode `VPC`. */
  readonly eni?: "shared" | "exclusive";
  /** Whether a successor of the same name may have the pod's addresses. */
  readonly keepsAddress?: boolean;
  /** Prefixes that the node's own stack serves, such as its DNS cache. */
  readonly hostStackCidrs?: readonly Cidr[];
  /** What earlier plugins of the list answered; the whole list for CHECK. */
  readonly prevResult?: Previous;
  /** Attachments that are still valid, for GC. */
  readonly validAttachments?: readonly {
    readonly containerID: string;
    readonly ifname: string;
  }[];
}

/** A call on one sandbox. */
export interface CniRequest {
  /** What is asked. */
  readonly verb: CniVerb;
  /** The network configuration. */
  readonly config: NetworkConfig;
  /** Whose attachment; absent for STATUS and GC. */
  readonly owner?: Owner;
  /** The path of the sandbox's namespace; absent when it may be gone. */
  readonly netns?: string;
  /** The pod, when the runtime names it. */
  readonly pod?: PodName;
}

/** What each verb must bring. Source: CNI spec 1.1.0, "CNI operations". */
const VERBS: Readonly<Record<CniVerb, { env: string[]; since: CniVersion }>> = {
  ADD: {
    env: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    since: "0.3.0",
  },
  // The namespace may be gone by now.
  DEL: { env: ["CNI_CONTAINERID", "CNI_IFNAME"], since: "0.3.0" },
  CHECK: {
    env: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    since: "0.4.0",
  },
  GC: { env: [], since: "1.1.0" },
  STATUS: { env: [], since: "1.1.0" },
};

/** Go writes an empty list as null. */
const attachments = z.array(
  z.object({ containerID: z.string(), ifname: z.string().default("") }),
).nullable();

/** Keys that we don't know belong to others in the chain, and are left. */
const network = z.looseObject({
  name: z.string().regex(
    /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
    "must start with a letter or digit, then letters, digits, _ . -",
  ),
  mtu: z.int().min(1280).max(9000).optional(),
  host_stack_cidrs: z.array(destination).max(100).optional(),
  eni: z.enum(["shared", "exclusive"]).optional(),
  vlan_strip_type: vlanStripType.optional(),
  eniip_virtual_type: virtualType.optional(),
  prevResult: previous.nullish(),
  "cni.dev/valid-attachments": attachments.optional(),
  "cni.dev/attachments": attachments.optional(),
});

/** What is only for making a network mustn't keep one from being removed. */
const bare = network.omit({
  mtu: true,
  host_stack_cidrs: true,
  eniip_virtual_type: true,
  vlan_strip_type: true,
  eni: true,
  prevResult: true,
});

/**
 * Decodes a call.
 *
 * @param variables The `CNI_*` variables.
 * @param stdin The network configuration.
 * @returns The call.
 * @throws {RequestError} With every problem of the first thing that is wrong:
 * the command, the configuration's form, its version, the variables.
 */
export function decodeRequest(
  variables: ReadonlyMap<string, string>,
  stdin: Uint8Array,
): CniRequest {
  const verb = variables.get("CNI_COMMAND") ?? "";
  if (!isVerb(verb)) {
    throw new RequestError(
      CNI_CODE.invalidVariable,
      `CNI_COMMAND must be ${
        Object.keys(VERBS).join(", ")
      } or VERSION: it is ` +
        `"${verb}"`,
    );
  }
  const config = decodeNetwork(stdin, verb);
  requireSince(verb, config.cniVersion);
  checkVariables(verb, variables);
  const netns = variables.get("CNI_NETNS");
  const pod = verb === "ADD"
    ? podOf(variables.get("CNI_ARGS") ?? "")
    : undefined;
  return {
    verb,
    config,
    ...(VERBS[verb].env.includes("CNI_IFNAME")
      ? {
        owner: {
          network: config.name,
          containerId: variables.get("CNI_CONTAINERID") ?? "",
          ifName: variables.get("CNI_IFNAME") ?? "",
        },
      }
      : {}),
    ...(netns === undefined || netns === "" ? {} : { netns }),
    ...(pod === undefined ? {} : { pod }),
  };
}

/**
 * Finds the version that an error's document must have, whatever else is wrong
 * with the configuration.
 *
 * @param stdin What should be a network configuration.
 * @returns Its version when it can be read and is known, else 1.0.0.
 */
export function versionOf(stdin: Uint8Array): CniVersion {
  try {
    const version = JSON.parse(new TextDecoder().decode(stdin)).cniVersion;
    return isVersion(version) ? version : "1.0.0";
  } catch {
    return "1.0.0";
  }
}

function decodeNetwork(stdin: Uint8Array, verb: CniVerb): NetworkConfig {
  const json = parseJson(stdin);
  const version = json["cniVersion"];
  if (!isVersion(version)) {
    throw new RequestError(
      CNI_CODE.incompatibleVersion,
      `cniVersion must be one of ${CNI_VERSIONS.join(", ")}: it is ` +
        (version === undefined ? "absent" : JSON.stringify(version)),
    );
  }
  const isWhole = verb === "ADD" || verb === "CHECK";
  const decoded = (isWhole ? network : bare).safeParse(json);
  const issues = decoded.error?.issues ?? [];
  const { bandwidth, interfaces, problems } = verb === "ADD"
    ? decodeRuntime(json["runtimeConfig"])
    : { problems: [] };
  if (!decoded.success || problems.length > 0) {
    throw new RequestError(
      CNI_CODE.invalidConfig,
      "the network configuration is wrong",
      [
        ...issues.map(({ path, message }) =>
          `${path.join(".") || "it"}: ${message}${valueIn(json, path)}`
        ),
        ...problems,
      ],
    );
  }
  const { name } = decoded.data;
  const whole: Partial<z.output<typeof network>> = isWhole ? decoded.data : {};
  const { mtu, host_stack_cidrs: cidrs, eni, prevResult } = whole;
  const { eniip_virtual_type: shares, vlan_strip_type: strips } = whole;
  const valid = validOf(decoded.data);
  return {
    cniVersion: version,
    name,
    ...(mtu === undefined ? {} : { mtu }),
    ...(cidrs === undefined ? {} : { hostStackCidrs: [...new Set(cidrs)] }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(interfaces === undefined ? {} : { interfaces }),
    ...(hasHostPorts(json["runtimeConfig"]) ? { hasHostPorts: true } : {}),
    ...(eni === undefined ? {} : { eni }),
    ...shares && { virtualType: shares },
    ...strips && { vlanStripType: strips },
    ...(prevResult ? { prevResult } : {}),
    ...(valid === undefined ? {} : { validAttachments: valid }),
  };
}

/** What a runtime says of the pod itself. */
function decodeRuntime(
  runtimeConfig: unknown,
): DecodedBandwidth & DecodedNetworks {
  const limits = decodeBandwidth(runtimeConfig);
  const runtime = { ...runtimeConfig as Record<string, unknown> };
  const networks = decodePodNetworks(runtime[CRI_ANNOTATIONS]);
  const problems = [...limits.problems, ...networks.problems];
  return { ...limits, ...networks, problems };
}

/** What stands at a path, where that is short enough to say. */
function valueIn(json: unknown, path: readonly PropertyKey[]): string {
  const value = path.length === 0 ? undefined : valueAt(json, path);
  if (typeof value === "object" || value === undefined) return "";
  return `: it is ${JSON.stringify(value).slice(0, 80)}`;
}

/** Source: CNI conventions, "port mappings" (read 2026-11-21). */
function hasHostPorts(runtimeConfig: unknown): boolean {
  const { portMappings } = { ...runtimeConfig as object } as {
    portMappings?: unknown;
  };
  return Array.isArray(portMappings) && portMappings.length > 0;
}

/**
 * Runtimes write the list under either name, and some under both: whoever is
 * on one of them stays. Source: CNI spec 1.1.0, "GC", and libcni 1.2.
 */
function validOf(
  data: z.output<typeof bare>,
): NetworkConfig["validAttachments"] {
  const lists = [data["cni.dev/valid-attachments"], data["cni.dev/attachments"]]
    .filter((list) => list !== undefined);
  return lists.length === 0 ? undefined : lists.flatMap((list) => list ?? []);
}

function parseJson(stdin: Uint8Array): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(stdin));
  } catch (error) {
    throw new RequestError(
      CNI_CODE.decode,
      "the network configuration on standard input must be JSON",
      [error instanceof Error ? error.message : String(error)],
    );
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new RequestError(
      CNI_CODE.decode,
      "the network configuration on standard input must be a JSON object",
    );
  }
  return { ...json };
}

function requireSince(verb: CniVerb, version: CniVersion): void {
  const { since } = VERBS[verb];
  if (CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(since)) return;
  throw new RequestError(
    CNI_CODE.incompatibleVersion,
    `${verb} needs cniVersion ${since} or later: it is ${version}`,
  );
}

function checkVariables(
  verb: CniVerb,
  variables: ReadonlyMap<string, string>,
): void {
  const problems: string[] = [];
  for (const name of VERBS[verb].env) {
    const value = variables.get(name) ?? "";
    const rule = value === "" ? "must be given" : ruleOf(name, value);
    if (rule !== undefined) {
      problems.push(`${name} ${rule}` + (value === "" ? "" : `: "${value}"`));
    }
  }
  if (problems.length === 0) return;
  // The names belong into the message. Source: CNI spec 1.1.0, code 4.
  throw new RequestError(
    CNI_CODE.invalidVariable,
    `the environment is wrong: ${problems.join("; ")}`,
  );
}

function ruleOf(name: string, value: string): string | undefined {
  switch (name) {
    case "CNI_CONTAINERID":
      return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(value)
        ? undefined
        : "must start with a letter or digit, then letters, digits, _ . -";
    case "CNI_IFNAME":
      // IFNAMSIZ - 1, and what dev_valid_name() refuses.
      return /^[^/:\s]{1,15}$/.test(value) && value !== "." && value !== ".."
        ? undefined
        : "must be a link name: 1 to 15 bytes without / : and white space";
    case "CNI_NETNS":
      return value.startsWith("/") ? undefined : "must be an absolute path";
  }
  return undefined;
}

/** `CNI_ARGS` is `KEY=VALUE` pairs; those of kubelet name the pod. */
function podOf(args: string): PodName | undefined {
  const pairs = args.split(";").filter((pair) => pair !== "");
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new RequestError(
        CNI_CODE.invalidVariable,
        `CNI_ARGS must be KEY=VALUE pairs divided by semicolons: "${args}"`,
      );
    }
    values.set(pair.slice(0, at), pair.slice(at + 1));
  }
  const namespace = values.get("K8S_POD_NAMESPACE");
  const name = values.get("K8S_POD_NAME");
  const uid = values.get("K8S_POD_UID");
  if (namespace === undefined || name === undefined) return undefined;
  return { namespace, name, ...(uid === undefined ? {} : { uid }) };
}

function isVerb(text: string): text is CniVerb {
  return Object.hasOwn(VERBS, text);
}
