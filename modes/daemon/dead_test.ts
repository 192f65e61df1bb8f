import { assert, assertEquals } from "@std/assert";
import { hostLinkName, type Owner } from "../../netns/attachment.ts";
import { openKernel } from "../../netns/kernel.ts";
import { createNamespace, removeNamespace } from "../../netns/namespace.ts";
import type { Lease } from "../../pool/state.ts";
import { DEAD_MS, deadOf, findMissing, sinceWhen } from "./dead.ts";

Deno.test("a pod is dead when ten minutes of looks didn't find it", () => {
  const first = sinceWhen(new Map(), ["a", "b"], 1_000);
  assertEquals(deadOf(first, 1_000), []);
  const second = sinceWhen(first, ["b", "c"], 1_000 + DEAD_MS - 1);
  assertEquals(deadOf(second, 1_000 + DEAD_MS - 1), []);
  assertEquals(deadOf(second, 1_000 + DEAD_MS), ["b"]);
  const seen = sinceWhen(second, ["c"], 1_000 + DEAD_MS);
  assertEquals([...seen.keys()], ["c"], "who was seen starts anew");
});

Deno.test("a pod is missing when neither its namespace nor its link is there", async () => {
  const node = `/run/netns/terway-dead-${crypto.randomUUID().slice(0, 8)}`;
  const pod = `${node}-pod`;
  createNamespace(node);
  createNamespace(pod);
  try {
    await using kernel = await openKernel({ netns: node });
    const alive = lease("alive", pod);
    const gone = lease("gone", `${node}-nowhere`);
    const hidden = lease("hidden", `${node}-hidden`);
    const { success } = await new Deno.Command("nsenter", {
      args: [
        `--net=${node}`,
        ...["ip", "link", "add", hostLinkName(ownerOf("hidden"))],
        ...["type", "veth", "peer", "name", "other"],
      ],
    }).output();
    assert(success);
    assertEquals(await findMissing(kernel, [alive, gone, hidden]), [
      { key: "terway/gone/eth0", owner: ownerOf("gone") },
    ]);
  } finally {
    removeNamespace(pod);
    removeNamespace(node);
  }
});

function ownerOf(containerId: string): Owner {
  return { network: "terway", containerId, ifName: "eth0" };
}

function lease(containerId: string, netns: string): Lease {
  return {
    ownerKey: `terway/${containerId}/eth0`,
    eniKey: "key",
    eniId: "eni-1",
    ip: "10.0.0.2",
    recipe: "veth/1",
    attachment: { recipe: "veth/1", owner: ownerOf(containerId), netns },
    atMs: 0,
  };
}
