/**
 * What has to be done on a node, as steps: a pure function of what is in the
 * two folders. After any part of the steps, planning anew gives the rest.
 *
 * Their order keeps a node's network up at any moment: the plugin comes before
 * a list that names it, our list before a predecessor's is moved away. So it
 * is on the way back, the other way round.
 *
 * @module
 */
import {
  isOurList,
  makeConflist,
  NETWORK,
  PLUGIN,
  pluginTypes,
  readConflist,
  saysTheSame,
} from "./conflist.ts";

/** A step. All paths are absolute, each within one of the two folders. */
export type Step =
  | { readonly kind: "folder"; readonly path: string }
  /** The plugin, once it has shown that it runs. */
  | { readonly kind: "plugin"; readonly path: string }
  /** A second copy, of what the next step replaces. */
  | { readonly kind: "keep"; readonly from: string; readonly to: string }
  | { readonly kind: "wait"; readonly socket: string }
  | { readonly kind: "write"; readonly path: string; readonly text: string }
  | { readonly kind: "move"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string };

/** What is wanted. */
export interface Wish {
  /** The folder of plugins. */
  readonly binDir: string;
  /** The folder of network configurations. */
  readonly confDir: string;
  /** Where the daemon listens. */
  readonly socket: string;
  /** Where requests wait for a daemon. */
  readonly tombstoneDir: string;
  /** The list's version. */
  readonly cniVersion: string;
  /** What shall be done; `launcher` places the plugin only. */
  readonly aim: "install" | "launcher" | "uninstall";
}

/** What is in the folders. */
export interface Seen {
  /** Those of the two folders that are there. */
  readonly folders: readonly string[];
  /** The names in the folder of plugins. */
  readonly programs: readonly string[];
  /** What is at our plugin's place. */
  readonly plugin: "absent" | "wanted" | "ours" | "foreign";
  /**
   * The files in the folder of configurations by name, with their texts where
   * these matter: see {@linkcode isConfig}.
   */
  readonly configs: ReadonlyMap<string, string>;
  /** Whether the daemon has said that it serves. */
  readonly isServing: boolean;
}

/** What has to be done, and what a person should know. */
export interface Plan {
  /** In their order; none when all is as wanted. */
  readonly steps: readonly Step[];
  /** A line each. */
  readonly notes: readonly string[];
}

/** The list's file. */
export const CONFLIST = "10-terway.conflist";

/** What runtimes read. Source: libcni's ConfFiles, as containerd calls it. */
const READ_BY_RUNTIMES = /\.(conf|conflist|json)$/;

/** Runtimes pass over names that end so. */
const SAVED = ".terway-saved";

/** A list that a user had chained plugins into, after `--uninstall`. */
const REMOVED = ".terway-removed";

/**
 * Predecessors' files, besides all those that name our plugin. Runtimes take
 * the first by name: `10-eni.conf` sorts before ours.
 */
const PREDECESSORS = new Set(["10-eni.conf", "10-terway.conf"]);

/** A file that is being written; runtimes pass over it too. */
const DRAFT = ".terway-draft";

/**
 * The name under which a file is written before it takes its place.
 *
 * @param name The file's name.
 * @returns A name in the same folder that nobody looks for.
 */
export function draftName(name: string): string {
  return `.${name}${DRAFT}`;
}

/**
 * Tells whether a file's text matters to the plan.
 *
 * @param name The file's name.
 * @returns True for what runtimes read, and for what was set aside.
 */
export function isConfig(name: string): boolean {
  return READ_BY_RUNTIMES.test(name) || name.endsWith(SAVED);
}

/**
 * Plans.
 *
 * @param seen What is in the folders.
 * @param wish What is wanted.
 * @returns The steps, and what a person should know.
 * @throws {ConflistError} When our list can't be read: then nothing is to be
 * done before somebody has looked at it.
 */
export function plan(seen: Seen, wish: Wish): Plan {
  return wish.aim === "uninstall" ? uninstall(seen, wish) : install(seen, wish);
}

function install(seen: Seen, wish: Wish): Plan {
  const { binDir, confDir, aim } = wish;
  const list = listSteps(seen, wish);
  const folders = aim === "launcher" ? [binDir] : [binDir, confDir];
  const steps: Step[] = [
    ...folders.filter((path) => !seen.folders.includes(path))
      .map((path) => ({ kind: "folder", path } as const)),
    ...draftSteps(seen, wish),
    ...pluginSteps(seen, wish),
  ];
  if (aim === "launcher") return { steps, notes: [] };
  const aside = predecessors(seen).map((name) => ({
    kind: "move",
    from: `${confDir}/${name}`,
    to: `${confDir}/${name}${SAVED}`,
  } as const));
  const serving = [...list, ...aside];
  if (serving.length > 0 && !seen.isServing) {
    steps.push({ kind: "wait", socket: wish.socket });
  }
  return { steps: [...steps, ...serving], notes: installNotes(seen, wish) };
}

function pluginSteps({ plugin }: Seen, { binDir }: Wish): readonly Step[] {
  const path = `${binDir}/${PLUGIN}`;
  if (plugin === "wanted") return [];
  return [
    ...(plugin === "foreign"
      ? [{ kind: "keep", from: path, to: path + SAVED } as const]
      : []),
    { kind: "plugin", path },
  ];
}

