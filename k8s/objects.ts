/**
 * The objects that a node's daemon follows: its pods, itself, the
 * configuration of its namespace.
 *
 * @module
 */
import type { V1ConfigMap, V1Node, V1Pod } from "@kubernetes/client-node";
import type { Kubernetes } from "./client.ts";
import type { Source } from "./watch.ts";

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
 * The ConfigMaps of one namespace: a node's overlay may be any of them.
 *
 * @param kubernetes The API.
 * @param namespace The namespace.
 * @returns What to list and watch.
 */
export function configMapsOf(
  { core }: Kubernetes,
  namespace: string,
): Source<V1ConfigMap> {
  return {
    what: `the ConfigMaps of ${namespace}`,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    list: (page) => core.listNamespacedConfigMap({ ...page, namespace }),
  };
}
