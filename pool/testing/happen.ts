/**
 * How the things of a script happen to a life.
 *
 * @module
 */
import { Refusal } from "../../tests/emulators/alibaba/refusal.ts";
import type { EniRecord } from "../../tests/emulators/alibaba/model.ts";
import { eniTags } from "../tags.ts";
import { checkAlways } from "./invariants.ts";
import { type Act, type Deed, inWords, type Op, troubleOf } from "./ops.ts";
import type { Simulation } from "./simulation.ts";

/** What happens to the world, whether a process lives or not. */
const OUTSIDE: ReadonlySet<Act["do"]> = new Set<Act["do"]>([
  "away",
  "configure",
  "drift",
  "occupy",
  "spoil",
  "vacate",
  "weather",
]);

/**
 * Lets one thing happen, and all that follows from it at once.
 *
 * @param life To whom.
 * @param op What.
 * @throws {Violation} When something doesn't hold.
 */
export async function happen(life: Simulation, op: Op): Promise<void> {
  const trouble = troubleOf(op);
  if (trouble !== undefined && life.script.without.includes(trouble)) return;
  life.enter(op);
  life.trace.add("step", () => `${op.id}: ${inWords(op)}`);
  if (!OUTSIDE.has(op.do)) await revive(life);
  await perform(life, op);
  await elapse(life, 0);
}

/**
 * Lets time pass.
 *
 * @param life In which life.
 * @param ms How much.
 * @throws {Violation} When something doesn't hold.
 */
export async function elapse(life: Simulation, ms: number): Promise<void> {
  const endMs = life.clock.nowMs() + ms;
  const mayBeStale = life.weather.kinds.includes("stale");
  if (!mayBeStale) life.front.sights.clear();
  do {
    bury(life);
    checkAlways(life);
    if (mayBeStale) {
      life.front.sights.note(life.cloud.model, life.clock.nowMs());
    }
  } while (await life.clock.step(endMs));
  bury(life);
  checkAlways(life);
}

/**
 * Begins another process, if the last one is dead.
 *
 * @param life In which life.
 */
export async function revive(life: Simulation): Promise<void> {
  if (!life.process.isDead) return;
  const { downMs } = life;
  life.downMs = 0;
  await elapse(life, downMs);
  if (life.process.isDead) life.reopen();
}

/** Pods learn of a death. */
function bury(life: Simulation): void {
  if (!life.process.isDead) return;
  if (life.pods.isServed) {
    life.trace.add("process", () => "dies");
    life.killCount++;
    life.pods.bereave();
    life.front.tokens.expect();
  }
  if (life.isRestless && !life.process.isEnded) life.reopen();
}

async function perform(life: Simulation, act: Act): Promise<void> {
  const { pods, cloud, process, stand } = life;
  switch (act.do) {
    case "come":
      for (let i = 0; i < act.count; i++) pods.come();
      return;
    case "go":
      for (let i = 0; i < act.count; i++) pods.go();
      return;
    case "ask":
      return pods.ask();
    case "give up":
      return pods.giveUp();
    case "wait":
      return await elapse(life, act.ms);
    case "die":
      life.downMs = act.downMs;
      process.fuse = act.after;
      return;
    case "kill":
      life.downMs = act.downMs;
      return process.end();
    case "stop":
      life.downMs = act.downMs;
      return await stop(life);
    case "drain":
      return await drain(life, act);
    case "disk":
      process.isDiskFull = act.isFull;
      return;
    case "weather":
      life.weather = act.weather;
      return;
    case "away":
      life.awayUntilMs = life.clock.nowMs() + act.ms;
      return;
    case "configure":
      return life.configure(act.wanted);
    case "spoil":
      return spoil(life, act);
    case "drift":
      return await drift(life, act.deed);
    case "occupy": {
      const { vSwitchId, smallVSwitchId } = stand;
      const id = act.vSwitch === "near" ? vSwitchId : smallVSwitchId;
      cloud.stranger.occupy(id, act.leftCount);
      return;
    }
    case "vacate":
      cloud.stranger.vacate(stand.vSwitchId);
      return cloud.stranger.vacate(stand.smallVSwitchId);
    case "lose journal":
      life.downMs = act.downMs;
      process.end();
      bury(life);
      return life.loseJournal();
  }
}

function spoil(life: Simulation, act: Extract<Act, { do: "spoil" }>): void {
  const action = isSix(life)
    ? act.action.replace("PrivateIp", "Ipv6")
    : act.action;
  for (const fault of act.faults) life.cloud.faults.add(fault, { action });
}

/** Whether it is the turn of IPv6 addresses, on a node that has them. */
function isSix({ script, chance }: Simulation): boolean {
  const { stack } = script.world;
  return stack === "ipv6" || (stack === "dual" && chance.oneIn(2));
}

/** Now and then others give a single address to a card with prefixes. */
function hasBlocks({ script, chance }: Simulation): boolean {
  return script.world.minPrefixCount !== undefined && !chance.oneIn(4);
}

async function stop(life: Simulation): Promise<void> {
  const { keeper, process, clock } = life;
  if (process.isDead) return;
  life.pods.isServed = true;
  const stopped = keeper.stop();
  while (await clock.step(clock.nowMs()));
  // A process that dies while it stops never says that it has.
  if (!process.isDead) await stopped;
  process.end();
}

