/**
 * Waits for a pod's PodENI, by a watch on that one object.
 *
 * @module
 */
import type { PodName } from "../../netns/attachment.ts";
import type { Kubernetes } from "../../k8s/client.ts";
import { podEniNamed } from "../../k8s/objects.ts";
import { Informer } from "../../k8s/watch.ts";
import type { MemberAnswer } from "./pod_book.ts";
import { readPodEni } from "./pod_eni.ts";

/**
 * Waits until the controller has bound a pod's member ENI to this node.
 *
 * @param kubernetes The API.
 * @param wanted The pod, and the node's instance.
 * @param signal Ends the wait.
 * @returns The member, or what was still waited for at the end.
 */
export async function awaitMember(
  kubernetes: Kubernetes,
  { pod, instanceId }: {
    readonly pod: PodName;
    readonly instanceId: string;
  },
  signal: AbortSignal,
): Promise<MemberAnswer> {
  const { namespace, name, uid } = pod;
  const reader = { instanceId, ...uid !== undefined && { uid } };
  let awaited = "there is none: is terway's controller running, and is the " +
    "pod of a PodNetworking?";
  const { promise, resolve } = Promise.withResolvers<MemberAnswer>();
  const giveUp = (): void =>
    resolve({
      hindrance: {
        mayPass: true,
        message: `waiting for PodENI ${namespace}/${name}, which tells the ` +
          "pod's ENI",
        problems: [awaited],
      },
    });
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  await using _informer = new Informer(
    kubernetes,
    podEniNamed(kubernetes, { namespace, name }),
    {
      onChange: ({ kind, object }) => {
        const read = kind === "gone"
          ? { awaited: "it was deleted" }
          : readPodEni(object, reader);
        if ("member" in read) resolve(read);
        else awaited = read.awaited;
      },
      onProblem: ({ message }) => awaited = message,
    },
  );
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
