/**
 * The objects that a node's daemon follows: its pods, itself, the
 * configuration.
 *
 * @module
 */
import type {
  KubernetesObject,
  V1ConfigMap,
  V1Node,
  V1Pod,
} from "@kubernetes/client-node";
import type { Kubernetes } from "./client.ts";
import type { Page, Source } from "./watch.ts";

export type { V1ConfigMap, V1Node, V1Pod } from "@kubernetes/client-node";

/**
 * The pods of one node: no daemon sees those of others.
 *
 * @param kubernetes The API.
 * @param nodeName The node.
 * @returns What to list and watch.
 */
export function podsOfNode(
  { core }: Kubernetes,
  nodeName: string,
): Source<V1Pod> {
  const fieldSelector = `spec.nodeName=${nodeName}`;
  return {
    what: `the pods of ${nodeName}`,
    path: "/api/v1/pods",
    fieldSelector,
    list: (page) => core.listPodForAllNamespaces({ ...page, fieldSelector }),
  };
}

/**
 * One node.
 *
 * @param kubernetes The API.
 * @param nodeName The node.
 * @returns What to list and watch.
 */
export function oneNode(
  { core }: Kubernetes,
  nodeName: string,
): Source<V1Node> {
  const fieldSelector = `metadata.name=${nodeName}`;
  return {
    what: `the node ${nodeName}`,
    path: "/api/v1/nodes",
    fieldSelector,
    list: (page) => core.listNode({ ...page, fieldSelector }),
  };
}

/**
 * One ConfigMap. A right to this one alone is enough.
 *
 * @param kubernetes The API.
 * @param place Its namespace and its name.
 * @returns What to list and watch.
 */
export function configMapNamed(
  { core }: Kubernetes,
  place: { readonly namespace: string; readonly name: string },
): Source<V1ConfigMap> {
  const { namespace, name } = place;
  const fieldSelector = `metadata.name=${name}`;
  return {
    what: `the ConfigMap ${namespace}/${name}`,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    fieldSelector,
    list: (page) =>
      core.listNamespacedConfigMap({ ...page, namespace, fieldSelector }),
  };
}

/** Where a PodENI is. Source: seed 001, `network.alibabacloud.com/v1beta1`. */
const POD_ENIS = {
  group: "network.alibabacloud.com",
  version: "v1beta1",
  plural: "podenis",
} as const;

/**
 * One PodENI: which ENI a pod of the same name has.
 *
 * @param kubernetes The API.
 * @param place Its namespace and its name.
 * @returns What to list and watch.
 */
export function podEniNamed(
  { custom }: Kubernetes,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Source<KubernetesObject> {
  const { group, version, plural } = POD_ENIS;
  const fieldSelector = `metadata.name=${name}`;
  const where = { ...POD_ENIS, namespace, fieldSelector };
  return {
    what: `the PodENI ${namespace}/${name}`,
    path: `/apis/${group}/${version}/namespaces/${namespace}/${plural}`,
    fieldSelector,
    list: (page): Promise<Page<KubernetesObject>> =>
      custom.listNamespacedCustomObject({ ...where, ...page }),
  };
}
