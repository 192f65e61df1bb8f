/**
 * Debian packages that a script needs: finds out what is missing, asks, and
 * installs it. Where it can't, it says in one line what to install.
 *
 * @module
 */

/** A package, and how to tell that what it brings is there. */
export interface Package {
  /** Its name in Debian. */
  readonly name: string;
  /** What it is for, in a few words. */
  readonly why: string;
  /** A program, or a shared library such as `libnl-3.so.200`. */
  readonly probe: string;
}

/** What real links, routes and packets need. */
export const NETWORK_PACKAGES: readonly Package[] = [
  { name: "libnl-3-200", why: "netlink", probe: "libnl-3.so.200" },
  {
    name: "libnl-route-3-200",
    why: "links and routes",
    probe: "libnl-route-3.so.200",
  },
  { name: "iproute2", why: "namespaces of the tests", probe: "ip" },
  { name: "nftables", why: "the fabric's source check", probe: "nft" },
  { name: "iputils-ping", why: "packets between pods", probe: "ping" },
];

/** What builds the launcher; gcc comes with it. */
export const LAUNCHER_PACKAGES: readonly Package[] = [
  { name: "musl-tools", why: "building the launcher", probe: "musl-gcc" },
];

/** What only tests use; without one of them, those tests are skipped aloud. */
export const TEST_PACKAGES: readonly Package[] = [
  { name: "strace", why: "kills at system calls", probe: "strace" },
  {
    name: "containernetworking-plugins",
    why: "plugins chained after ours",
    probe: "portmap",
  },
  { name: "iptables", why: "what portmap calls", probe: "iptables" },
  { name: "conntrack", why: "flows to forget", probe: "conntrack" },
  { name: "iperf3", why: "bandwidth", probe: "iperf3" },
  {
    name: "user-mode-linux",
    why: "nodes with kernels of their own",
    probe: "linux.uml",
  },
  { name: "kmod", why: "those kernels' modules", probe: "modprobe" },
  { name: "e2fsprogs", why: "those nodes' disks", probe: "mkfs.ext4" },
];

/** How to go about it. */
export interface EnsureOptions {
  /** Whether to install without asking, on a terminal too. */
  readonly yes: boolean;
  /** Where lines go. */
  readonly say: (line: string) => void;
}

/** Programs of root aren't in everybody's PATH. */
const PROGRAM_FOLDERS = [
  ...["/usr/sbin", "/sbin", "/usr/bin", "/bin"],
  // Where Debian has CNI plugins.
  "/usr/lib/cni",
];

const LIBRARY_FOLDERS = [
  `/usr/lib/${Deno.build.arch}-linux-gnu`,
  `/lib/${Deno.build.arch}-linux-gnu`,
  "/usr/lib64",
  "/usr/lib",
];

/**
 * Installs the packages that are missing.
 *
 * Effects: apt-get, as root, after a question on a terminal.
 *
 * @param wanted The packages.
 * @param options See {@linkcode EnsureOptions}.
 * @returns The packages that are missing still, after saying so in one line.
 */
export async function ensurePackages(
  wanted: readonly Package[],
  { yes, say }: EnsureOptions,
): Promise<readonly Package[]> {
  const missing = await findMissing(wanted);
  if (missing.length === 0) return [];
  const list = missing.map(({ name, why }) => `${name} (${why})`).join(", ");
  if (await allowed({ list, yes })) {
    say(`installing ${list}`);
    await install(missing.map(({ name }) => name), say);
  }
  const left = await findMissing(missing);
  if (left.length > 0) {
    const names = left.map(({ name }) => name).join(" ");
    say(`missing: apt-get install ${names}`);
  }
  return left;
}

/**
 * Finds the packages whose probe isn't there.
 *
 * @param wanted The packages.
 * @returns Those that are missing.
 */
export async function findMissing(
  wanted: readonly Package[],
): Promise<readonly Package[]> {
  const found = await Promise.all(wanted.map(({ probe }) => isThere(probe)));
  return wanted.filter((_, at) => found[at] === false);
}

async function isThere(probe: string): Promise<boolean> {
  const folders = probe.includes(".so")
    ? LIBRARY_FOLDERS
    : [...(Deno.env.get("PATH") ?? "").split(":"), ...PROGRAM_FOLDERS];
  for (const folder of folders) {
    try {
      await Deno.stat(`${folder}/${probe}`);
      return true;
    } catch {
      // Somewhere else, perhaps.
    }
  }
  return false;
}

async function allowed(
  { list, yes }: { readonly list: string; readonly yes: boolean },
): Promise<boolean> {
  if (Deno.uid() !== 0 || !await isThere("apt-get")) return false;
  if (yes || !Deno.stdin.isTerminal()) return true;
  return confirm(`Install ${list} with apt-get?`);
}

/** A machine that never ran `apt-get update` knows no packages. */
async function install(
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const args = ["install", "--yes", "--no-install-recommends", ...names];
  if ((await aptGet(args)).success) return;
  say("reading the lists of packages first: apt-get update");
  const update = await aptGet(["update"]);
  const last = update.success ? await aptGet(args) : update;
  if (last.success) return;
  await Deno.stderr.write(last.stdout);
  await Deno.stderr.write(last.stderr);
}

/** Its lines are for when it fails: standard output may be a document. */
async function aptGet(args: readonly string[]): Promise<Deno.CommandOutput> {
  return await new Deno.Command("apt-get", {
    // Another apt-get may be running: it is waited for.
    args: ["--quiet", "-o", "DPkg::Lock::Timeout=180", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
}
