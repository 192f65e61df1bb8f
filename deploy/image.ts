/**
 * `deno task image`: makes `dist/terway-image.tar`, the image of all modes, of
 * the executable and the libraries that it opens; no Docker is needed.
 *
 * Where only an older base binary can be had, the executable can't load the
 * client of Kubernetes: the image then has this machine's Deno and the bundles
 * that the executable is made of. Both images answer to the same commands.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { makeImage } from "./archive.ts";
import { librariesOf, putWithLibraries, write } from "./image_root.ts";

const ROOT: string = new URL("../", import.meta.url).pathname;
const DIST = `${ROOT}dist`;

/** The archive. */
export const IMAGE_ARCHIVE: string = `${DIST}/terway-image.tar`;

/** The name that the manifests have. */
export const IMAGE_TAG: string = `docker.io/terway/terway:v${config.version}`;

/** What netns/ opens. */
export const LIBRARIES: readonly string[] = [
  "libnl-3.so.200",
  "libnl-route-3.so.200",
  "libnftables.so.1",
];

const LIBRARY_FOLDERS = [
  `/usr/lib/${Deno.build.arch}-linux-gnu`,
  `/lib/${Deno.build.arch}-linux-gnu`,
  ...["/usr/lib64", "/usr/lib"],
];

/** Where the image has bundles, when it has any. */
const BUNDLE_DIR = "/usr/lib/terway";

/** `deno task compile` found no base binary at all. */
const EXIT_NO_BASE = 3;

/**
 * Compiles, and makes the image.
 *
 * Effects: writes `dist/`.
 *
 * @returns The archive's path.
 * @throws {Error} When it can't be compiled, or a library isn't there.
 */
export async function buildImage(): Promise<string> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `${ROOT}deploy/compile.ts`],
    cwd: ROOT,
    stdout: "null",
  }).output();
  if (code !== 0 && code !== EXIT_NO_BASE) {
    throw new Error(new TextDecoder().decode(stderr));
  }
  const root = await Deno.makeTempDir({ prefix: "terway-root-" });
  try {
    await Deno.chmod(root, 0o755);
    await fill(root);
    await makeImage({
      root,
      tags: [IMAGE_TAG],
      output: IMAGE_ARCHIVE,
      config: {
        Entrypoint: ["/usr/bin/terway"],
        Env: [
          "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
          // Nothing of Deno's own is kept, and nobody is asked for a newer.
          ...["DENO_DIR=/tmp/deno", "DENO_NO_UPDATE_CHECK=1"],
        ],
      },
    });
    return IMAGE_ARCHIVE;
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function fill(root: string): Promise<void> {
  for (const folder of ["tmp", "run", "var/lib", "etc", "usr/bin", "bin"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.chmod(`${root}/tmp`, 0o1777);
  // containerd names pods' namespaces below /var/run.
  await Deno.symlink("../run", `${root}/var/run`);
  await write(root, "/etc/nsswitch.conf", { text: "hosts: files dns\n" });
  await write(root, "/etc/passwd", { text: "root:x:0:0:root:/:/bin/false\n" });
  const libraries = await Promise.all(LIBRARIES.map(findLibrary));
  await putWithLibraries(root, libraries);
  const base = await Deno.readTextFile(`${DIST}/base`).catch(() => "none");
  if (base === Deno.version.deno) {
    await putProgram(root, `${DIST}/terway`, "/usr/bin/terway");
  } else await putBundles(root);
}

/** Puts a program and its libraries, the program where `to` says. */
async function putProgram(
  root: string,
  path: string,
  to: string,
): Promise<void> {
  await putWithLibraries(root, await librariesOf(path));
  await Deno.copyFile(path, root + to);
  await Deno.chmod(root + to, 0o755);
}

async function putBundles(root: string): Promise<void> {
  await putProgram(root, await Deno.realPath(Deno.execPath()), "/usr/bin/deno");
  await putWithLibraries(root, ["/bin/sh"]);
  const folder = root + BUNDLE_DIR;
  await Deno.mkdir(folder, { recursive: true });
  for await (const { name } of Deno.readDir(DIST)) {
    if (!name.endsWith(".js") && name !== "terway-launcher") continue;
    await Deno.copyFile(`${DIST}/${name}`, `${folder}/${name}`);
  }
  const text = "#!/bin/sh\n" +
    `exec /usr/bin/deno run -A --quiet ${BUNDLE_DIR}/main.js "$@"\n`;
  await write(root, "/usr/bin/terway", { text, mode: 0o755 });
}

async function findLibrary(name: string): Promise<string> {
  for (const folder of LIBRARY_FOLDERS) {
    const path = `${folder}/${name}`;
    const found = await Deno.stat(path).catch(() => undefined);
    if (found?.isFile === true) return path;
  }
  throw new Error(
    `Cannot find ${name}: see \`deno task test\` for its package`,
  );
}

if (import.meta.main) {
  const path = await buildImage();
  const { size } = await Deno.stat(path);
  const line = `${path}: ${Math.round(size / 1e6)} MB, ${IMAGE_TAG}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
