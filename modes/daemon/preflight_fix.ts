/**
 * Carries out what mends the host, and what undoes it: the only file of
 * preflight that changes the host.
 *
 * Some settings stand for others: switching forwarding of the node on switches
 * it on for every link, and off again likewise. What those were is kept too.
 *
 * @module
 */
import type { Kernel } from "../../netns/kernel.ts";
import type { Sysctl } from "../../netns/sysctl.ts";
import {
  commandsOf,
  type FileMend,
  FIRST_LINE,
  type Mend,
  policyCommand,
  valuesOf,
} from "./preflight_mend.ts";
import { forwardChains } from "./preflight_observe.ts";
import type { RunProgram } from "./preflight_program.ts";
import type { HostChange } from "./preflight_record.ts";

/** What changes are made by. */
export interface FixParts {
  /** The node's kernel. */
  readonly kernel: Pick<Kernel, "links" | "host">;
  /** Runs programs of the host's network. */
  readonly run: RunProgram;
  /** What stands before the paths of files; nothing but in tests. */
  readonly root: string;
}

/** Settings of links that one setting writes, and others that it touches. */
const SIDES: Readonly<
  Record<
    string,
    { readonly ofLink: (link: string) => string; readonly others: string[] }
  >
> = {
  "net/ipv4/ip_forward": {
    ofLink: (link) => `net/ipv4/conf/${link}/forwarding`,
    // A router takes no redirects. Source: inet_forward_change() in
    // net/ipv4/devinet.c.
    others: ["net/ipv4/conf/all/accept_redirects"],
  },
  "net/ipv6/conf/all/disable_ipv6": {
    ofLink: (link) => `net/ipv6/conf/${link}/disable_ipv6`,
    others: [],
  },
};

/**
 * Reads what a mend will change besides.
 *
 * @param mend What is to be done.
 * @param parts How to look.
 * @returns Values of settings by key.
 */
export async function readSides(
  mend: Mend,
  { kernel }: FixParts,
): Promise<Readonly<Record<string, string>>> {
  const sides = mend.kind === "setting" ? SIDES[mend.key] : undefined;
  if (sides === undefined) return {};
  const names = (await kernel.links()).map(({ name }) => name);
  const keys = [...sides.others, ...["default", ...names].map(sides.ofLink)];
  return Object.fromEntries(await kernel.host.readSettings(keys));
}

/**
 * Mends one thing of the host.
 *
 * @param mend What is to be done.
 * @param parts How to do it.
 * @throws {NetlinkError | NftError | Error} Who refused it, and why.
 */
export async function carryOut(mend: Mend, parts: FixParts): Promise<void> {
  const { now } = valuesOf(mend);
  switch (mend.kind) {
    case "setting":
      return await parts.kernel.host.writeSettings([
        { key: mend.key, value: now },
      ]);
    case "chain":
      await parts.kernel.host.nft([
        policyCommand({ ...mend.chain, policy: now }),
      ]);
      return;
    case "legacy":
      return await setLegacy(mend.program, now, parts);
    case "file":
      return await putFile(mend, parts);
  }
}

/**
 * Undoes a change, unless somebody else has changed the same thing since.
 *
 * @param change What was done, and what was before.
 * @param parts How to undo it.
 * @returns False when there was nothing to undo.
 * @throws {NetlinkError | NftError | Error} Who refused it, and why.
 */
export async function undo(
  change: HostChange,
  parts: FixParts,
): Promise<boolean> {
  const { mend } = change;
  const { was, now } = valuesOf(mend);
  const { host } = parts.kernel;
  switch (mend.kind) {
    case "setting": {
      const seen = (await host.readSettings([mend.key])).get(mend.key);
      if (seen !== now) return false;
      const sides = await readSides(mend, parts);
      await host.writeSettings(undoWrites(change, sides));
      return true;
    }
    case "chain": {
      const { family, table, name } = mend.chain;
      const found = (await forwardChains(parts.kernel)).find((chain) =>
        chain.family === family && chain.table === table && chain.name === name
      );
      if (found?.policy !== now) return false;
      await host.nft([policyCommand({ ...found, policy: was })]);
      return true;
    }
    case "legacy": {
      const said = await parts.run(mend.program, ["-S", "FORWARD"]);
      if (said?.stdout.includes(`-P FORWARD ${now}`) !== true) return false;
      await setLegacy(mend.program, was, parts);
      return true;
    }
    case "file":
      return await removeFile(mend, parts);
  }
}

/**
 * Tells what is written to undo a change of a setting: itself, then what it
 * changed besides. A link that came later keeps what it has.
 *
 * @param change What was done, and what was before.
 * @param sides What the settings beside it are now.
 * @returns Settings, in order; none for a change of another kind.
 */
export function undoWrites(
  { mend, sides: before }: HostChange,
  sides: Readonly<Record<string, string>>,
): readonly Sysctl[] {
  if (mend.kind !== "setting") return [];
  return [
    { key: mend.key, value: mend.was },
    ...Object.entries(sides).map(([key, value]) => ({
      key,
      value: before[key] ?? value,
    })),
  ];
}

/** Whole or not at all; the programs that read it are told, if they can be. */
async function putFile(
  { path, text }: FileMend,
  parts: FixParts,
): Promise<void> {
  const place = parts.root + path;
  await Deno.mkdir(place.slice(0, place.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(`${place}.new`, text);
  await Deno.rename(`${place}.new`, place);
  await reload(parts);
}

/** What somebody else has put there is left. */
async function removeFile(
  { path }: FileMend,
  parts: FixParts,
): Promise<boolean> {
  const place = parts.root + path;
  try {
    const text = await Deno.readTextFile(place);
    if (!text.startsWith(FIRST_LINE)) return false;
    await Deno.remove(place);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  await reload(parts);
  return true;
}

/**
 * udev looks for changed rules by itself when a card comes. From inside a
 * container neither of them may be to be had, which is no failure.
 */
async function reload({ run }: FixParts): Promise<void> {
  await run("udevadm", ["control", "--reload"]);
  await run("networkctl", ["reload"]);
}

async function setLegacy(
  program: string,
  policy: string,
  { run }: FixParts,
): Promise<void> {
  const command = commandsOf({ kind: "legacy", program }).command;
  const ended = await run(program, ["-P", "FORWARD", policy]);
  if (ended?.success === true) return;
  const why = ended?.stderr.trim() ?? "it isn't installed";
  throw new Error(`Cannot run \`${command}\`: ${why}`);
}
