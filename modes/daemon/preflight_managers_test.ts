import { assertEquals, assertStringIncludes } from "@std/assert";
import { NETWORK_FILE, ofManagers, RULES_FILE } from "./preflight_managers.ts";
import type { FileMend } from "./preflight_mend.ts";
import type { ManagersSeen } from "./preflight_seen.ts";

const MACS = ["00:16:3e:00:00:02", "00:16:3e:00:00:01"];

const BOTH: ManagersSeen = {
  running: ["NetworkManager", "systemd-networkd"],
  files: new Map(),
  eniMacs: MACS,
};

function mendsOf(seen: Partial<ManagersSeen>): readonly FileMend[] {
  return ofManagers({ ...BOTH, ...seen }).map(({ mend }) => mend as FileMend);
}

function pathsOf(seen: Partial<ManagersSeen>): readonly string[] {
  return mendsOf(seen).map(({ path }) => path);
}

Deno.test("ofManagers() wants ENIs named by MAC for udev, and networkd told of the mark", () => {
  const [rules, network] = mendsOf({});
  assertEquals(rules?.text.split("\n"), [
    "# Made by terway, as fix_host says.",
    ...MACS.toSorted().map((mac) =>
      `SUBSYSTEM=="net", ACTION!="remove", ATTR{address}=="${mac}", ` +
      'ENV{TERWAY_ENI}="1", ENV{NM_UNMANAGED}="1"'
    ),
    "",
  ]);
  assertEquals(network?.path, NETWORK_FILE);
  assertStringIncludes(
    network?.text ?? "",
    "[Match]\nProperty=TERWAY_ENI=1\n[Link]\nUnmanaged=yes\n",
  );
  assertEquals(pathsOf({ running: ["NetworkManager"] }), [RULES_FILE]);
});

Deno.test("ofManagers() wants nothing where nobody sets cards up, or no ENI has come", () => {
  assertEquals(pathsOf({ running: [] }), []);
  assertEquals(pathsOf({ eniMacs: [] }), []);
});

Deno.test("ofManagers() is content with its own files while they name all ENIs, and with the image's", () => {
  const files = new Map(mendsOf({}).map(({ path, text }) => [path, text]));
  assertEquals(pathsOf({ files }), []);
  assertEquals(pathsOf({ files, eniMacs: [...MACS, "00:16:3e:00:00:03"] }), [
    RULES_FILE,
  ]);
  const byImage = (path: string): [string, string] => [
    path.replace("/run/", "/etc/"),
    "anything",
  ];
  assertEquals(pathsOf({ files: new Map([byImage(RULES_FILE)]) }), [
    NETWORK_FILE,
  ]);
  const all = [RULES_FILE, NETWORK_FILE].map(byImage);
  assertEquals(pathsOf({ files: new Map(all) }), []);
});
