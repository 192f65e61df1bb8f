/**
 * The network configuration list that we write: made anew, or merged into the
 * one that is there, whose other plugins belong to the user.
 *
 * Source: CNI spec 1.1.0, section 1 "Network configuration format", and libcni
 * for what a runtime reads (both read 2026-11-21).
 *
 * @module
 */
import { DEFAULT_SOCKET, DEFAULT_TOMBSTONES } from "../wire.ts";
import { findMistake } from "./json_mistake.ts";

/** The plugin's name, its program's and its `type`. */
export const PLUGIN = "terway";

/** The network's name. It is part of every lease's owner: it never changes. */
export const NETWORK = "terway";

/** An object of JSON. */
export type Tree = Readonly<Record<string, unknown>>;

/** A list whose form was checked. */
export interface Conflist {
  /** The network's name. */
  readonly name: string;
  /** The plugins, in their order. */
  readonly plugins: readonly Tree[];
  /** The whole document. */
  readonly tree: Tree;
}

/** What a list shall say. */
export interface ConflistWish {
  /** Its version. */
  readonly cniVersion: string;
  /** Where the daemon listens. */
  readonly socket: string;
  /** Where requests wait for a daemon. */
  readonly tombstoneDir: string;
  /** Whether the node has the plugin that serves `hostPort`. */
  readonly hasPortmap: boolean;
}

/** A configuration that can't be merged, with every problem. */
export class ConflistError extends Error {
  /** The class's name, as in every error's text. */
  override readonly name = "ConflistError";
  /** The problems, a line each. */
  readonly problems: readonly string[];

  /**
   * Makes one.
   *
   * @param problems The problems, a line each, with file and place.
   */
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads a list.
 *
 * @param path The file's name, for people.
 * @param text What is in it.
 * @returns The list.
 * @throws {ConflistError} When it is no JSON, with line and column, or no list.
 */
export function readConflist(path: string, text: string): Conflist {
  const mistake = findMistake(text);
  if (mistake !== undefined) {
    const { line, column, found } = mistake;
    throw new ConflistError([
      `${path}: line ${line}, column ${column}: this isn't JSON: ` +
      (found === "" ? "the text ends too early" : `at ${found}`),
    ]);
  }
  const tree: unknown = JSON.parse(text);
  if (!isTree(tree)) {
    throw new ConflistError([`${path}: must be an object: it is ${say(tree)}`]);
  }
  const { name, plugins } = tree;
  const problems: string[] = [];
  const require = (holds: boolean, rule: string, value: unknown): void => {
    if (!holds) problems.push(`${path}: ${rule}: it is ${say(value)}`);
  };
  require(isText(name), "name must be a text", name);
  const isList = Array.isArray(plugins) && plugins.length > 0;
  require(isList, "plugins must be a list of at least one", plugins);
  for (const [at, plugin] of isList ? plugins.entries() : []) {
    const type = isTree(plugin) ? plugin["type"] : undefined;
    const place = `plugins[${at}]`;
    require(isTree(plugin), `${place} must be an object`, plugin);
    if (isTree(plugin)) {
      require(isText(type), `${place}.type must be a text`, type);
    }
  }
  if (problems.length > 0) throw new ConflistError(problems);
  return { name: name as string, plugins: plugins as Tree[], tree };
}

/**
 * Tells whether a list is of ours: an installation's, with what a user chained.
 *
 * @param list A list.
 * @returns True when our plugin is in it, under our network's name.
 */
export function isOurList({ name, plugins }: Conflist): boolean {
  return name === NETWORK && plugins.some(({ type }) => type === PLUGIN);
}

/**
 * Makes the list.
 *
 * Of an earlier list of ours everything is kept but its version and what we
 * say of ourselves: other plugins in their order, other keys, and keys that a
 * user gave our plugin, such as `mtu`. Where a user chained `bandwidth`, that
 * plugin shapes, and ours doesn't ask for the same.
 *
 * @param wish What it shall say.
 * @param earlier A list of ours.
 * @returns The document.
 */
export function makeConflist(wish: ConflistWish, earlier?: Conflist): Tree {
  if (earlier === undefined) {
    return {
      cniVersion: wish.cniVersion,
      name: NETWORK,
      plugins: [ourPlugin(wish, {}), ...(wish.hasPortmap ? [PORTMAP] : [])],
    };
  }
  const first = earlier.plugins.findIndex(({ type }) => type === PLUGIN);
  const isShaped = earlier.plugins.some(({ type }) => type === "bandwidth");
  const plugins = earlier.plugins.flatMap((plugin, at) => {
    if (plugin["type"] !== PLUGIN) return [plugin];
    return at === first ? [ourPlugin(wish, plugin, { isShaped })] : [];
  });
  return { ...earlier.tree, cniVersion: wish.cniVersion, plugins };
}

/**
 * Names the plugins of any network configuration, of a list or alone.
 *
 * @param text What is in its file.
 * @returns The types; none when it can't be read: that isn't ours to judge.
 */
export function pluginTypes(text: string): readonly string[] {
  if (findMistake(text) !== undefined) return [];
  const tree: unknown = JSON.parse(text);
  if (!isTree(tree)) return [];
  const { plugins } = tree;
  return (Array.isArray(plugins) ? plugins : [tree])
    .map((plugin) => isTree(plugin) ? plugin["type"] : undefined)
    .filter(isText);
}

/**
 * Tells whether two documents say the same, in whatever order and layout.
 *
 * @param one A document.
 * @param other A document.
 * @returns True when they do.
 */
export function saysTheSame(one: Tree, other: Tree): boolean {
  return JSON.stringify(one, sorted) === JSON.stringify(other, sorted);
}

function sorted(_: string, value: unknown): unknown {
  if (!isTree(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, value[name]]));
}

/** `hostPort` of pods; the runtime gives it the ports by this capability. */
const PORTMAP: Tree = { type: "portmap", capabilities: { portMappings: true } };

/** Ports are portmap's to open; we lead their answers back. */
const ASKED: Tree = { bandwidth: true, portMappings: true };

function ourPlugin(
  { socket, tombstoneDir }: ConflistWish,
  earlier: Tree,
  { isShaped } = { isShaped: false },
): Tree {
  const { capabilities, daemon_socket: _, tombstone_dir: __, ...kept } =
    earlier;
  const wanted = { ...ASKED, ...(isTree(capabilities) && capabilities) };
  const { bandwidth: ___, ...unshaped }: Tree = wanted;
  return {
    ...kept,
    type: PLUGIN,
    capabilities: isShaped ? unshaped : wanted,
    // Only the relay in TypeScript reads these: the launcher has them stamped.
    ...(socket === DEFAULT_SOCKET ? {} : { daemon_socket: socket }),
    ...(tombstoneDir === DEFAULT_TOMBSTONES
      ? {}
      : { tombstone_dir: tombstoneDir }),
  };
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function say(value: unknown): string {
  return value === undefined ? "absent" : JSON.stringify(value).slice(0, 60);
}
