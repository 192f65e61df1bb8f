/**
 * The metadata service of one instance, or of whichever instance asks.
 *
 * Plain HTTP at 100.100.100.200, with and without tokens. What it shows of
 * cards is as old as the cloud's lag. Paths and shapes: ECS page "Instance
 * metadata", read 2026-11-21.
 *
 * @module
 */
import { gatewayOf } from "../../../netns/ip.ts";
import { apart } from "./actions_ipv6.ts";
import type { EmulatedCloud } from "./cloud.ts";
import type { SeenEni } from "./history.ts";
import type { InstanceRecord } from "./model.ts";
import { type Front, listen, type Where } from "./serve.ts";

/** Whose metadata. */
export type Whose =
  | { readonly instanceId: string }
  | {
    /** Tells which instance an address belongs to, if any. */
    readonly resolve: (remoteAddr: Deno.NetAddr) => string | undefined;
  };

/** How the service shall behave. */
export interface MetadataBehaviour {
  /** Whether it serves only those who have a token. @default {false} */
  readonly tokenRequired?: boolean;
  /** Whether it knows tokens at all. @default {true} */
  readonly tokenMode?: boolean;
}

/** An entry of the tree: what it says, or nothing for 404. */
type Entry = string | undefined;

/** What a request is answered from. */
interface View {
  readonly cloud: EmulatedCloud;
  readonly instance: InstanceRecord;
  readonly enis: readonly SeenEni[];
}

/**
 * Serves metadata.
 *
 * @param cloud The cloud.
 * @param whose Whose.
 * @param where Where.
 * @param behaviour How.
 * @returns The front; `http://` and its endpoint are what
 * `ALIBABA_CLOUD_IMDS_ENDPOINT` takes.
 */
export function serveMetadata(
  cloud: EmulatedCloud,
  whose: Whose,
  where: Where = {},
  behaviour: MetadataBehaviour = {},
): Front {
  /** Tokens and when they end. */
  const tokens = new Map<string, number>();
  return listen(where, (request, info) => {
    const { pathname } = new URL(request.url);
    const id = "instanceId" in whose
      ? whose.instanceId
      : whose.resolve(info.remoteAddr);
    const instance = cloud.model.instances.get(id ?? "");
    if (instance === undefined) return Promise.resolve(notFound());
    if (pathname === "/latest/api/token") {
      return Promise.resolve(giveToken(cloud, tokens, request, behaviour));
    }
    if (!mayRead(cloud, tokens, request, behaviour)) {
      return Promise.resolve(new Response("unauthorized", { status: 401 }));
    }
    const path = pathname.replace(/^\/(latest|2016-01-01)\/meta-data\/?/, "");
    const enis = cloud.history.read(instance.id, {
      nowMs: cloud.clock.nowMs(),
      staleMs: path.startsWith("network/") ? cloud.script.takeStaleMs() : 0,
    });
    const entry = path === pathname
      ? undefined
      : read(path, { cloud, instance, enis });
    return Promise.resolve(
      entry === undefined ? notFound() : new Response(entry),
    );
  });
}

function giveToken(
  cloud: EmulatedCloud,
  tokens: Map<string, number>,
  request: Request,
  behaviour: MetadataBehaviour,
): Response {
  if (behaviour.tokenMode === false) return notFound();
  const ttl = Number(
    request.headers.get("X-aliyun-ecs-metadata-token-ttl-seconds"),
  );
  if (request.method !== "PUT") return new Response(null, { status: 405 });
  if (!(ttl >= 1 && ttl <= 21_600)) return new Response(null, { status: 400 });
  const token = cloud.identity.text(56);
  tokens.set(token, cloud.clock.nowMs() + ttl * 1000);
  return new Response(token);
}

function mayRead(
  cloud: EmulatedCloud,
  tokens: ReadonlyMap<string, number>,
  request: Request,
  behaviour: MetadataBehaviour,
): boolean {
  const token = request.headers.get("X-aliyun-ecs-metadata-token");
  if (token === null) return behaviour.tokenRequired !== true;
  return (tokens.get(token) ?? 0) > cloud.clock.nowMs();
}

