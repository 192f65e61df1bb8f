/**
 * Where `eni_conf` lies: a file, or the folder that a ConfigMap is mounted as,
 * in which each key is a file; and beside it, perhaps, a node's overlay.
 *
 * @module
 */
import {
  ConfigError,
  type ConfigSource,
  decodeConfigs,
  type DecodedConfig,
} from "./config.ts";
import { TEXT_LIMIT_BYTES } from "./eni_conf_text.ts";

/** Where to look. */
export interface ConfigPlaces {
  /** A file, or a folder with a file `eni_conf` or `eni.conf`. */
  readonly path: string;
  /** The same for a node's overlay; there needn't be any. */
  readonly overlayPath?: string;
}

/** A configuration as it was read. */
export interface LoadedConfig extends DecodedConfig {
  /** Tells its texts from others; no part of them. */
  readonly digest: string;
}

/** What is there now, good or bad. */
export interface SeenConfig {
  /** Tells what is seen from what was. */
  readonly digest: string;
  /**
   * Decodes it.
   *
   * @throws {ConfigError} With every problem; also when it can't be read.
   */
  readonly decode: () => LoadedConfig;
}

/** The names that the file has in a folder: the key's, and the manifest's. */
const NAMES = ["eni_conf", "eni.conf"] as const;

/**
 * Reads and decodes a configuration.
 *
 * @param places Where it lies.
 * @returns The configuration.
 * @throws {ConfigError} With every problem; also when a file can't be read.
 */
export async function loadConfig(places: ConfigPlaces): Promise<LoadedConfig> {
  return (await lookAtConfig(places)).decode();
}

/**
 * Reads a configuration without judging it.
 *
 * @param places Where it lies.
 * @returns What is there.
 */
export async function lookAtConfig(
  places: ConfigPlaces,
): Promise<SeenConfig> {
  const sources: ConfigSource[] = [];
  try {
    const base = await readSource(places.path);
    if (base === undefined) {
      throw unreadable(places.path, "must be there: give its path by --config");
    }
    sources.push(base);
    const overlay = places.overlayPath === undefined
      ? undefined
      : await readSource(places.overlayPath);
    if (overlay !== undefined) sources.push(overlay);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      digest: `unreadable: ${error.message}`,
      decode: () => {
        throw error;
      },
    };
  }
  const digest = await digestOf(sources);
  return { digest, decode: () => ({ ...decodeConfigs(sources), digest }) };
}

async function readSource(path: string): Promise<ConfigSource | undefined> {
  try {
    const name = await findFile(path);
    return name === undefined ? undefined : { name, text: await read(name) };
  } catch (error) {
    // A file may go between two looks; the next one will tell.
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof ConfigError || !(error instanceof Error)) throw error;
    throw unreadable(path, `must be readable: ${error.name}`);
  }
}

async function findFile(path: string): Promise<string | undefined> {
  const { isDirectory } = await Deno.stat(path);
  if (!isDirectory) return path;
  for (const name of NAMES) {
    const file = `${path.replace(/\/+$/, "")}/${name}`;
    try {
      await Deno.stat(file);
      return file;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

async function read(file: string): Promise<string> {
  const { isFile, size } = await Deno.stat(file);
  if (!isFile) throw unreadable(file, "must be a file");
  if (size > TEXT_LIMIT_BYTES) {
    throw unreadable(file, `must have at most ${TEXT_LIMIT_BYTES} bytes`);
  }
  return await Deno.readTextFile(file);
}

async function digestOf(sources: readonly ConfigSource[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(sources));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex();
}

function unreadable(path: string, rule: string): ConfigError {
  return new ConfigError(path, [{ path: "", rule, value: "" }]);
}
