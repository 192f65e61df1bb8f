/**
 * Other programs that set cards up: NetworkManager and systemd-networkd ask
 * DHCP for every card that comes. What keeps them off the ENIs of pods are two
 * files, which name the ENIs by MAC, so that a card of the host's own is left
 * to them.
 *
 * The files are in /run and go with the next boot. At a boot those programs
 * come before the daemon, so for good the files are the image's to bring: see
 * the README. cloud-init can't be kept off from here at all.
 *
 * Pure, as all judging of preflight.
 *
 * @module
 */
import type { Mac } from "../../netns/attachment.ts";
import type { Finding } from "./preflight.ts";
import { commandsOf, type FileMend, FIRST_LINE } from "./preflight_mend.ts";
import type { Manager, ManagersSeen } from "./preflight_seen.ts";

/** Marks our ENIs for both programs. Source: udev(7), NetworkManager(8). */
export const RULES_FILE = "/run/udev/rules.d/70-terway.rules";

/** Tells networkd of the mark. Source: systemd.network(5). */
export const NETWORK_FILE = "/run/systemd/network/05-terway.network";

/** The same files, brought by the image. */
const BY_IMAGE: Readonly<Record<string, string>> = {
  [RULES_FILE]: RULES_FILE.replace("/run/", "/etc/"),
  [NETWORK_FILE]: NETWORK_FILE.replace("/run/", "/etc/"),
};

/** What is looked at. */
export const MANAGER_FILES: readonly string[] = Object.entries(BY_IMAGE).flat();

/** By program, what it makes when it starts: its folders come with a package. */
export const MANAGER_TRACES: Readonly<Record<Manager, string>> = {
  "NetworkManager": "/run/NetworkManager/devices",
  "systemd-networkd": "/run/systemd/netif/state",
};

/**
 * Judges whether other programs leave the ENIs alone.
 *
 * @example NetworkManager runs, and an ENI has come
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const findings = ofManagers({
 *   running: ["NetworkManager"],
 *   files: new Map(),
 *   eniMacs: ["00:16:3e:00:00:01"],
 * });
 * assertEquals(findings.map(({ object }) => object), [RULES_FILE]);
 * ```
 * @param seen What was seen of them.
 * @returns A finding for each file that isn't there as it should be.
 */
export function ofManagers(
  { running, files, eniMacs }: ManagersSeen,
): readonly Finding[] {
  if (running.length === 0 || eniMacs.length === 0) return [];
  const wanted: FileMend[] = [
    { kind: "file", path: RULES_FILE, text: rulesText(eniMacs) },
  ];
  if (running.includes("systemd-networkd")) {
    wanted.push({ kind: "file", path: NETWORK_FILE, text: NETWORK_TEXT });
  }
  return wanted.filter(({ path, text }) =>
    !files.has(BY_IMAGE[path] ?? "") && files.get(path) !== text
  ).map((mend) => toFinding(mend, running));
}

function toFinding(mend: FileMend, running: readonly Manager[]): Finding {
  const { path } = mend;
  const by = running.join(" and ");
  return {
    severity: "warning",
    object: path,
    problem: `${by} may take an ENI of pods for a card of the host: ${path} ` +
      "doesn't keep it off",
    meaning: "It asks DHCP for the ENI's primary address, which may be a " +
      "pod's: packets to that pod then end on the node.",
    command: commandsOf(mend).command,
    advice: `for good, also after a boot, bring ${BY_IMAGE[path]} to the ` +
      "node by its image, as the README has it",
    mend,
  };
}

function rulesText(macs: readonly Mac[]): string {
  const rules = macs.toSorted().map((mac) =>
    `SUBSYSTEM=="net", ACTION!="remove", ATTR{address}=="${mac}", ` +
    'ENV{TERWAY_ENI}="1", ENV{NM_UNMANAGED}="1"\n'
  );
  return FIRST_LINE + rules.join("");
}

const NETWORK_TEXT = `${FIRST_LINE}[Match]
Property=TERWAY_ENI=1
[Link]
Unmanaged=yes
`;
