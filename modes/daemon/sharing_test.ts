import { assertEquals } from "@std/assert";
import type { Plan } from "../../netns/step.ts";
import type { DaemonMode } from "./mode.ts";
import { Sharing, unneeded } from "./sharing.ts";

const CIDRS = ["172.21.0.0/20"];

/** Of a node that can do IPvlan, or can't. */
function sharing(
  reason: string | undefined,
  mode: DaemonMode = "ENIMultiIP",
): { sharing: Sharing; said: string[]; asked: () => number } {
  const said: string[] = [];
  let count = 0;
  const able = reason === undefined
    ? { can: true } as const
    : { can: false, reason } as const;
  const host = {
    probeIpvlan: () => {
      count++;
      return Promise.resolve(able);
    },
  };
  const unused = (): Promise<never> => Promise.reject(new Error("unused"));
  const kernel = { apply: unused, remove: unused, host };
  const log = {
    warning: (text: string) => void said.push(text),
    debug: () => {},
  };
  return {
    sharing: new Sharing({ kernel, mode, serviceCidrs: CIDRS, log }),
    said,
    asked: () => count,
  };
}

Deno.test("a pod shares an ENI by IPvlan where that is asked for", async () => {
  const { sharing: node, said } = sharing(undefined);
  assertEquals(node.status(), undefined);
  assertEquals(await node.wish({}), {});
  assertEquals(await node.wish({ virtualType: "veth" }), {});
  assertEquals(await node.wish({ virtualType: "ipvlan" }), {
    ipvlan: { serviceCidrs: CIDRS },
  });
  assertEquals(node.status(), { wanted: "ipvlan", effective: "ipvlan" });
  assertEquals(said, []);
});

Deno.test("a node that can't do IPvlan says so once, and pods get a pair", async () => {
  const { sharing: node, said, asked } = sharing("no ipvlan in this kernel");
  for (let i = 0; i < 3; i++) {
    assertEquals(await node.wish({ virtualType: "ipvlan" }), {});
  }
  assertEquals([said.length, asked()], [1, 1]);
  assertEquals(node.status(), {
    wanted: "ipvlan",
    effective: "veth",
    reason: "no ipvlan in this kernel",
  });
});

Deno.test("IPvlan is of no meaning where pods share no ENI", async () => {
  const { sharing: node } = sharing(undefined, "ENIOnly");
  assertEquals(await node.wish({ virtualType: "ipvlan" }), {});
  assertEquals(node.status(), undefined);
});

Deno.test("unneeded() leaves what another plan wants", () => {
  const filter = (link: string): Plan["steps"][number] => ({
    kind: "clsact",
    place: "host",
    link,
  });
  const plan = { steps: [filter("eth1"), filter("eth2"), filter("eth3")] };
  const others = [{ steps: [filter("eth2")] }, { steps: [] }];
  assertEquals(unneeded(plan, others), {
    steps: [filter("eth1"), filter("eth3")],
  });
});
