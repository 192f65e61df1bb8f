/**
 * A program that leases addresses until it is killed, and says so line by
 * line: `leased OWNER IP`, `released OWNER IP`.
 *
 * Arguments: the journal's path, the cloud's endpoint, key id, key secret,
 * instance, security group, vSwitch, the primary card's MAC.
 *
 * @module
 */
import { AlibabaCloud } from "../alibaba/cloud.ts";
import { OpenApiTransport } from "../alibaba/client.ts";
import {
  CredentialChain,
  Secret,
  staticSource,
} from "../alibaba/credentials.ts";
import type { Cloud } from "../cloud.ts";
import type { Keeper } from "../contract.ts";
import { openJournal } from "../journal.ts";
import { openKeeper } from "../keeper.ts";
import { poolLimits } from "../limits.ts";
import { MemoryHost, wishFor } from "./rig.ts";

/** Where a doomed process lives; its arguments, in order. */
export interface Place {
  /** The journal's path. */
  readonly path: string;
  /** Host and port of the cloud. */
  readonly endpoint: string;
  /** Who calls. */
  readonly keyId: string;
  /** Its secret. */
  readonly keySecret: string;
  /** The node. */
  readonly instanceId: string;
  /** Of new cards. */
  readonly securityGroupId: string;
  /** Where addresses come from. */
  readonly vSwitchId: string;
  /** The primary card's MAC. */
  readonly primaryMac: string;
}

/**
 * Opens the cloud of a place.
 *
 * @param place Where.
 * @returns The cloud, over HTTP.
 */
export function cloudAt(place: Place): Cloud {
  const { endpoint, keyId, keySecret } = place;
  const pair = { id: keyId, secret: new Secret(keySecret) };
  return new AlibabaCloud(
    new OpenApiTransport({
      region: "cn-hangzhou",
      credentials: new CredentialChain([staticSource("the test", pair)]),
      endpoints: { ecs: endpoint, vpc: endpoint, scheme: "HTTP" },
    }),
  );
}

/**
 * Opens the pool of a place.
 *
 * @param place Where.
 * @returns The keeper, and what to close after it.
 */
export function poolAt(place: Place): { keeper: Keeper; journal: Disposable } {
  const { path, instanceId, securityGroupId, vSwitchId, primaryMac } = place;
  const journal = openJournal(path, { instanceId });
  const keeper = openKeeper({
    cloud: cloudAt(place),
    journal,
    config: {
      instanceId,
      clusterId: "c1",
      primaryMac,
      securityGroupIds: [securityGroupId],
    },
    limits: poolLimits({
      instance: { eniCount: 3, ipv4PerEniCount: 6 },
      vSwitches: [{ id: vSwitchId, cidr: "10.0.1.0/24" }],
      minIdle: 2,
    }),
    host: new MemoryHost(),
  });
  return { keeper, journal };
}

async function live(place: Place): Promise<never> {
  const { keeper } = poolAt(place);
  await keeper.start(AbortSignal.timeout(10_000));
  const say = (line: string) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  for (let i = 0;; i++) {
    const lease = await keeper.claim(
      wishFor(`pod-${i}`),
      AbortSignal.timeout(10_000),
    );
    say(`leased ${lease.ownerKey} ${lease.ip}`);
    if (i < 3) continue;
    say(`releasing pod-${i}`);
    await keeper.release(`pod-${i}`);
    if (keeper.leases().length >= 3 && i >= 5) await new Promise(() => {});
  }
}

if (import.meta.main) {
  const names = [
    "path",
    "endpoint",
    "keyId",
    "keySecret",
    "instanceId",
    "securityGroupId",
    "vSwitchId",
    "primaryMac",
  ];
  const entries = names.map((name, i) => [name, Deno.args[i] ?? ""]);
  await live(Object.fromEntries(entries) as Place);
}
