/**
 * The images of a cluster, made here of programs that are there anyway: no
 * registry is asked for anything.
 *
 * Each has the name that its users ask for, the conformance tests among them.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { makeImage } from "../../deploy/archive.ts";
import { exists } from "../../deploy/exists.ts";
import { putWithLibraries, write } from "../../deploy/image_root.ts";
import { cacheFolder } from "../../deploy/launcher/build.ts";
import { run } from "./command.ts";
import { moduleFolder } from "./build.ts";
import { COREDNS_VERSION, KUBERNETES } from "./tools.ts";

const REGISTRY = "registry.k8s.io";

/** What holds a sandbox's namespaces. */
export const PAUSE_IMAGE: string = `${REGISTRY}/pause:3.10.1`;
/** CoreDNS. */
export const DNS_IMAGE: string =
  `${REGISTRY}/coredns/coredns:v${COREDNS_VERSION}`;
/** A shell with the usual tools, for pods of tests. */
export const BUSYBOX_IMAGE = "docker.io/library/busybox:latest";
/** Servers and clients of many protocols: what Kubernetes' own tests run. */
export const AGNHOST_IMAGE: string = `${REGISTRY}/e2e-test-images/agnhost:2.56`;

/** An image, and what it is made of. */
interface Recipe {
  readonly name: string;
  readonly tags: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  /** Files of this machine: another size or time makes another image, and so does one that is gone. */
  readonly inputs: readonly string[];
  readonly fill: (root: string) => Promise<void>;
  /** Counts changes of what `fill` calls. */
  readonly version?: number;
}

const PAUSE_SOURCE = new URL("./pause.c", import.meta.url).pathname;
const BUSYBOX = "/bin/busybox";
const PATH =
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What agnhost's users call by name. Debian's busybox prefers its own applets, so the shell is another. */
const AGNHOST_PROGRAMS = [
  ...["/bin/sh", "/bin/bash", "/usr/bin/curl", "/usr/bin/dig"],
  ...["/usr/bin/nslookup", "/bin/nc.openbsd", "/sbin/ip", "/bin/ss"],
  ...["/usr/bin/iperf", "/usr/bin/getent", "/bin/ping", "/usr/bin/timeout"],
  "/usr/sbin/conntrack",
];

/**
 * Makes the images that aren't made yet.
 *
 * Effects: writes to the cache folder ($XDG_CACHE_HOME/terway).
 *
 * @param programs By name, where each program is.
 * @param onStep Hears of each image.
 * @returns Their archives.
 */
export async function makeImages(
  programs: ReadonlyMap<string, string>,
  onStep: (line: string) => void,
): Promise<readonly string[]> {
  const archives: string[] = [];
  for (const recipe of recipes(programs)) {
    const folder = join(
      cacheFolder(),
      "cluster",
      `image-${recipe.name}-${await contentHash(recipe)}`,
    );
    const output = join(folder, `${recipe.name}.tar`);
    archives.push(output);
    if (await exists(output)) continue;
    await Deno.mkdir(folder, { recursive: true });
    const root = await Deno.makeTempDir({ prefix: "terway-root-" });
    try {
      await Deno.chmod(root, 0o755);
      await recipe.fill(root);
      await makeImage({ ...recipe, root, output });
    } finally {
      await Deno.remove(root, { recursive: true });
    }
    onStep(`made the image ${recipe.tags[0]}`);
  }
  return archives;
}

