/**
 * terway in a cluster, as a user installs it: the image on the nodes, a
 * manifest with the user's own eni.conf, the access key as a Secret.
 *
 * @module
 */
import { join } from "node:path";
import { cacheFolder } from "../../deploy/launcher/build.ts";
import { buildImage } from "../../deploy/image.ts";
import type { StageCloud } from "../stage/description.ts";
import { API_ENDPOINT, METADATA_ENDPOINT } from "../stage/region.ts";
import { rangesOf } from "./description.ts";
import type { Kubectl } from "./kubectl.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What the image is made of. */
const SOURCES = ["deploy", "k8s", "modes", "netns", "pool"];

/** The manifests that there are. */
export type Manifest = "terway-multiip.yml" | "terway-eni.yml" | "terway.yml";

/** By a cluster's network, the manifest that makes it. */
export const MANIFESTS: ReadonlyMap<string, Manifest> = new Map([
  ["terway", "terway-multiip.yml"],
  ["terway-eni", "terway-eni.yml"],
  ["terway-vpc", "terway.yml"],
]);

/** As many checkouts as one machine may well have. */
const KEPT_IMAGE_COUNT = 4;

/** Longer than a cluster takes from its image's making to its loading. */
const IMAGE_IN_USE_MS = 30 * 60_000;

/** What is installed. */
export interface TerwayWish {
  /** Asks the API server. */
  readonly kubectl: Kubectl;
  /** The cloud. */
  readonly cloud: StageCloud;
  /** Which manifest. */
  readonly manifest: Manifest;
  /** Keys of eni_conf that win over those that the cloud needs. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Makes the image of this source, unless it is there.
 *
 * Effects: writes `dist/` and the cache folder ($XDG_CACHE_HOME/terway).
 *
 * @param onStep Hears of it.
 * @returns The archive.
 */
export async function makeTerwayImage(
  onStep: (line: string) => void,
): Promise<string> {
  const folder = join(
    cacheFolder(),
    "cluster",
    `image-terway-${await hashSources()}`,
  );
  const output = join(folder, "terway.tar");
  const found = await Deno.stat(output).catch(() => undefined);
  if (found?.isFile === true) {
    // Its age is the time since it was last asked for.
    await Deno.utime(folder, new Date(), new Date());
    return output;
  }
  await removeUnused();
  const built = await buildImage();
  await Deno.mkdir(folder, { recursive: true });
  const draft = `${output}.${crypto.randomUUID()}`;
  await Deno.copyFile(built, draft);
  await Deno.rename(draft, output);
  onStep("made the image of terway");
  return output;
}

/**
 * Each has 100 MB, and another source makes another. Other checkouts have
 * theirs here too: one that was asked for lately may be being loaded.
 */
async function removeUnused(): Promise<void> {
  const folder = join(cacheFolder(), "cluster");
  const images: { path: string; usedMs: number }[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("image-terway-")) continue;
    const path = join(folder, name);
    const { mtime } = await Deno.stat(path);
    images.push({ path, usedMs: mtime?.getTime() ?? 0 });
  }
  images.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path, usedMs } of images.slice(KEPT_IMAGE_COUNT)) {
    if (Date.now() - usedMs < IMAGE_IN_USE_MS) continue;
    await Deno.remove(path, { recursive: true });
  }
}

async function hashSources(): Promise<string> {
  const paths = ["main.ts", "deno.json", "deno.lock"];
  const queue = [...SOURCES];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for await (const entry of Deno.readDir(ROOT + next)) {
      const path = `${next}/${entry.name}`;
      if (entry.isDirectory) queue.push(path);
      else if (/(?<!_test)\.(ts|c|h)$/.test(path)) paths.push(path);
    }
  }
  const texts = await Promise.all(
    paths.sort().map(async (path) =>
      `${path}\0${await Deno.readTextFile(ROOT + path)}\0`
    ),
  );
  const bytes = new TextEncoder().encode(Deno.version.deno + texts.join(""));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).toHex().slice(0, 16);
}

/**
 * Installs terway as README.md says; the image is on the nodes already.
 *
 * @param wish See {@linkcode TerwayWish}.
 */
export async function installTerway(wish: TerwayWish): Promise<void> {
  const { kubectl, cloud, manifest } = wish;
  await kubectl(["apply", "-f", "-"], { stdin: accessOf(cloud) });
  const text = await Deno.readTextFile(`${ROOT}deploy/${manifest}`);
  const conf = JSON.stringify(eniConf(cloud, wish.config ?? {}), null, 2);
  await kubectl(["apply", "-f", "-"], { stdin: withEniConf(text, conf) });
}

/**
 * Writes eni_conf into a manifest, as a user does with an editor.
 *
 * @param manifest The manifest's text.
 * @param conf The configuration.
 * @returns The manifest.
 */
export function withEniConf(manifest: string, conf: string): string {
  const lines = conf.split("\n").map((line) => `    ${line}\n`).join("");
  const pattern = /(^ {2}eni_conf: \|\n)(?: {4}.*\n)+/m;
  if (!pattern.test(manifest)) throw new Error("The manifest has no eni_conf");
  return manifest.replace(pattern, (_, head: string) => head + lines);
}

/**
 * Gives the eni_conf that fits a cloud.
 *
 * @param cloud The cloud.
 * @param config Keys that win.
 * @returns The configuration.
 */
export function eniConf(
  cloud: StageCloud,
  config: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const zones = Map.groupBy(cloud.vSwitches, ({ zone }) => zone);
  const isDual = cloud.vSwitches.some(({ cidr6 }) => cidr6 !== undefined);
  const { services } = rangesOf(isDual ? "ipv4,ipv6" : "ipv4");
  return {
    version: "1",
    max_pool_size: 5,
    min_pool_size: 0,
    vswitches: Object.fromEntries(
      [...zones].map(([zone, all]) => [zone, all.map(({ id }) => id)]),
    ),
    security_group: cloud.securityGroupId,
    service_cidr: services,
    ip_stack: isDual ? "dual" : "ipv4",
    ...config,
  };
}

/** The access key, and where the emulated cloud answers. */
function accessOf(cloud: StageCloud): string {
  const named = (kind: string, name: string): Record<string, unknown> => ({
    apiVersion: "v1",
    kind,
    metadata: { name, namespace: "kube-system" },
  });
  return JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        ...named("Secret", "aliyun-eni-ak"),
        stringData: new Map([
          ["ak_id", cloud.accessKeyId],
          ["ak_secret", cloud.accessKeySecret],
        ]),
      },
      {
        ...named("ConfigMap", "terway-environment"),
        data: new Map([
          ["ECS_ENDPOINT", API_ENDPOINT],
          ["VPC_ENDPOINT", API_ENDPOINT],
          ["ALICLOUD_CLIENT_SCHEME", "HTTP"],
          ["ALIBABA_CLOUD_IMDS_ENDPOINT", METADATA_ENDPOINT],
        ]),
      },
    ],
  }, (_, value) => value instanceof Map ? Object.fromEntries(value) : value);
}
