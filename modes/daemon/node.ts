/**
 * What the daemon must know of its node before it can serve: which instance it
 * is, what its type allows, and where new ENIs shall come from.
 *
 * @module
 */
import { CloudError } from "../../pool/cloud.ts";
import type { Cloud, Instance, InstanceLimits } from "../../pool/cloud.ts";
import {
  type CallEnded,
  type CredentialStatus,
  openCloud,
  type OpenedCloud,
} from "../../pool/clouds.ts";
import { hasIp6 } from "../../pool/family.ts";
import type { VSwitchChoice } from "../../pool/limits.ts";
import { errorFields, type Log } from "../log.ts";
import type { DaemonConfig } from "./config.ts";
import { requireStack } from "./stack.ts";

/** The node and its cloud. */
export interface NodeFacts {
  /** The cloud. */
  readonly cloud: Cloud;
  /** The node's instance. */
  readonly instance: Instance;
  /** What its type allows. */
  readonly limits: InstanceLimits;
  /** Where new ENIs get addresses, in order of preference. */
  readonly vSwitches: readonly VSwitchChoice[];
  /** Of new ENIs. */
  readonly securityGroupIds: readonly string[];
  /** Tells where the credentials come from, and whether they hold. */
  readonly credentials: () => CredentialStatus | undefined;
}

/** What asking about a node works with. */
export interface NodeParts {
  /** Hears of each call of the cloud that ended. */
  readonly onCall?: (ended: CallEnded) => void;
  /** Where waiting is told. */
  readonly log: Log;
}

/** One question to metadata or cloud may take this long. */
const QUESTION_DEADLINE_MS = 20_000;

/**
 * How often the questions are asked before the daemon gives up, and how long
 * it waits between: after five minutes a restart by the kubelet says more than
 * a silent daemon.
 */
const TRY_LIMIT = 30;
const TRY_PAUSE_MS = 10_000;

/**
 * Finds out about the node.
 *
 * @param config The configuration.
 * @param parts What asking works with.
 * @returns The node.
 * @throws {CloudError} When the cloud can't be asked, or says that the
 * configuration can't be right.
 */
export async function openNode(
  config: DaemonConfig,
  parts: NodeParts,
): Promise<NodeFacts> {
  const { log } = parts;
  for (let count = 1;; count++) {
    try {
      return await ask(config, parts);
    } catch (error) {
      if (count === TRY_LIMIT || !mayPass(error)) throw error;
      log.warning("the node can't be described yet: trying again", {
        attempt: count,
        ...errorFields(error),
      });
      await new Promise((resolve) => setTimeout(resolve, TRY_PAUSE_MS));
    }
  }
}

async function ask(
  config: DaemonConfig,
  { onCall, log }: NodeParts,
): Promise<NodeFacts> {
  const soon = (): AbortSignal => AbortSignal.timeout(QUESTION_DEADLINE_MS);
  const opened = await openCloud(
    {
      name: "alibaba",
      ...(config.region === undefined ? {} : { region: config.region }),
      ...(config.accessKey === undefined
        ? {}
        : { accessKey: config.accessKey }),
      ...(config.credentialPath === undefined
        ? {}
        : { credentialPath: config.credentialPath }),
      ...onCall && { onCall },
    },
    (name) => Deno.env.get(name),
    soon(),
  );
  const { cloud } = opened;
  const instance = await opened.identity(soon());
  const [limits, listed, securityGroupIds] = await Promise.all([
    cloud.describeLimits(instance.type, soon()),
    vSwitchesFor(config, instance, { cloud, signal: soon() }),
    securityGroupsFor(config, instance, { cloud, signal: soon() }),
  ]);
  const { type } = instance;
  const needs = { type, limits, vSwitches: listed };
  const { vSwitches, warnings } = requireStack(config.ipStack, needs);
  for (const warning of warnings) log.warning(warning);
  return {
    cloud,
    instance,
    limits,
    vSwitches,
    securityGroupIds,
    credentials: () => opened.credentialStatus(),
  };
}

type Question = Pick<OpenedCloud, "cloud"> & { readonly signal: AbortSignal };

/**
 * Finds out where new ENIs get addresses, and which groups they are in, by a
 * configuration that changed.
 *
 * @param config The configuration.
 * @param node The node.
 * @returns The node, by that configuration.
 * @throws {Error} When the cloud says that it can't be right.
 */
export async function withConfig(
  config: DaemonConfig,
  node: NodeFacts,
): Promise<NodeFacts> {
  const { cloud, instance, limits } = node;
  const { type } = instance;
  const signal = AbortSignal.timeout(QUESTION_DEADLINE_MS);
  const [listed, securityGroupIds] = await Promise.all([
    vSwitchesFor(config, instance, { cloud, signal }),
    securityGroupsFor(config, instance, { cloud, signal }),
  ]);
  const needs = { type, limits, vSwitches: listed };
  const { vSwitches } = requireStack(config.ipStack, needs);
  return { ...node, vSwitches, securityGroupIds };
}

async function vSwitchesFor(
  config: DaemonConfig,
  instance: Instance,
  { cloud, signal }: Question,
): Promise<readonly VSwitchChoice[]> {
  const ids = config.vSwitches[instance.zone] ?? [instance.vSwitchId];
  const found = await cloud.describeVSwitches(ids, signal);
  const problems = [
    ...ids.filter((id) => !found.some((one) => one.id === id))
      .map((id) => `the cloud knows no vSwitch ${id}`),
    ...found.filter((one) => one.zone !== instance.zone)
      .map((one) =>
        `${one.id} is in ${one.zone}, but stands under ${instance.zone}`
      ),
  ];
  if (problems.length > 0) {
    throw new Error(`Cannot use vswitches: ${problems.join("; ")}`);
  }
  return found.map(({ id, cidr, cidr6 }) => ({
    id,
    cidr,
    ...cidr6 !== undefined && hasIp6(config.ipStack) && { cidr6 },
  }));
}

async function securityGroupsFor(
  config: DaemonConfig,
  instance: Instance,
  { cloud, signal }: Question,
): Promise<readonly string[]> {
  if (config.securityGroupIds !== undefined) return config.securityGroupIds;
  const enis = await cloud.describeEnis({ instanceId: instance.id }, signal);
  const primary = enis.find((eni) => eni.mac === instance.primaryMac);
  if (primary === undefined) {
    throw new Error(
      `Cannot tell security groups as the cloud shows no ENI with the ` +
        `primary MAC ${instance.primaryMac} on ${instance.id}: set ` +
        "security_group",
    );
  }
  return primary.securityGroupIds.slice(0, 5);
}

/** What a later try can cure; a wrong configuration or a missing right isn't. */
function mayPass(error: unknown): boolean {
  if (error instanceof CloudError) {
    return error.kind === "transient" || error.kind === "throttled";
  }
  return error instanceof DOMException || error instanceof TypeError;
}
