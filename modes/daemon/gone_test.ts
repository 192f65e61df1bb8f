import { assertEquals } from "@std/assert";
import { hostLinkName, type Owner } from "../../netns/attachment.ts";
import { openKernel } from "../../netns/kernel.ts";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import type { Lease } from "../../pool/state.ts";
import type { Log } from "../log.ts";
import { releaseGone } from "./gone.ts";

const SILENT: Log = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
};

function owner(containerId: string): Owner {
  return { network: "terway", containerId, ifName: "eth0" };
}

/** A lease of a pod of the same name, or of nobody. */
function lease(
  { id, netns, isNamed = true }: {
    readonly id: string;
    readonly netns: string;
    readonly isNamed?: boolean;
  },
): Lease {
  const pod = isNamed ? { pod: { namespace: "shop", name: id } } : {};
  return {
    ownerKey: id,
    attachment: { owner: owner(id), netns, ...pod },
  } as unknown as Lease;
}

Deno.test("the lease of a pod ends once neither the cluster nor the kernel has it", async () => {
  const node = `/run/netns/terway-gone-${crypto.randomUUID().slice(0, 8)}`;
  const alive = `${node}-alive`;
  createNamespace(node);
  createNamespace(alive);
  try {
    await using kernel = await openKernel({ netns: node });
    const linked = hostLinkName(owner("linked"));
    await new Deno.Command("nsenter", {
      args: [
        `--net=${node}`,
        ..."ip link add NAME type veth peer peer0".split(" "),
      ].map((word) => word === "NAME" ? linked : word),
    }).output();
    const nowhere = `${node}-nowhere`;
    const leases = [
      lease({ id: "gone", netns: nowhere }),
      // Each of these has somebody who speaks for it.
      lease({ id: "known", netns: nowhere }),
      lease({ id: "alive", netns: alive }),
      lease({ id: "linked", netns: nowhere }),
      lease({ id: "unnamed", netns: nowhere, isNamed: false }),
    ];
    const ended: string[] = [];
    const parts = {
      kernel,
      lender: { leases: () => leases },
      attacher: {
        delete: (one: Owner) =>
          Promise.resolve(void ended.push(one.containerId)),
      },
      log: SILENT,
    };
    await releaseGone(parts, ({ name }) => name === "known");
    assertEquals(ended, ["gone"]);
    await releaseGone(parts, () => true);
    assertEquals(ended, ["gone"], "a cluster that knows all of them ends none");
  } finally {
    removeNamespace(node);
    removeNamespace(alive);
  }
});
