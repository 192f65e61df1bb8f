import { assertEquals, assertThrows } from "@std/assert";
import { type DaemonMode, requireMode } from "./mode.ts";

function lease(recipe: string, name: string): { attachment: unknown } {
  return {
    attachment: {
      recipe,
      owner: { network: "terway", containerId: `${name}-id`, ifName: "eth0" },
      pod: { namespace: "shop", name },
    },
  };
}

Deno.test("a mode is taken up on a node without pods, or with its own", () => {
  const modes: readonly DaemonMode[] = ["VPC", "ENIMultiIP", "ENIOnly"];
  for (const mode of modes) requireMode(mode, []);
  requireMode("VPC", [lease("vpc/1", "a"), lease("exclusive/1", "b")]);
  requireMode("ENIMultiIP", [lease("veth/1", "a")]);
  requireMode("ENIOnly", [lease("exclusive/1", "a")]);
});

Deno.test("a mode is refused while pods of another run, who are named", () => {
  const leases = ["a", "b", "c", "d", "e", "f", "g"].map((name) =>
    lease("veth/1", name)
  );
  const { message } = assertThrows(() => requireMode("ENIOnly", leases), Error);
  assertEquals(
    message,
    "Cannot serve in mode ENIOnly as pods of another are running: " +
      "shop/a (veth/1), shop/b (veth/1), shop/c (veth/1), shop/d (veth/1), " +
      "shop/e (veth/1) and 2 more. Start the daemon in its old mode, drain " +
      "the node (kubectl drain), then change --daemon-mode",
  );
});