async function drain(
  life: Simulation,
  { ms, downMs }: { ms: number; downMs: number },
): Promise<void> {
  const end = new AbortController();
  life.keeper.drain(end.signal).catch(() => {});
  await elapse(life, ms);
  end.abort();
  life.ledger.forgive();
  life.downMs = downMs;
  await stop(life);
}

/** What is on its way can't be changed; then nothing happens. */
async function drift(life: Simulation, deed: Deed): Promise<void> {
  try {
    const what = await drifted(life, deed);
    life.trace.add("other", () => what);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    life.trace.add("other", () => `${deed} is refused: ${error.code}`);
  }
}

async function drifted(life: Simulation, deed: Deed): Promise<string> {
  const { cloud, stand } = life;
  const { stranger } = cloud;
  if (deed === "plug") {
    const { vSwitchId, instanceId } = stand;
    const { id } = await stranger.createEni({ vSwitchId, instanceId });
    life.foreign.set(id, { isAdopted: false });
    return `${id} is plugged in`;
  }
  if (deed === "lose") {
    const { vSwitchId, instanceId } = stand;
    const key = `lost-${life.orphans.size}`;
    const tags = eniTags({ clusterId: "c1", instanceId }, key);
    const { id } = await stranger.createEni({ vSwitchId, tags });
    life.orphans.set(id, life.clock.nowMs());
    return `${id} is loose, with our tags`;
  }
  if (deed === "unplug") {
    const id = life.chance.pick([...life.foreign.keys()]);
    if (id === undefined) return "there is nothing to unplug";
    await stranger.deleteEni(id);
    life.foreign.delete(id);
    gone(life, id);
    return `${id} is unplugged`;
  }
  if (deed === "join") return await join(life);
  if (deed === "leave") return await leave(life);
  const eni = life.chance.pick(cards(life));
  if (eni === undefined) return "there is no card";
  switch (deed) {
    case "detach":
      await stranger.detachEni(eni.id);
      gone(life, eni.id);
      return `${eni.id} is detached`;
    case "delete":
      await stranger.deleteEni(eni.id);
      gone(life, eni.id);
      return `${eni.id} is deleted`;
    case "assign":
      // A card that holds more than the type allows could never come back.
      if (eni.state !== "InUse") return `${eni.id} isn't attached`;
      if (isSix(life)) {
        const wanted = hasBlocks(life) ? { prefixCount: 1 } : 1;
        return `${eni.id} gets ${await cloud.assign6(eni.id, wanted)}`;
      }
      if (hasBlocks(life)) {
        return `${eni.id} gets ${await cloud.assignPrefixes(eni.id, 1)}`;
      }
      return `${eni.id} gets ${await stranger.assignIps(eni.id, 1)}`;
    case "unassign":
      return await lose(life, eni);
  }
}

/** A prefix, if the card has one, else an address. */
async function lose(life: Simulation, eni: EniRecord): Promise<string> {
  const { cloud } = life;
  const { stranger } = cloud;
  const isIp6 = isSix(life);
  const prefix = isIp6 ? undefined : life.chance.pick(eni.prefixes);
  if (prefix !== undefined) {
    await cloud.unassignPrefixes(eni.id, [prefix]);
    life.drifted.add(eni.id);
    return `${eni.id} loses ${prefix}`;
  }
  const ip = life.chance.pick(isIp6 ? eni.ips6 : eni.ips.slice(1));
  if (ip === undefined) return `${eni.id} has nothing to lose`;
  if (isIp6) await cloud.unassign6(eni.id, [ip]);
  else await stranger.unassignIps(eni.id, [ip]);
  life.drifted.add(eni.id);
  return `${eni.id} loses ${ip}`;
}

async function join(life: Simulation): Promise<string> {
  const trunk = cards(life).find(({ type }) => type === "Trunk");
  if (trunk === undefined) return "there is no trunk";
  const { vSwitchId, instanceId } = life.stand;
  const { id } = await life.cloud.stranger.createEni({
    ...{ vSwitchId, instanceId, trunkId: trunk.id },
  });
  life.members.add(id);
  return `${id} hangs on ${trunk.id}`;
}

async function leave(life: Simulation): Promise<string> {
  const id = life.chance.pick([...life.members]);
  if (id === undefined) return "there is no member";
  await unhang(life, id);
  return `${id} hangs on no trunk any more`;
}

/**
 * Takes a member off its trunk, as its maker does.
 *
 * @param life In which life.
 * @param id The member.
 */
export async function unhang(life: Simulation, id: string): Promise<void> {
  await life.cloud.stranger.deleteEni(id);
  life.members.delete(id);
}

/** Its link is out of the kernel, and with it what was set up. */
function gone(life: Simulation, eniId: string): void {
  life.drifted.add(eniId);
  life.host.prepared.delete(eniId);
}

/** Cards that the pool has; others' are others' business. */
function cards(life: Simulation): EniRecord[] {
  return [...life.cloud.model.enis.values()].filter(({ id, type }) =>
    type !== "Primary" && !life.foreign.has(id) && !life.orphans.has(id) &&
    !life.members.has(id)
  );
}
