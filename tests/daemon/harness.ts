/**
 * What tests of a whole daemon share: sandboxes, and a caller that speaks to
 * its socket as a relay does.
 *
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ask, encodeBody, type Reply } from "../../modes/wire.ts";
import { dumpNamespace, type NamespaceDump } from "../../netns/dump.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "../../netns/namespace.ts";
import type { Ip } from "../../netns/ip.ts";
import { openRoutes } from "../../netns/socket.ts";
import { askDaemon } from "../stage/daemon.ts";
import { bringLoopbackUp } from "../fabric/kernel.ts";
import type { StageNode } from "../stage/description.ts";
import type { Stage } from "../stage/stage.ts";

/** A GC's list that nobody is on. */
export const NOBODY: Readonly<Record<string, unknown>> = {
  cniVersion: "1.1.0",
  name: "terway",
  type: "terway",
  "cni.dev/valid-attachments": [],
};

export const CONF: Readonly<Record<string, unknown>> = {
  cniVersion: "1.0.0",
  name: "terway",
  type: "terway",
};

/** A sandbox of this test, its namespace removed at the end. */
export class Sandbox implements Disposable {
  readonly netns: string;
  readonly env: Record<string, string>;

  constructor(stage: Stage, id: string, ifName: string = "eth0") {
    this.netns = `${stage.description.nodes[0]?.netns}-${id}`;
    createNamespace(this.netns);
    this.env = {
      CNI_CONTAINERID: id,
      CNI_NETNS: this.netns,
      CNI_IFNAME: ifName,
      CNI_ARGS: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${id}`,
    };
  }

  [Symbol.dispose](): void {
    removeNamespace(this.netns);
  }
}

/** A sandbox on a node, its loopback up as a runtime leaves it. */
export function sandboxOn(stage: Stage, id: string): Sandbox {
  const sandbox = new Sandbox(stage, id);
  bringLoopbackUp(sandbox.netns);
  return sandbox;
}

/** Speaks to the daemon of a stage's first node as a relay does. */
export class Caller {
  readonly node: StageNode;

  constructor(stage: Stage, name: string = "n1") {
    const node = stage.description.nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`the stage has no node ${name}`);
    this.node = node;
  }

  async call(
    verb: string,
    env: Record<string, string>,
    conf: unknown = CONF,
    signal: AbortSignal = AbortSignal.timeout(30_000),
  ): Promise<Reply> {
    const text = typeof conf === "string" ? conf : JSON.stringify(conf);
    return await ask(this.node.socket, {
      variables: new Map(Object.entries({ CNI_COMMAND: verb, ...env })),
      stdin: new TextEncoder().encode(text),
    }, signal);
  }

  async ok(
    verb: string,
    env: Record<string, string>,
    conf: unknown = CONF,
  ): Promise<string> {
    const { status, document } = await this.call(verb, env, conf);
    assertEquals([status, status === 0 ? "" : document], [0, ""]);
    return document;
  }

  /** The call fails with this code, and its text has all of these. */
  async refused(
    verb: string,
    env: Record<string, string>,
    expected: { code: number; includes: readonly string[] },
    conf: unknown = CONF,
  ): Promise<void> {
    const { status, document } = await this.call(verb, env, conf);
    assertEquals(status, 1, document);
    const { cniVersion, code, msg, details } = JSON.parse(document);
    assertEquals([code, typeof details], [expected.code, "string"], document);
    assertMatch(cniVersion, /^\d\.\d\.\d$/);
    for (const part of expected.includes) {
      assertStringIncludes(`${msg} ${details}`, part);
    }
  }

  async leases(): Promise<readonly { ip: string }[]> {
    const { leases } = await askDaemon(
      this.node.socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    return leases as { ip: string }[];
  }

  async waitingCount(): Promise<number> {
    const { pool } = await askDaemon(
      this.node.socket,
      "status",
      AbortSignal.timeout(5_000),
    );
    return (pool as { claims: unknown[] }).claims.length;
  }

  kernel(): NamespaceDump {
    using namespace = openNamespace(this.node.netns);
    using routes = openRoutes(namespace);
    return dumpNamespace(routes);
  }

  /** Until a condition holds. */
  async until(
    holds: () => boolean | Promise<boolean>,
    withinMs: number = 20_000,
  ): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (!await holds()) {
      if (performance.now() > deadlineMs) throw new Error("it never held");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

export function dumpOf(netns: string): NamespaceDump {
  using namespace = openNamespace(netns);
  using routes = openRoutes(namespace);
  return dumpNamespace(routes);
}

export function bodyOf(
  env: Record<string, string>,
  conf: unknown,
): Uint8Array<ArrayBuffer> {
  return encodeBody({
    variables: new Map(Object.entries(env)),
    stdin: new TextEncoder().encode(JSON.stringify(conf)),
  });
}

export function ipOf(document: string): string {
  return JSON.parse(document).ips[0].address;
}

/** All addresses of a result. */
export function ipsOf(document: string): readonly Ip[] {
  const { ips } = JSON.parse(document) as { ips: { address: string }[] };
  return ips.map(({ address }) => address.split("/")[0] ?? "");
}

/** Kills a daemon, takes its journal away, and starts it anew. */
export async function loseJournal(
  stage: Stage,
  { node }: Caller,
): Promise<void> {
  await stage.killDaemon(node.name);
  for (const end of ["", "-wal", "-shm"]) {
    await Deno.remove(`${node.stateDir}/journal.db${end}`).catch(() => {});
  }
  await stage.restartDaemon(node.name);
}
