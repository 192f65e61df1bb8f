import { assert, assertEquals } from "@std/assert";

/** Looks at the mounts in a container's namespaces, prepared by a shell. */
async function seenAfter(prepare: string): Promise<unknown> {
  const module = new URL("./preflight_observe.ts", import.meta.url);
  const script = `import { seenMounts } from "${module}";
    console.log(JSON.stringify(seenMounts()));`;
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--mount", "--pid", "--fork", "--mount-proc"],
      ...["--propagation", "private"],
      ...["sh", "-ec", `${prepare}; exec "$@"`, "-"],
      ...[Deno.execPath(), "eval", script],
    ],
    cwd: import.meta.dirname ?? ".",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert(text !== "", new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

const path = "/run/netns";

Deno.test("seenMounts() tells how a container has the folder of namespaces", async () => {
  for (const propagation of ["private", "shared"]) {
    const mounted = await seenAfter(
      `mkdir -p ${path}; mount --bind ${path} ${path}; ` +
        `mount --make-${propagation} ${path}`,
    );
    const expected = { path, mountPoint: path, propagation, isHost: false };
    assertEquals(mounted, expected);
  }
});
