/**
 * TCP connections that pods hold for as long as they live: what a change of
 * the network's own parts must not cut.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "./command.ts";
import type { Kubectl } from "./kubectl.ts";
import { createPods, waitForReadyPods } from "./pods.ts";

/** A flow to be held, by two pods. */
export interface FlowWish {
  /** The client's node. */
  readonly from: string;
  /** The server's node. */
  readonly to: string;
}

const PORT = "9000";

/** What was sent comes back, each second a number. */
const MOVES_DEADLINE_MS = 60_000;

/** Flows between pods. */
export class Flows {
  readonly #kubectl: Kubectl;
  readonly #wishes: readonly FlowWish[];
  #ips: ReadonlyMap<string, string> = new Map();

  /**
   * Takes flows over; see {@linkcode openFlows}.
   *
   * @param kubectl Asks the API server.
   * @param wishes The flows, by number.
   */
  constructor(kubectl: Kubectl, wishes: readonly FlowWish[]) {
    this.#kubectl = kubectl;
    this.#wishes = wishes;
  }

  /** How many pods hold them. */
  get podCount(): number {
    return 2 * this.#wishes.length;
  }

  /** Makes the pods, and waits until each flow moves. */
  async open(): Promise<void> {
    const kubectl = this.#kubectl;
    const servers = this.#wishes.map(({ to }, number) => ({
      name: serverName(number),
      nodeName: to,
      labels: { flow: "server" },
      command: ["nc", "-ll", "-p", PORT, "-e", "cat"],
    }));
    await createPods(kubectl, servers);
    await waitForReadyPods(kubectl, ["pod", "-l", "flow=server"]);
    const ips = await this.#readIps();
    const clients = this.#wishes.map(({ from }, number) => ({
      name: clientName(number),
      nodeName: from,
      labels: { flow: "client" },
      command: ["sh", "-c", CLIENT, ips.get(serverName(number)) ?? ""],
      runsOnce: true,
    }));
    await createPods(kubectl, clients);
    await waitForReadyPods(kubectl, ["pod", "-l", "flow=client"]);
    this.#ips = await this.#readIps();
    assertEquals(this.#ips.size, this.podCount);
    await this.check();
  }

  /**
   * Shows that no flow was cut, that each moves, and that every pod has the
   * address that it had.
   *
   * @param numbers The flows that are asked for. @default {all of them}
   */
  async check(numbers?: readonly number[]): Promise<void> {
    const all = numbers ?? this.#wishes.map((_, number) => number);
    const before = await this.#read();
    for (const number of all) {
      const at = before.get(clientName(number)) ?? "";
      assert(/^\d+$/.test(at), `${clientName(number)} said "${at}"`);
    }
    await until(
      "flows to move",
      { deadlineMs: MOVES_DEADLINE_MS },
      async () => {
        const now = await this.#read();
        return all.every((number) => {
          const name = clientName(number);
          return Number(now.get(name)) > Number(before.get(name));
        });
      },
    );
    const ips = await this.#readIps();
    for (const name of all.flatMap((n) => [clientName(n), serverName(n)])) {
      assertEquals(ips.get(name), this.#ips.get(name), `${name}'s address`);
    }
  }

  /** The last line that each client's server sent back. */
  async #read(): Promise<ReadonlyMap<string, string>> {
    const said = await this.#kubectl([
      ...["logs", "-l", "flow=client", "--prefix", "--tail=1"],
      `--max-log-requests=${this.#wishes.length}`,
    ]);
    return new Map(
      said.trim().split("\n").map((line) => {
        const [, name = "", text = ""] = /^\[pod\/([^/]+)\S*\] (.*)$/
          .exec(line) ?? [];
        return [name, text];
      }),
    );
  }

  async #readIps(): Promise<ReadonlyMap<string, string>> {
    const path = "{range .items[*]}{.metadata.name} {.status.podIP}\n{end}";
    const words = ["get", "pods", "-l", "flow", "-o", `jsonpath=${path}`];
    const said = await this.#kubectl(words);
    return new Map(
      said.trim().split("\n").map((line) => {
        const [name = "", ip = ""] = line.split(" ");
        return [name, ip];
      }),
    );
  }
}

/** `$0` is the server's address. A flow that ends says so, and stays ended. */
const CLIENT = "(i=0; while :; do i=$((i+1)); echo $i; sleep 1; done) | " +
  `nc $0 ${PORT}; echo cut`;

function serverName(number: number): string {
  return `flow-${number}-server`;
}

function clientName(number: number): string {
  return `flow-${number}-client`;
}

/**
 * Opens flows: two pods each.
 *
 * @param kubectl Asks the API server.
 * @param wishes The flows.
 * @returns The flows, which move.
 */
export async function openFlows(
  kubectl: Kubectl,
  wishes: readonly FlowWish[],
): Promise<Flows> {
  const flows = new Flows(kubectl, wishes);
  await flows.open();
  return flows;
}
