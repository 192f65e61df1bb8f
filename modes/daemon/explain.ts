/**
 * `explain`, the daemon's part: finds the pod that is meant, and tells all
 * that is known of it.
 *
 * @module
 */
import {
  addressesOf,
  type Attachment,
  ownerKey,
} from "../../netns/attachment.ts";
import type { Kernel } from "../../netns/kernel.ts";
import type { Plans } from "../../netns/recipe.ts";
import { command, type Plan } from "../../netns/step.ts";
import type { Keeper } from "../../pool/contract.ts";
import type { History } from "../../pool/history.ts";
import type { Lease } from "../../pool/state.ts";
import type { Candidate, Explained, Explanation } from "../explain_form.ts";
import { attachmentOf } from "./attached.ts";
import type { Lender } from "./lender.ts";
import { CNI_CODE, RequestError } from "./request.ts";
import type { WayBack } from "./way_back.ts";

/** What explaining works with. */
export interface ExplainParts {
  /** The node's kernel. */
  readonly kernel: Kernel;
  /** Knows who waits. */
  readonly keeper: Pick<Keeper, "status">;
  /** Knows who has what. */
  readonly lender: Pick<Lender, "lease" | "leases">;
  /** Knows how that is made. */
  readonly attacher: { plans(attachment: Attachment): Plans };
  /** Knows how answers of translated connections leave. */
  readonly wayBack: Pick<WayBack, "commands" | "differences">;
  /** Knows what was. */
  readonly history: Pick<History, "deeds" | "subjects">;
}

/** More of a list is no help. */
const SHOWN_LIMIT = 20;

/** Nobody types more; a container's id has 64 characters. */
const NAME_LIMIT = 512;

/** Shorter beginnings of an id fit too many. */
const PREFIX_LENGTH = 4;

/**
 * Explains a pod.
 *
 * @param parts What it works with.
 * @param body `{ what }`: a pod's name, with or without its namespace; the
 * path of a namespace; a container's id or its beginning; an address; or an
 * owner as the answers name it.
 * @returns The pod, or those among which somebody has to choose.
 * @throws {RequestError} When the body isn't that.
 */
export async function explain(
  parts: ExplainParts,
  body: unknown,
): Promise<Explanation> {
  const what = whatOf(body);
  const nowMs = Date.now();
  const all = candidates(parts);
  const found = matching(all, what);
  const alive = found.filter(({ state }) => state !== "gone");
  const [one, ...others] = alive.length > 0 ? alive : found;
  const isOne = one !== undefined && (alive.length <= 1);
  if (!isOne) {
    const list = one === undefined ? all : alive;
    return {
      schema: 1,
      kind: one === undefined ? "unknown" : "several",
      nowMs,
      candidates: list.slice(0, SHOWN_LIMIT),
      count: list.length,
    };
  }
  const gone = alive.length > 0
    ? found.filter(({ state }) => state === "gone")
    : others;
  return {
    schema: 1,
    kind: "pod",
    nowMs,
    pod: await explainOne(parts, one),
    earlier: gone.slice(0, SHOWN_LIMIT),
  };
}

/**
 * Picks what somebody means. A whole name beats the beginning of an id.
 *
 * @param all What there is.
 * @param what What was typed.
 * @returns Those that fit, in the same order.
 */
export function matching<T extends Candidate>(
  all: readonly T[],
  what: string,
): readonly T[] {
  const idOf = ({ owner }: T): string => owner.split("/")[1] ?? "";
  const whole = all.filter((one) =>
    [one.owner, one.pod, one.netns, one.ip, idOf(one)].includes(what) ||
    one.pod?.endsWith(`/${what}`)
  );
  if (whole.length > 0 || what.length < PREFIX_LENGTH) return whole;
  return all.filter((one) => idOf(one).startsWith(what));
}

function whatOf(body: unknown): string {
  const { what } = (body ?? {}) as { what?: unknown };
  if (typeof what === "string" && what !== "" && what.length <= NAME_LIMIT) {
    return what;
  }
  throw new RequestError(
    CNI_CODE.decode,
    `explain needs {"what": TEXT} of 1 to ${NAME_LIMIT} characters: a pod, a ` +
      "namespace's path, a container's id or an address",
  );
}

/** Those with an address first, then who waits, then the latest that went. */
function candidates(
  { keeper, lender, history }: ExplainParts,
): readonly Candidate[] {
  const subjects = history.subjects();
  const known = new Map(subjects.map((one) => [one.ownerKey, one]));
  const leased = lender.leases().map((lease): Candidate => {
    const { owner, pod, netns, ip } = attachmentOf(lease);
    return {
      owner: ownerKey(owner),
      ...pod && { pod: `${pod.namespace}/${pod.name}` },
      ...netns !== "" && { netns },
      ip,
      state: "leased",
    };
  });
  const others = (keys: readonly string[], state: "waiting" | "gone") =>
    keys.map((owner): Candidate => {
      const { pod, netns } = known.get(owner) ?? {};
      return { owner, ...pod && { pod }, ...netns && { netns }, state };
    });
  const waits = keeper.status().claims.map(({ ownerKey }) => ownerKey);
  const there = new Set([...leased.map(({ owner }) => owner), ...waits]);
  const gone = subjects.map(({ ownerKey }) => ownerKey)
    .filter((owner) => !there.has(owner));
  return [...leased, ...others(waits, "waiting"), ...others(gone, "gone")];
}

async function explainOne(
  parts: ExplainParts,
  candidate: Candidate,
): Promise<Explained> {
  const { keeper, lender, history } = parts;
  const { owner } = candidate;
  const told = { ...candidate, history: history.deeds(owner) };
  const lease = lender.lease(owner);
  if (lease !== undefined) {
    return { ...told, ...await explainLease(parts, lease) };
  }
  const claim = keeper.status().claims.find((one) => one.ownerKey === owner);
  if (claim === undefined) return told;
  const { atMs: sinceMs, reason: { text: reason, nextMs } } = claim;
  const next = nextMs === undefined ? {} : { nextMs };
  return { ...told, waiting: { sinceMs, reason, ...next } };
}

async function explainLease(
  { kernel, attacher, wayBack }: ExplainParts,
  lease: Lease,
): Promise<Pick<Explained, "lease" | "plan" | "differences" | "problem">> {
  const attachment = attachmentOf(lease);
  const { recipe, mtu } = attachment;
  const plans = attacher.plans(attachment);
  const commands = ({ steps, netns }: Plan): readonly string[] =>
    steps.map((step) => command(step, netns));
  // Of pods on shared ENIs alone: others leave by where they came in.
  const isTranslated = recipe === "veth/1";
  const explained = {
    lease: {
      ips: addressesOf(attachment),
      ...attachment.recipe === "vpc/1"
        ? { podCidr: attachment.podCidr }
        : { eni: { id: attachment.eni.id, mac: attachment.eni.mac } },
      recipe,
      mtu,
      atMs: lease.atMs,
    },
    plan: {
      shared: [
        ...commands(plans.shared),
        ...isTranslated ? wayBack.commands() : [],
      ],
      pod: commands(plans.pod),
    },
  };
  try {
    const found = await Promise.all([
      kernel.compare(plans.shared),
      kernel.compare(plans.pod),
    ]);
    const differences = found.flat().map(({ problem, object, seen }) => ({
      problem,
      object,
      ...seen === undefined ? {} : { seen },
    }));
    const others = isTranslated ? await wayBack.differences() : [];
    return { ...explained, differences: [...differences, ...others] };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...explained, problem };
  }
}