function recipes(programs: ReadonlyMap<string, string>): readonly Recipe[] {
  const program = (name: string): string => programs.get(name) ?? "";
  return [
    {
      name: "pause",
      tags: [PAUSE_IMAGE, `${REGISTRY}/pause:3.10`, `${REGISTRY}/pause:3.6`],
      config: { Entrypoint: ["/pause"], User: "65535:65535" },
      inputs: [PAUSE_SOURCE],
      fill: fillPause,
    },
    {
      name: "busybox",
      tags: [`${REGISTRY}/e2e-test-images/busybox:1.37.0-1`, BUSYBOX_IMAGE],
      config: { Cmd: ["sh"], Env: [PATH] },
      inputs: [BUSYBOX],
      fill: fillBusybox,
    },
    {
      name: "agnhost",
      tags: [AGNHOST_IMAGE, `${REGISTRY}/e2e-test-images/jessie-dnsutils:1.7`],
      config: {
        Entrypoint: ["/agnhost"],
        Cmd: ["pause"],
        WorkingDir: "/",
        Env: [PATH],
      },
      inputs: [
        ...[BUSYBOX, program("agnhost"), program("coredns")],
        ...AGNHOST_PROGRAMS,
      ],
      version: 2,
      fill: (root) =>
        fillAgnhost(root, {
          agnhost: program("agnhost"),
          coredns: program("coredns"),
        }),
    },
    {
      name: "coredns",
      tags: [DNS_IMAGE],
      config: { Entrypoint: ["/coredns"] },
      inputs: [program("coredns")],
      fill: (root) => place(program("coredns"), `${root}/coredns`),
    },
  ];
}

async function fillPause(root: string): Promise<void> {
  await run([
    "gcc",
    "-Os",
    "-static",
    "-s",
    "-o",
    `${root}/pause`,
    PAUSE_SOURCE,
  ]);
}

async function fillBusybox(root: string): Promise<void> {
  await place(BUSYBOX, `${root}/bin/busybox`);
  for (const folder of ["etc", "tmp", "var", "root", "dev", "proc", "sys"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.chmod(`${root}/tmp`, 0o1777);
  const applets = (await run([BUSYBOX, "--list"])).trim().split("\n");
  for (const applet of applets) await linkUnlessThere(root, applet);
  await write(root, "/etc/passwd", { text: PASSWD });
  await write(root, "/etc/group", { text: GROUP });
  await write(root, "/etc/nsswitch.conf", { text: "hosts: files dns\n" });
}

async function fillAgnhost(
  root: string,
  programs: { readonly agnhost: string; readonly coredns: string },
): Promise<void> {
  const found: string[] = [];
  for (const path of AGNHOST_PROGRAMS) {
    if (await exists(path)) found.push(path);
  }
  await putWithLibraries(root, found);
  if (found.includes("/bin/nc.openbsd")) {
    await Deno.symlink("nc.openbsd", `${root}/bin/nc`);
  }
  await fillBusybox(root);
  await Deno.mkdir(`${root}/uploads`);
  await place(programs.agnhost, `${root}/agnhost`);
  await Deno.symlink("agnhost", `${root}/agnhost-2`);
  await place(programs.coredns, `${root}/coredns`);
  // What its servers of TLS show; without them they don't start.
  const sources = await moduleFolder(KUBERNETES);
  for (const name of ["localhost.crt", "localhost.key"]) {
    const from = `${sources}/test/images/agnhost/porter/${name}`;
    await Deno.copyFile(from, `${root}/${name}`);
  }
}

/** Source: the users and groups that the conformance tests look for. */
const PASSWD = `root:x:0:0:root:/root:/bin/sh
user-defined-in-image:x:1000:1000::/:/bin/sh
nobody:x:65534:65534::/:/bin/false
`;
const GROUP = `root:x:0:
user-defined-in-image:x:1000:
group-defined-in-image:x:50000:user-defined-in-image
nogroup:x:65534:
`;

async function linkUnlessThere(root: string, applet: string): Promise<void> {
  for (const folder of ["bin", "sbin", "usr/bin", "usr/sbin"]) {
    if (await exists(`${root}/${folder}/${applet}`)) return;
  }
  await Deno.symlink("busybox", `${root}/bin/${applet}`);
}

async function place(from: string, to: string): Promise<void> {
  await Deno.mkdir(dirname(to), { recursive: true });
  await Deno.copyFile(from, to);
  await Deno.chmod(to, 0o755);
}

async function contentHash(recipe: Recipe): Promise<string> {
  const inputs = await Promise.all(recipe.inputs.map(async (path) => {
    const found = await exists(path) ? await Deno.stat(path) : undefined;
    return [path, found?.size, found?.mtime?.getTime()];
  }));
  const { name, tags, config, fill, version } = recipe;
  const whole = JSON.stringify([
    ...[name, tags, config, inputs, `${fill}`, version],
  ]);
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(whole),
  );
  return new Uint8Array(digest).toHex().slice(0, 16);
}