function read(path: string, view: View): Entry {
  const { cloud, instance, enis } = view;
  const interfaces = /^network\/interfaces\/macs\/(?:([^/]+)\/(.*))?$/
    .exec(path);
  if (interfaces !== null) {
    const [, mac, entry] = interfaces;
    if (mac === undefined) return enis.map((eni) => `${eni.mac}/`).join("\n");
    const eni = enis.find((one) => one.mac === mac);
    return eni === undefined
      ? undefined
      : readEni(entry ?? "", { ...view, eni });
  }
  if (path.startsWith("ram/security-credentials/")) {
    return readRole(path.slice("ram/security-credentials/".length), view);
  }
  const primary = enis.find(({ id }) => id === instance.primaryEniId);
  const entries: Readonly<Record<string, Entry>> = {
    "instance-id": instance.id,
    "instance/instance-type": instance.type,
    "instance/instance-name": instance.name,
    "hostname": instance.name,
    "region-id": cloud.model.region,
    "zone-id": instance.zone,
    "owner-account-id": cloud.model.ownerId,
    "mac": primary?.mac,
    "private-ipv4": primary?.primaryIp,
    "vpc-id": instance.vpcId,
    "vpc-cidr-block": cloud.model.vpcs.get(instance.vpcId)?.cidr,
    "vswitch-id": instance.vSwitchId,
    "vswitch-cidr-block": cloud.model.vSwitches.get(instance.vSwitchId)?.cidr,
  };
  return Object.hasOwn(entries, path) ? entries[path] : undefined;
}

function readEni(entry: string, view: View & { eni: SeenEni }): Entry {
  const { cloud, instance, eni } = view;
  const vSwitch = cloud.model.vSwitches.get(eni.vSwitchId);
  if (vSwitch === undefined) return undefined;
  const { cidr, book6 } = vSwitch;
  const [ips6] = apart(eni.ips6);
  const entries: Readonly<Record<string, string>> = {
    "network-interface-id": eni.id,
    "primary-ip-address": eni.primaryIp,
    "private-ipv4s": JSON.stringify(eni.ips),
    "gateway": gatewayOf(cidr),
    "netmask": netmaskOf(cidr),
    "vpc-id": instance.vpcId,
    "vpc-cidr-block": cloud.model.vpcs.get(instance.vpcId)?.cidr ?? "",
    "vswitch-id": eni.vSwitchId,
    "vswitch-cidr-block": cidr,
    ...(book6 === undefined ? {} : {
      "ipv6-gateway": gatewayOf(book6.cidr),
      "vswitch-ipv6-cidr-block": book6.cidr,
    }),
    // Not JSON: no quotes around the addresses.
    ...(ips6.length === 0 ? {} : { "ipv6s": `[${ips6.join(",")}]` }),
  };
  if (entry === "") return Object.keys(entries).join("\n");
  return Object.hasOwn(entries, entry) ? entries[entry] : undefined;
}

function readRole(role: string, { cloud, instance }: View): Entry {
  if (instance.ramRole === undefined) return undefined;
  if (role === "") return instance.ramRole;
  if (role !== instance.ramRole) return undefined;
  const nowMs = cloud.clock.nowMs();
  const session = cloud.keys.session(role, nowMs, cloud.sessionMs);
  if (session?.expiresAtMs === undefined) return undefined;
  return JSON.stringify({
    AccessKeyId: session.id,
    AccessKeySecret: session.secret,
    SecurityToken: session.token,
    Expiration: iso(session.expiresAtMs),
    LastUpdated: iso(nowMs),
    Code: "Success",
  });
}

function netmaskOf(cidr: string): string {
  const length = Number(cidr.split("/")[1]);
  return [0, 8, 16, 24].map((before) => {
    const bits = Math.min(8, Math.max(0, length - before));
    return 256 - 2 ** (8 - bits);
  }).join(".");
}

function notFound(): Response {
  return new Response("404 - Not Found", { status: 404 });
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19) + "Z";
}
