import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { NetlinkError } from "./errno.ts";
import { Lab } from "./lab.ts";
import { listLinks } from "./link.ts";
import {
  createNamespace,
  NamespaceError,
  type NamespaceProblem,
  openNamespace,
  removeNamespace,
  within,
} from "./namespace.ts";
import { RouteSocket } from "./socket.ts";

/** Which namespace this thread is in. */
function here(): string {
  return Deno.readLinkSync("/proc/thread-self/ns/net");
}

function threads(): string[] {
  return [...Deno.readDirSync("/proc/self/task")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/task/${name}/ns/net`);
    } catch {
      return "";
    }
  });
}

Deno.test("openNamespace() says what is wrong with a path", () => {
  const check = (path: string, problem: NamespaceProblem): void => {
    const error = assertThrows(() => openNamespace(path), NamespaceError, path);
    assertEquals(error.problem, problem);
  };
  check("/run/netns/terway-never-made", "missing");
  check("/proc/self/status/net", "missing");
  check("/proc/self/status", "notNamespace");
  check("/proc/self/ns/mnt", "notNamespace");
  check("/dev", "notNamespace");
  check("/proc/self/ns/net", "own");
});

Deno.test("openNamespace() takes an empty file for no namespace, as where a mount isn't seen", () => {
  const path = Deno.makeTempFileSync();
  try {
    const error = assertThrows(() => openNamespace(path), NamespaceError);
    assertEquals(error.problem, "notNamespace");
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("within() enters, gives the result, and comes home", () => {
  using lab = new Lab();
  const { namespace } = lab.node;
  const home = here();
  const inside = within<string>(namespace, here);
  assertEquals(inside, `net:[${namespace.inode}]`);
  assertEquals(here(), home);
});

Deno.test("within() comes home when the work throws", () => {
  using lab = new Lab();
  const home = here();
  assertThrows(
    () =>
      within<void>(lab.node.namespace, () => {
        throw new RangeError("as planned");
      }),
    RangeError,
    "as planned",
  );
  assertEquals(here(), home);
});

Deno.test("within() leaves no thread in the namespace", async () => {
  using lab = new Lab();
  const { namespace } = lab.node;
  using socket = within<RouteSocket>(
    namespace,
    () => RouteSocket.open(namespace),
  );
  await Deno.readTextFile("/proc/self/status");
  assertEquals(listLinks(socket).map(({ name }) => name), ["lo", "eth1"]);
  assert(!threads().includes(`net:[${namespace.inode}]`));
});

Deno.test("within() doesn't compile with work that ends later", () => {
  using lab = new Lab();
  const work = (): void => {
    // @ts-expect-error a promise would be settled in some other namespace
    within<Promise<void>>(lab.node.namespace, () => Promise.resolve());
  };
  assertEquals(typeof work, "function");
});

Deno.test("within() ends the process when it can't come home", async () => {
  using lab = new Lab();
  // The way home is closed behind its back: descriptor by descriptor.
  const module = new URL("./namespace.ts", import.meta.url);
  const script = `
    import { openNamespace, within } from "${module}";
    import { libc } from "${new URL("./ffi.ts", import.meta.url)}";
    const namespace = openNamespace("${lab.node.path}");
    within(namespace, () => {
      for (let fd = 3; fd < 64; fd++) {
        if (fd !== namespace.fd) libc().close(fd);
      }
    });
    console.log("still alive");`;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    cwd: import.meta.dirname ?? ".",
  }).output();
  const text = new TextDecoder();
  assertEquals([output.code, text.decode(output.stdout)], [71, ""]);
  assertMatch(text.decode(output.stderr), /Cannot leave/);
});

Deno.test("createNamespace() makes the parent folder and refuses a path that is taken", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/deep/web`;
  const home = here();
  try {
    createNamespace(path);
    assertEquals(here(), home);
    assertNotEquals(`net:[${inodeOf(path)}]`, home);
    const error = assertThrows(() => createNamespace(path), NetlinkError);
    assertEquals(error.errno, "EEXIST");
  } finally {
    removeNamespace(path);
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("removeNamespace() succeeds when it is gone already", () => {
  const path = `${Deno.makeTempDirSync()}/web`;
  createNamespace(path);
  removeNamespace(path);
  removeNamespace(path);
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
});

function inodeOf(path: string): bigint {
  using namespace = openNamespace(path);
  return namespace.inode;
}
