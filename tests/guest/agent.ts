/**
 * The program in a guest that does what a test asks for over the serial line.
 *
 * @module
 */
import { ask } from "../../modes/wire.ts";
import { addAddress } from "../../netns/address.ts";
import { dumpNamespace, type NamespaceDump } from "../../netns/dump.ts";
import { findLinkByMac, findLinkByName, setLink } from "../../netns/link.ts";
import {
  createNamespace,
  openNamespace,
  removeNamespace,
} from "../../netns/namespace.ts";
import { addRoute } from "../../netns/route.ts";
import { openRoutes, type RouteSocket } from "../../netns/socket.ts";
import { bringLoopbackUp, LOOPBACK_INDEX } from "../fabric/kernel.ts";
import { NETNS_DIR, shareNetnsDir } from "../fabric/netns_dir.ts";
import {
  type Answer,
  linesOf,
  type Ran,
  type Request,
  type Requests,
  type Run,
} from "./protocol.ts";

/** What a program may take when nobody says. */
const RUN_DEADLINE_MS = 20_000;

/** What a daemon may take to answer an operator. */
const ASK_DEADLINE_MS = 10_000;

const encoder = new TextEncoder();

async function main(): Promise<void> {
  await shareNetnsDir();
  tell({ id: 0, value: null });
  for await (const line of linesOf(Deno.stdin.readable)) {
    const request: Request = JSON.parse(line);
    const { id } = request;
    carryOut(request).then(
      (value) => tell({ id, value }),
      (error) => tell({ id, error: String(error?.stack ?? error) }),
    );
  }
}

/** Writes an answer whole: a line may not be cut by another one. */
function tell(answer: Answer): void {
  const bytes = encoder.encode(`${JSON.stringify(answer)}\n`);
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

async function carryOut({ verb, argument }: Request): Promise<unknown> {
  switch (verb) {
    case "configure":
      return configure(argument);
    case "run":
      return await run(argument);
    case "start":
      return start(argument);
    case "signal":
      Deno.kill(argument.pid, argument.signal);
      return null;
    case "ask":
      return await askDaemon(argument);
    case "addNamespace":
      createNamespace(argument);
      bringLoopbackUp(argument);
      return null;
    case "removeNamespace":
      removeNamespace(argument);
      return null;
    case "dump":
      return dump(argument);
    case "setDown":
      return setDown(argument);
  }
}

function configure(
  { link: name, cidr, gateway }: Requests["configure"]["in"],
): null {
  using routes = openRoutes();
  setLink(routes, LOOPBACK_INDEX, { up: true });
  const link = findLinkByName(routes, name);
  if (link === undefined) throw new Error(`Cannot find ${name} in the guest`);
  const { ifIndex } = link;
  setLink(routes, ifIndex, { up: true });
  addAddress(routes, { ifIndex, cidr });
  addRoute(routes, {
    ifIndex,
    destination: "0.0.0.0/0",
    gateway,
    onlink: true,
  });
  return null;
}

async function run(
  { command: [program, ...args], env, stdin, deadlineMs }: Run,
): Promise<Ran> {
  const startMs = performance.now();
  const child = new Deno.Command(program, {
    args,
    env: { ...env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(deadlineMs ?? RUN_DEADLINE_MS),
  }).spawn();
  const output = child.output();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A program may answer without reading all that it is given.
    await writer.write(encoder.encode(stdin)).then(() => writer.close())
      .catch(() => {});
  }
  const { code, stdout, stderr } = await output;
  const tookMs = performance.now() - startMs;
  const text = new TextDecoder();
  return {
    code,
    stdout: text.decode(stdout),
    stderr: text.decode(stderr),
    tookMs,
  };
}

function start({ command, env, log }: Requests["start"]["in"]): number {
  // Deno can't hand a file to a child: a shell opens it and becomes the child.
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$@" >>"$0" 2>&1', log, ...command],
    env: { ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  child.status.catch(() => {}); // who wants to know reads the log
  return child.pid;
}

async function askDaemon(
  { socket, command, body }: Requests["ask"]["in"],
): Promise<Requests["ask"]["out"]> {
  const stdin = body === undefined ? "" : JSON.stringify(body);
  const { status, document } = await ask(socket, {
    variables: new Map([["TERWAY_COMMAND", command]]),
    stdin: encoder.encode(stdin),
  }, AbortSignal.timeout(ASK_DEADLINE_MS));
  return { status, document };
}

function dump(path: string): NamespaceDump {
  if (path === "") {
    using routes = openRoutes();
    return dumpNamespace(routes);
  }
  using namespace = openNamespace(path);
  using routes = openRoutes(namespace);
  return dumpNamespace(routes);
}

function setDown(mac: string): boolean {
  using routes = openRoutes();
  if (setDownIn(routes, mac)) return true;
  for (const { name } of Deno.readDirSync(NETNS_DIR)) {
    using namespace = openNamespace(`${NETNS_DIR}/${name}`);
    using inside = openRoutes(namespace);
    if (setDownIn(inside, mac)) return true;
  }
  return false;
}

function setDownIn(routes: RouteSocket, mac: string): boolean {
  const link = findLinkByMac(routes, mac);
  if (link === undefined) return false;
  setLink(routes, link.ifIndex, { up: false });
  return true;
}

if (import.meta.main) await main();
