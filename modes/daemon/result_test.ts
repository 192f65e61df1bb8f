import { assertEquals } from "@std/assert";
import type { VethAttachment } from "../../netns/attachment.ts";
import { podPlan } from "../../netns/datapath/veth.ts";
import { CloudError } from "../../pool/cloud.ts";
import { ConfigError } from "./config.ts";
import { type CniVersion, RequestError } from "./request.ts";
import { addAnswer, errorAnswer, meaning, versionAnswer } from "./result.ts";

const ATTACHMENT: VethAttachment = {
  recipe: "veth/1",
  owner: { network: "terway", containerId: "c1", ifName: "eth0" },
  netns: "/run/netns/pod",
  ip: "10.0.1.7",
  eni: {
    id: "eni-1",
    mac: "00:16:3e:00:00:01",
    ifIndex: 3,
    gateway: "10.0.1.253",
    subnet: "10.0.1.0/24",
  },
  mtu: 1500,
};

function resultIn(cniVersion: CniVersion) {
  const plan = podPlan(ATTACHMENT, ATTACHMENT.eni);
  const { status, document } = addAnswer([plan], { cniVersion });
  assertEquals(status, 0);
  assertEquals(document.indexOf("\n"), document.length - 1);
  return JSON.parse(document);
}

Deno.test("addAnswer() is the result that each version of the spec wants", () => {
  const result = resultIn("1.1.0");
  assertEquals(result.cniVersion, "1.1.0");
  assertEquals(result.interfaces.map((i: { name: string }) => i.name.length), [
    15,
    4,
  ]);
  assertEquals(result.interfaces[0].mtu, 1500);
  assertEquals(result.interfaces[0].sandbox, undefined);
  assertEquals(result.interfaces[1].sandbox, "/run/netns/pod");
  assertEquals(result.ips, [
    { address: "10.0.1.7/32", gateway: "169.254.1.1", interface: 1 },
  ]);
  assertEquals(result.routes, [
    { dst: "0.0.0.0/0", gw: "169.254.1.1", table: 254, scope: 0 },
  ]);

  assertEquals(resultIn("1.0.0").interfaces[0].mtu, undefined);
  assertEquals(resultIn("0.4.0").ips[0].version, "4");
  assertEquals(resultIn("0.3.0").ips[0].version, "4");
});

Deno.test("versionAnswer() lists what is spoken", () => {
  const { document } = versionAnswer("0.4.0");
  assertEquals(JSON.parse(document).supportedVersions.length, 5);
});

Deno.test("errorAnswer() is the spec's document on one line", () => {
  const error = new RequestError(4, "the environment is wrong", ["a", "b"]);
  const { status, document } = errorAnswer(error, "1.0.0");
  assertEquals(status, 1);
  assertEquals(
    document,
    `{"cniVersion":"1.0.0","code":4,"msg":"the environment is wrong","details":"a; b"}\n`,
  );
});

function named(name: string, kind?: string): Error {
  const error = new Error("text", { cause: new Error("cause") });
  error.name = name;
  return Object.assign(error, kind === undefined ? {} : { kind });
}

Deno.test("meaning() says try again only for what a retry can cure", () => {
  const cloud = (kind: "denied" | "throttled") =>
    new CloudError("text", {
      kind,
      api: "CreateNetworkInterface",
      code: "X",
      httpStatus: 403,
      requestId: "r",
    });
  const cases: [unknown, number][] = [
    [named("PoolError", "timeout"), 11],
    [named("PoolError", "broken"), 199],
    [cloud("throttled"), 11],
    [cloud("denied"), 103],
    [named("NetlinkError"), 101],
    [named("TakenError"), 102],
    [named("NamespaceError"), 4],
    [named("JournalError"), 5],
    [new ConfigError("eni_conf", [{ path: "a", rule: "b", value: "" }]), 7],
    [new DOMException("late", "TimeoutError"), 11],
    ["a string", 199],
  ];
  for (const [error, code] of cases) assertEquals(meaning(error).code, code);
  assertEquals(meaning(named("NetlinkError")).details, "cause");
});
