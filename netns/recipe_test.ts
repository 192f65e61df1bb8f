import { assertEquals, assertThrows } from "@std/assert";
import type { Attachment } from "./attachment.ts";
import { planOf } from "./recipe.ts";
import { command } from "./step.ts";
import { NotSupportedError } from "./unsupported.ts";

const ENI = {
  id: "eni-1",
  mac: "00:16:3e:00:00:01",
  ifIndex: 7,
  gateway: "10.0.0.253",
  subnet: "10.0.0.0/24",
};

const POD = {
  owner: { network: "terway", containerId: "c0ffee", ifName: "eth0" },
  netns: "/run/netns/web",
  ip: "10.0.0.20",
  mtu: 1500,
};

const NODE = { nodeIp: "10.0.0.10" };

Deno.test("planOf() reads a journal from before there were families", () => {
  const { pod } = planOf({ recipe: "veth/1", ...POD, eni: ENI }, NODE);
  const last = pod.steps.at(-1);
  assertEquals(
    last && command(last),
    "ip rule add priority 2048 from 10.0.0.20/32 lookup 1007",
  );
});

Deno.test("planOf() plans a shared ENI by what the node sees now", () => {
  const attachment = { recipe: "veth/1", ...POD, eni: ENI } as const;
  assertEquals(planOf(attachment, NODE).shared.steps, []);
  const eni = { name: "eth2", ifIndex: 9, mac: ENI.mac };
  const { shared, pod } = planOf(attachment, { ...NODE, eni, eniMtu: 1400 });
  assertEquals(shared.steps[0], {
    kind: "link",
    place: "host",
    link: "eth2",
    mac: ENI.mac,
    mtu: 1400,
  });
  const last = pod.steps.at(-1);
  assertEquals(last?.kind === "rule" && last.table, 1009);
});

Deno.test("planOf() picks the datapath of each recipe", () => {
  const kinds = (attachment: Attachment): string[] => {
    const { shared, pod } = planOf(attachment, NODE);
    return [...shared.steps, ...pod.steps].map(({ kind }) => kind);
  };
  const card = { name: "eth1", up: false };
  const exclusive = kinds({ recipe: "exclusive/1", ...POD, eni: ENI, card });
  assertEquals(exclusive, ["moveLink", "link", "address", "route"]);
  const podCidr = "10.0.0.0/24";
  const vpc = kinds({ recipe: "vpc/1", ...POD, podCidr });
  assertEquals(vpc.slice(0, 4), ["unreachable", "rule", "veth", "conf"]);
});

Deno.test("planOf() says when a recipe is a later version's", () => {
  const later = { recipe: "veth/9", ...POD, eni: ENI } as unknown;
  assertThrows(
    () => planOf(later as Attachment, NODE),
    NotSupportedError,
    "recipe veth/9",
  );
});
