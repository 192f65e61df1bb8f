/**
 * The control groups that a machine's processes are in: a group of its own in
 * each hierarchy, below the one that this process is in, so that a kubelet
 * sees the root of a whole machine and can do nothing outside of it.
 *
 * @module
 */

/** Where the hierarchies are mounted. */
const ROOT = "/sys/fs/cgroup";

/** What kubelets and runc ask for. The kubelet wants name=systemd, too. */
const CONTROLLERS = [
  ...["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer"],
  ...["blkio", "pids", "systemd"],
];

/** A machine's groups. */
export interface Groups {
  /** The folders; whoever writes its process id to `cgroup.procs` is in. */
  readonly folders: readonly string[];
  /** The controllers of version 1; none where there is version 2 only. */
  readonly controllers: readonly string[];
}

/**
 * Makes a machine's groups.
 *
 * @param name The groups' name.
 * @returns The groups.
 */
export function makeGroups(name: string): Groups {
  const own = readOwn();
  const controllers = CONTROLLERS.filter((one) =>
    own.has(one) && isFolder(`${ROOT}/${one}`)
  );
  if (controllers.length === 0) {
    const folder = join(ROOT, own.get("") ?? "/", name);
    Deno.mkdirSync(folder, { recursive: true });
    return { folders: [folder], controllers };
  }
  const folders = controllers.map((controller) => {
    const parent = join(`${ROOT}/${controller}`, own.get(controller) ?? "/");
    const folder = join(parent, name);
    Deno.mkdirSync(folder, { recursive: true });
    if (controller === "cpuset") {
      // A new set is empty, and nothing can enter it.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        const value = Deno.readTextFileSync(join(parent, file));
        Deno.writeTextFileSync(join(folder, file), value);
      }
    }
    return folder;
  });
  return { folders, controllers };
}

/**
 * Removes groups with all below them; their processes have ended.
 *
 * @param folders The groups' folders.
 * @returns Those that are left, as something is still in them.
 */
export async function removeGroups(
  folders: readonly string[],
): Promise<readonly string[]> {
  let left = folders;
  // The kernel empties a group a moment after its last process has ended.
  for (let turn = 0; turn < 50 && left.length > 0; turn++) {
    left = left.filter((folder) => !removeTree(folder));
    if (left.length > 0) await new Promise((done) => setTimeout(done, 100));
  }
  return left;
}

function removeTree(folder: string): boolean {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) removeTree(join(folder, name));
    }
    Deno.removeSync(folder);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** By controller, the group that this process is in. Source: cgroups(7). */
function readOwn(): ReadonlyMap<string, string> {
  const lines = Deno.readTextFileSync("/proc/self/cgroup").trim().split("\n");
  return new Map(lines.flatMap((line) => {
    const [, names = "", path = "/"] = line.split(":");
    return names.replace("name=", "").split(",")
      .map((name) => [name, path] as const);
  }));
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function join(...parts: readonly string[]): string {
  return parts.join("/").replaceAll(/\/+/g, "/").replace(/\/$/, "");
}
