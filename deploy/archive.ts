/**
 * An image of one layer as an archive that `ctr images import`, `docker load`
 * and `podman load` take, made from a folder by `tar` alone.
 *
 * The same folder gives the same bytes: no time and no owner is in it.
 *
 * @module
 */
import { join } from "node:path";

/** An image to be made. */
export interface ImageWish {
  /** The folder that becomes the image's root. */
  readonly root: string;
  /** Its names, with tags. */
  readonly tags: readonly string[];
  /** What is run, and how. Source: the OCI image specification, "config". */
  readonly config: Readonly<Record<string, unknown>>;
  /** The archive's path. */
  readonly output: string;
}

/** Go's name of an architecture, as images have it. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["aarch64", "arm64"],
]);

/**
 * Makes an image.
 *
 * Effects: runs `tar`; the archive appears whole or not at all.
 *
 * @param wish See {@linkcode ImageWish}.
 * @returns The digest of the image's configuration, which is its id.
 * @throws {Error} When `tar` fails.
 */
export async function makeImage(wish: ImageWish): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "terway-image-" });
  try {
    const layer = join(folder, "layer.tar");
    await tar(["-C", wish.root, ...REPRODUCIBLE, "-cf", layer, "."]);
    const config = JSON.stringify({
      architecture: ARCHITECTURES.get(Deno.build.arch) ?? Deno.build.arch,
      os: "linux",
      config: wish.config,
      rootfs: { type: "layers", diff_ids: [`sha256:${await hash(layer)}`] },
      history: [{ created_by: "terway" }],
    });
    await Deno.writeTextFile(join(folder, "config.json"), config);
    const manifest = [{
      Config: "config.json",
      RepoTags: wish.tags,
      Layers: ["layer.tar"],
    }];
    await Deno.writeTextFile(
      join(folder, "manifest.json"),
      JSON.stringify(manifest),
    );
    const draft = `${wish.output}.${crypto.randomUUID()}`;
    const files = ["manifest.json", "config.json", "layer.tar"];
    await tar(["-C", folder, ...REPRODUCIBLE, "-cf", draft, ...files]);
    await Deno.rename(draft, wish.output);
    return `sha256:${await hash(join(folder, "config.json"))}`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const REPRODUCIBLE = [
  ...["--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
  "--mtime=@0",
];

async function tar(args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("tar", {
    args: [...args],
  }).output();
  if (success) return;
  throw new Error(`tar failed: ${new TextDecoder().decode(stderr).trim()}`);
}

async function hash(path: string): Promise<string> {
  const { stdout } = await new Deno.Command("sha256sum", { args: [path] })
    .output();
  return new TextDecoder().decode(stdout).slice(0, 64);
}
