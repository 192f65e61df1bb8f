/**
 * One bad day of a node, in virtual time: its vSwitch runs empty, its account
 * is throttled, the cloud goes away, and comes back. What an operator would
 * have, the daemon's log and `terway status`, is all that this writes.
 *
 * `deno run -A tests/bad_day.ts` prints it.
 *
 * @module
 */
import { tell } from "../modes/daemon/news.ts";
import type { Log } from "../modes/log.ts";
import { statusText } from "../modes/operator/status_text.ts";
import { Rig } from "../pool/testing/rig.ts";
import { FAULTS } from "./emulators/alibaba/faults.ts";

/** A part of the day, as its operator sees it. */
export interface Chapter {
  /** What happens. */
  readonly title: string;
  /** The daemon's log, a line each. */
  readonly log: readonly string[];
  /** What `terway status` says at the chapter's end. */
  readonly status: string;
}

const MINUTE_MS = 60_000;

/**
 * Plays the day.
 *
 * @returns Its chapters, in order.
 */
export async function playBadDay(): Promise<readonly Chapter[]> {
  const day = new Day();
  try {
    await day.play();
    return day.chapters;
  } finally {
    await day.close();
  }
}

class Day {
  readonly chapters: Chapter[] = [];
  readonly #rig = new Rig({
    minIdle: 1,
    maxIdle: 3,
    cloud: { replyMs: 100, attachMs: 2_000 },
    onNews: (news) => tell(this.#log, news),
  });
  #lines: string[] = [];
  readonly #log: Log = {
    debug: () => {},
    info: (message, fields) => this.#write("info", message, fields),
    warning: (message, fields) => this.#write("warning", message, fields),
    error: (message, fields) => this.#write("error", message, fields),
  };

  async play(): Promise<void> {
    const rig = this.#rig;
    await this.#chapter("a quiet morning: two pods", async () => {
      await rig.start();
      await this.#gets("shop/cart");
      await this.#gets("shop/till");
      await rig.clock.advance(MINUTE_MS);
    });
    await this.#emptyVSwitch();
    await this.#chapter("the account is throttled", async () => {
      rig.stand.cloud.faults.add({ kind: "throttle" }, {
        action: "AssignPrivateIpAddresses",
      });
      await this.#tries("shop/web-c");
      await this.#tries("shop/web-d");
    });
    await this.#chapter("a minute later", async () => {
      await rig.keeper.release("shop/cart");
      await rig.clock.advance(MINUTE_MS);
    });
    await this.#cloudAway();
  }

  async close(): Promise<void> {
    await this.#rig.close();
  }

  async #emptyVSwitch(): Promise<void> {
    const rig = this.#rig;
    const { stand: { cloud, vSwitchId } } = rig;
    await this.#chapter("others fill the vSwitch: a pod waits", async () => {
      cloud.stranger.occupy(vSwitchId, 0);
      await this.#tries("shop/web-a");
      await this.#tries("shop/web-b");
      await rig.clock.advance(MINUTE_MS);
      await this.#tries("shop/web-b");
    });
    await this.#chapter("the vSwitch has addresses again", async () => {
      cloud.stranger.vacate(vSwitchId);
      await rig.clock.advance(11 * MINUTE_MS);
      await this.#gets("shop/web-b");
    });
  }

  async #cloudAway(): Promise<void> {
    const rig = this.#rig;
    const { faults } = rig.stand.cloud;
    await this.#chapter("the cloud is away for ten minutes", async () => {
      faults.add(FAULTS.unavailable, { times: 10_000 });
      for (const name of ["e", "f", "g"]) await this.#tries(`shop/web-${name}`);
      await rig.keeper.release("shop/till");
      await rig.clock.advance(8 * MINUTE_MS);
      await this.#tries("shop/web-g");
    });
    await this.#chapter("the cloud is back", async () => {
      faults.clear();
      await rig.clock.advance(5 * MINUTE_MS);
      await this.#gets("shop/web-f");
      await rig.clock.advance(MINUTE_MS);
    });
  }

  /** As a runtime does: it waits for a while, and comes again later. */
  async #tries(owner: string): Promise<void> {
    try {
      await this.#gets(owner, 10_000);
    } catch (error) {
      this.#write("warning", "ADD failed", {
        owner,
        err: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async #gets(owner: string, withinMs = 2 * MINUTE_MS): Promise<void> {
    const claim = this.#rig.claim(owner, withinMs);
    const { ip } = await this.#rig.within(claim, withinMs + 1);
    this.#write("info", "attached", { owner, ip });
  }

  async #chapter(title: string, play: () => Promise<void>): Promise<void> {
    this.#lines = [];
    await play();
    const { keeper, stand } = this.#rig;
    this.chapters.push({
      title,
      log: this.#lines,
      status: statusText({
        pid: 1,
        node: {
          instanceId: stand.instanceId,
          instanceType: "ecs.g6.large",
          zone: "cn-hangzhou-a",
          primaryIp: "10.0.0.1",
        },
        memory: { rssBytes: 0 },
        pool: keeper.status(),
        leases: keeper.leases(),
      }),
    });
  }

  #write(level: string, msg: string, fields: object = {}): void {
    const time = new Date(this.#rig.clock.nowMs()).toISOString();
    this.#lines.push(JSON.stringify({ time, level, msg, ...fields }));
  }
}

if (import.meta.main) {
  for (const { title, log, status } of await playBadDay()) {
    const text = `== ${title}\n${log.join("\n")}\n\n${status}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  }
}
