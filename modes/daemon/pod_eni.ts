/**
 * A PodENI, as the controller writes it: which member ENI a pod has.
 *
 * Sources: seed 001 (`spec.allocation`, `status`), reference §1.7 for what
 * later versions of Terway have beside it: `spec.allocations`, the prefixes,
 * `status.phase`, and the VLAN id in `status.eniInfos`.
 *
 * @module
 */
import { z } from "zod";
import type { PodMember } from "./pod_book.ts";

/** Which pod a PodENI was made for. Source: reference §1.7. */
const POD_UID = "k8s.aliyun.com/pod-uid";

const text = z.string().optional();

const allocation = z.looseObject({
  eni: z.looseObject({ id: z.string().min(1), mac: text }),
  ipv4: text,
  ipv6: text,
  ipv4CIDR: text,
  ipv6CIDR: text,
  interface: text,
});

const podEni = z.looseObject({
  metadata: z.looseObject({
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.unknown().optional(),
  }),
  spec: z.looseObject({
    allocation: allocation.optional(),
    allocations: z.array(allocation).optional(),
  }),
  status: z.looseObject({
    status: text,
    phase: text,
    instanceID: text,
    trunkENIID: text,
    eniInfos: z.record(
      z.string(),
      z.looseObject({ vid: z.int().optional() }),
    ).optional(),
  }).optional(),
});

/** For whom a PodENI is read. */
export interface PodEniReader {
  /** The node's instance. */
  readonly instanceId: string;
  /** The pod's UID, when it is known. */
  readonly uid?: string;
}

/** The member, or what is still waited for. */
export type ReadPodEni =
  | { readonly member: PodMember }
  | { readonly awaited: string };

/**
 * Reads a PodENI.
 *
 * @example Bound elsewhere
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const object = {
 *   metadata: {},
 *   spec: { allocation: { eni: { id: "eni-1" }, ipv4: "10.2.0.9" } },
 *   status: { status: "Bind", instanceID: "i-2", trunkENIID: "eni-2" },
 * };
 * assertEquals(readPodEni(object, { instanceId: "i-1" }), {
 *   awaited: "it is bound to instance i-2, not to this node's, i-1",
 * });
 * ```
 * @param object The object.
 * @param reader For whom.
 * @returns The member once it is bound to this node.
 */
export function readPodEni(
  object: unknown,
  { instanceId, uid }: PodEniReader,
): ReadPodEni {
  const decoded = podEni.safeParse(object);
  if (!decoded.success) {
    const [issue] = decoded.error.issues;
    const path = issue?.path.join(".") ?? "";
    return { awaited: `it can't be read: ${path}: ${issue?.message}` };
  }
  const { metadata, spec, status = {} } = decoded.data;
  const forUid = metadata.annotations?.[POD_UID];
  if (metadata.deletionTimestamp !== undefined) {
    return { awaited: "it is of a pod before, and is being deleted" };
  }
  if (uid !== undefined && forUid !== undefined && forUid !== uid) {
    return { awaited: `it is of a pod before (UID ${forUid})` };
  }
  const one = spec.allocation ??
    spec.allocations?.find((each) =>
      ["", "eth0", undefined].includes(each.interface)
    );
  if (one === undefined) return { awaited: "it names no ENI yet" };
  const phase = status.phase || status.status || "Initial";
  if (phase !== "Bind") return { awaited: `it is ${phase}, not Bind` };
  if (status.instanceID !== instanceId) {
    return {
      awaited: `it is bound to instance ${status.instanceID ?? "?"}, not to ` +
        `this node's, ${instanceId}`,
    };
  }
  const vlanId = status.eniInfos?.[one.eni.id]?.vid;
  if (status.trunkENIID === undefined || status.trunkENIID === "") {
    return { awaited: "it is bound to no trunk (status.trunkENIID)" };
  }
  if (vlanId === undefined) {
    return {
      awaited: `it has no VLAN id yet (status.eniInfos["${one.eni.id}"].vid)`,
    };
  }
  return {
    member: {
      eniId: one.eni.id,
      trunkId: status.trunkENIID,
      vlanId,
      ...one.ipv4 && { ip4: one.ipv4 },
      ...one.ipv6 && { ip6: one.ipv6 },
      ...one.ipv4CIDR && { subnet4: one.ipv4CIDR },
      ...one.ipv6CIDR && { subnet6: one.ipv6CIDR },
    },
  };
}
