/**
 * The objects that a node's daemon follows: its pods, itself, the
 * configuration.
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
