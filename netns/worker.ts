/**
 * The kernel's thread: a Worker that does all rtnetlink of the daemon, so that
 * a slow kernel never stops the daemon's loop. `kernel.ts` is its other end.
 *
 * Requests are carried out in the order of their arrival. Deleting a link goes
 * on beside them; whatever wants a link of the same name waits for its end.
 *
 * @module
 */
import { dropDefaults } from "./default_route.ts";
import { applyPlan } from "./apply.ts";
import { comparePlan } from "./compare.ts";
import { forgetFlows } from "./conntrack.ts";
import { EventStream } from "./event.ts";
import { hostCidr, parseCidr } from "./ip.ts";
import { listLinks } from "./link.ts";
import { closeHome, type Namespace, openNamespace } from "./namespace.ts";
import { legacyTables, openNft } from "./nft.ts";
import { findPodCard, type PodSearch } from "./pods.ts";
import { probeIpvlan } from "./probe.ts";
import { lookForRoom, markedCards, recall } from "./recall.ts";
import { removePlan, sublinkKey } from "./remove.ts";
import { listRoutes } from "./route.ts";
import { openRoutes, type RouteSocket } from "./socket.ts";
import { findSpeakers } from "./speaker.ts";
import { Snapshot } from "./snapshot.ts";
import { readSettings, writeSettings } from "./sysctl.ts";
import { type Difference, type Plan, type Step, TABLE_MAIN } from "./step.ts";
import {
  fromError,
  type HostRoute,
  type Reply,
  type Request,
} from "./kernel_wire.ts";

/** A Worker's own global scope; the project's types have a window's. */
declare const self: {
  postMessage(message: Reply): void;
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  close(): void;
};

/** The node: its socket and its events. */
interface Node extends AsyncDisposable {
  readonly routes: RouteSocket;
  readonly events: EventStream;
}

let node: Node | undefined;

/** Deletions and moves under way, by the link's name or the card's MAC. */
const dying = new Map<string, Promise<void>>();

/** Deletions that the kernel refused and nobody has been told of. */
let refusals: unknown[] = [];

async function answer(request: Request): Promise<void> {
  const { id } = request;
  try {
    self.postMessage({ id, value: await carryOut(request) });
    if (request.verb === "close") self.close();
  } catch (error) {
    self.postMessage({ id, error: fromError(error) });
  }
}

function carryOut(request: Request): unknown {
  switch (request.verb) {
    case "open":
      return open(request.argument.netns);
    case "close":
      return close();
    case "settled":
      return settled();
    case "apply":
      return whenFree(request.argument, applyPlan);
    case "compare":
      return whenFree(request.argument, comparePlan);
    case "compareAll":
      return compareAll(request.argument);
    case "remove":
      return whenFree(request.argument, remove);
    case "speakersFor":
      return findSpeakers(request.argument, podSearch(opened().routes));
    case "findPodCard":
      return findPodCard(request.argument, podSearch(opened().routes));
    case "forgetFlows": {
      const { namespace } = opened().routes;
      return forgetFlows(request.argument, { namespace, othersTurn });
    }
    case "links":
      return listLinks(opened().routes);
    case "hostRoutes":
      return hostRoutes(opened().routes);
    case "checkNamespace": {
      using namespace = openNamespace(request.argument);
      return { inode: namespace.inode };
    }
    case "probeIpvlan":
      return probeIpvlan();
    case "dropDefaults":
      return dropDefaults(request.argument, opened().routes);
    case "recall":
      return recall(request.argument, opened().routes);
    case "markedCards":
      return markedCards(request.argument);
    case "lookForRoom":
      return lookForRoom(request.argument);
    case "nft": {
      using nft = openNft(opened().routes.namespace);
      return nft.run(request.argument);
    }
    case "legacyTables":
      return legacyTables(opened().routes.namespace);
    case "readSettings":
      return readSettings(request.argument, opened().routes.namespace);
    case "writeSettings":
      return writeSettings(request.argument, opened().routes.namespace);
  }
}

function podSearch(host: RouteSocket): PodSearch {
  return { host, pairedOnly: host.namespace !== undefined, othersTurn };
}

function hostRoutes(socket: RouteSocket): readonly HostRoute[] {
  return listRoutes(socket, TABLE_MAIN).flatMap(({ destination, ifIndex }) => {
    const { ip } = parseCidr(destination);
    return hostCidr(ip) === destination ? [{ ip, ifIndex }] : [];
  });
}

async function open(netns: string | undefined): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const namespace: Namespace | undefined = netns === undefined
    ? undefined
    : resources.use(openNamespace(netns));
  const routes = resources.use(openRoutes(namespace));
  const events = resources.use(new EventStream(namespace));
  const kept = resources.move();
  node = { routes, events, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  void forward(events);
}

async function close(): Promise<void> {
  await Promise.allSettled(dying.values());
  await node?.[Symbol.asyncDispose]();
  node = undefined;
  closeHome();
}

async function settled(): Promise<void> {
  await Promise.allSettled(dying.values());
  const [first, ...others] = refusals;
  refusals = [];
  if (first === undefined) return;
  throw others.length === 0 ? first : new AggregateError([first, ...others]);
}

function opened(): Node {
  if (node === undefined) throw new TypeError("Cannot work before `open`");
  return node;
}

/** Works on a plan at once, or when its links have come to rest. */
function whenFree<T>(
  plan: Plan,
  work: (plan: Plan, host: RouteSocket) => T,
): T | Promise<T> {
  for (const step of plan.steps) {
    const key = restlessKey(step, plan);
    const death = key === undefined ? undefined : dying.get(key);
    // Looked at anew afterwards: a request before this one may have begun
    // another deletion.
    if (death !== undefined) return death.then(() => whenFree(plan, work));
  }
  return work(plan, opened().routes);
}

function restlessKey(step: Step, plan: Plan): string | undefined {
  switch (step.kind) {
    case "sublink":
      return sublinkKey(step, plan);
    case "veth":
      return step.host.name;
    case "link":
    case "moveLink":
      return step.mac;
  }
}

function remove(plan: Plan, host: RouteSocket): void {
  const { link, cards, sublinks, done } = removePlan(plan, host);
  const others = [...cards, ...sublinks];
  const keys = link === undefined ? others : [link, ...others];
  if (keys.length === 0) return;
  const death = done.catch((error) => void refusals.push(error))
    .finally(() => keys.forEach((key) => dying.delete(key)));
  for (const key of keys) dying.set(key, death);
}

/** Pods that are compared before others have a turn: 2 to 10 ms. */
const SLICE_COUNT = 5;

/** More plans than this are worth a dump of each kind on the node. */
const FEW_COUNT = 2;

async function compareAll(plans: readonly Plan[]): Promise<Difference[][]> {
  const manyPlans = plans.length > FEW_COUNT;
  const node = new Snapshot(opened().routes, { manyPlans });
  const compare = (plan: Plan, host: RouteSocket): Difference[] =>
    comparePlan(plan, host, node);
  const found: Difference[][] = [];
  for (const plan of plans) {
    found.push(await whenFree(plan, compare));
    if (found.length % SLICE_COUNT === 0) await othersTurn();
  }
  return found;
}

function othersTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

async function forward(events: EventStream): Promise<void> {
  try {
    for (let batch; (batch = await events.next()) !== undefined;) {
      self.postMessage({ events: batch });
    }
  } catch (error) {
    self.postMessage({ broken: fromError(error) });
  }
}

self.onmessage = ({ data }): void => void answer(data);