function listSteps(seen: Seen, wish: Wish): readonly Step[] {
  const path = `${wish.confDir}/${CONFLIST}`;
  const text = seen.configs.get(CONFLIST);
  const found = text === undefined ? undefined : readConflist(path, text);
  const earlier = found !== undefined && isOurList(found) ? found : undefined;
  const hasPortmap = seen.programs.includes("portmap");
  const tree = makeConflist({ ...wish, hasPortmap }, earlier);
  if (earlier !== undefined && saysTheSame(tree, earlier.tree)) return [];
  return [
    ...(found !== undefined && earlier === undefined
      ? [{ kind: "keep", from: path, to: path + SAVED } as const]
      : []),
    { kind: "write", path, text: JSON.stringify(tree, null, 2) + "\n" },
  ];
}

/** What was being written when an earlier run was killed. */
function draftSteps(
  { programs, configs }: Seen,
  { binDir, confDir }: Wish,
): readonly Step[] {
  const isDraft = (name: string): boolean =>
    name.startsWith(".") && name.endsWith(DRAFT);
  return [
    ...programs.filter(isDraft).map((name) => `${binDir}/${name}`),
    ...[...configs.keys()].filter(isDraft).map((name) => `${confDir}/${name}`),
  ].map((path) => ({ kind: "remove", path }));
}

function predecessors({ configs }: Seen): readonly string[] {
  return [...configs].filter(([name, text]) =>
    name !== CONFLIST && READ_BY_RUNTIMES.test(name) &&
    (PREDECESSORS.has(name) || pluginTypes(text).includes(PLUGIN))
  ).map(([name]) => name).sort();
}

function installNotes(seen: Seen, { binDir, confDir }: Wish): string[] {
  const aside = predecessors(seen);
  const first = [...seen.configs.keys()].filter((name) =>
    READ_BY_RUNTIMES.test(name) && name < CONFLIST && !aside.includes(name)
  ).sort();
  const text = seen.configs.get(CONFLIST);
  const isFresh = text === undefined ||
    !isOurList(readConflist(`${confDir}/${CONFLIST}`, text));
  const lost = aside.filter((name) => {
    const saved = seen.configs.get(name + SAVED);
    return saved !== undefined && saved !== seen.configs.get(name);
  });
  return [
    ...lost.map((name) =>
      `${confDir}/${name} is there again and differs from the one that was ` +
      "set aside before: the newer is kept. Whoever writes it should stop"
    ),
    ...first.map((name) =>
      `${confDir}/${name} isn't of terway and sorts before ${CONFLIST}: ` +
      "runtimes use the first, so pods get that network; if that isn't meant, " +
      `mv ${confDir}/${name} ${confDir}/${name}.disabled`
    ),
    ...(isFresh && !seen.programs.includes("portmap")
      ? [
        `portmap isn't in ${binDir}, so the list is without it and hostPort ` +
        "of pods has no effect: put it there, remove the list, install again",
      ]
      : []),
  ];
}

function uninstall(seen: Seen, wish: Wish): Plan {
  const { confDir, binDir } = wish;
  const path = `${confDir}/${CONFLIST}`;
  const text = seen.configs.get(CONFLIST);
  const found = text === undefined ? undefined : readConflist(path, text);
  const isOurs = found !== undefined && isOurList(found);
  const notes: string[] = [];
  const steps: Step[] = [...draftSteps(seen, wish)];
  const back = [...seen.configs.keys()].filter((name) => name.endsWith(SAVED))
    .map((name) => name.slice(0, -SAVED.length)).sort();
  const types = found?.plugins.map(({ type }) => String(type)) ?? [];
  const isChained = isOurs &&
    types.some((type) => type !== PLUGIN && type !== "portmap");
  if (isChained) {
    const kept = `${path}${REMOVED}`;
    steps.push({ kind: "keep", from: path, to: kept });
    notes.push(`${kept} has the plugins that were chained: ${types.join()}`);
  }
  for (const name of back) {
    const to = `${confDir}/${name}`;
    const isTaken = seen.configs.has(name) && !(name === CONFLIST && isOurs);
    if (isTaken) notes.push(`${to} is there again: ${to}${SAVED} stays`);
    else steps.push({ kind: "move", from: `${to}${SAVED}`, to });
  }
  if (isOurs && !back.includes(CONFLIST)) steps.push({ kind: "remove", path });
  if (found !== undefined && !isOurs) {
    notes.push(
      `${path} isn't of ${NETWORK}'s list of networks: it stays as it is`,
    );
  }
  return {
    steps: [...steps, ...pluginBack(seen, binDir)],
    notes: [...notes, ...pluginNotes(seen, binDir)],
  };
}

function pluginBack(
  { plugin, programs }: Seen,
  binDir: string,
): readonly Step[] {
  const path = `${binDir}/${PLUGIN}`;
  const isSaved = programs.includes(`${PLUGIN}${SAVED}`);
  if (plugin === "foreign") return [];
  if (isSaved) return [{ kind: "move", from: path + SAVED, to: path }];
  return plugin === "absent" ? [] : [{ kind: "remove", path }];
}

function pluginNotes({ plugin }: Seen, binDir: string): string[] {
  if (plugin !== "foreign") return [];
  return [`${binDir}/${PLUGIN} isn't this plugin: it stays as it is`];
}
