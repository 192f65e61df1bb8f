import { assertEquals } from "@std/assert";
import { netnsMount } from "./preflight_mounts.ts";

/** A container's mounts, `/run/netns` with these optional fields. */
function containerWith(optional: string): string {
  return `880 711 0:300 / / rw,relatime master:42 - overlay overlay rw
881 880 0:301 / /proc rw - proc proc rw
900 880 0:25 /netns /run/netns rw,nosuid${optional} - tmpfs tmpfs rw,mode=755
901 900 0:4 net:[4026532177] /run/netns/cni-1 rw shared:2 - nsfs nsfs rw
`;
}

function check(
  mountinfo: string,
  expected: readonly [mountPoint: string, propagation: string] | undefined,
): void {
  const mount = netnsMount(mountinfo, { isHost: false });
  assertEquals(
    mount && [mount.mountPoint, mount.propagation],
    expected && [
      ...expected,
    ],
  );
}

Deno.test("netnsMount() tells apart what a manifest's mountPropagation makes", () => {
  check(containerWith(" master:13"), ["/run/netns", "slave"]);
  check(containerWith(" shared:9 master:13"), ["/run/netns", "slave"]);
  check(containerWith(" shared:9"), ["/run/netns", "shared"]);
  check(containerWith(""), ["/run/netns", "private"]);
  check(containerWith(" unbindable"), ["/run/netns", "private"]);
});

Deno.test("netnsMount() finds the mount around the folder, and the last one over it", () => {
  const root = "22 1 8:1 / / rw shared:1 - ext4 /dev/vda1 rw\n";
  const run = "23 22 0:25 / /run rw shared:5 - tmpfs tmpfs rw\n";
  const running = "24 22 0:26 / /running rw - tmpfs tmpfs rw\n";
  check(root, ["/", "shared"]);
  check(root + run + running, ["/run", "shared"]);
  const over = "30 22 0:30 / /run/netns rw - tmpfs tmpfs rw\n";
  const again = "31 30 0:31 / /run/netns rw shared:7 - tmpfs tmpfs rw\n";
  check(root + over + run + again, ["/run/netns", "shared"]);
  check("", undefined);
});

Deno.test("netnsMount() reads names with blanks, and another folder", () => {
  const text = "40 22 0:40 / /run/my\\040netns rw - tmpfs tmpfs rw\n";
  assertEquals(netnsMount(text, { path: "/run/my netns" }), {
    path: "/run/my netns",
    mountPoint: "/run/my netns",
    propagation: "private",
  });
});
