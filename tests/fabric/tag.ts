/**
 * Tags of members on a kernel without VLANs, by two small eBPF programs.
 *
 * ```text
 *   router ── member's port ═ its far end ── push the tag ──► trunk's port
 *                                        ◄── pop the tag ───
 * ```
 *
 * @module
 */
import { compileHere } from "./compile.ts";

/** A member's link beside its trunk's, both in one namespace. */
export interface Tagged {
  /** The path of the namespace. */
  readonly netns: string;
  /** The tag. */
  readonly vlanId: number;
  /** The trunk's port. */
  readonly trunk: { readonly name: string; readonly ifIndex: number };
  /** The far end of the member's port. */
  readonly member: { readonly name: string; readonly ifIndex: number };
}

/** Mounts stay in the shell's own namespace; filters keep their programs. */
const SCRIPT = `
set -e
mount -t bpf bpf /sys/fs/bpf
./tag_bpf push /sys/fs/bpf/push $VLAN $TRUNK_INDEX
./tag_bpf pop /sys/fs/bpf/pop $VLAN $MEMBER_INDEX
tc qdisc add dev $MEMBER clsact
tc filter add dev $MEMBER ingress bpf da object-pinned /sys/fs/bpf/push
tc qdisc add dev $TRUNK clsact 2>/dev/null || true
tc filter del dev $TRUNK ingress pref $VLAN 2>/dev/null || true
tc filter add dev $TRUNK ingress pref $VLAN bpf da object-pinned /sys/fs/bpf/pop
`;

/**
 * Has a member's frames bear its tag on its trunk's port.
 *
 * @param tagged The links.
 * @throws {Error} When there is no compiler, or the kernel refuses.
 */
export function carryTag(
  { netns, vlanId, trunk, member }: Tagged,
): void {
  const dir = Deno.makeTempDirSync({ prefix: "terway-tag-" });
  try {
    compileHere("tag_bpf", dir);
    run("nsenter", [
      ...[`--net=${netns}`, "unshare", "--mount", "sh", "-c"],
      `cd ${dir};${SCRIPT}`,
    ], {
      VLAN: String(vlanId),
      TRUNK: trunk.name,
      TRUNK_INDEX: String(trunk.ifIndex),
      MEMBER: member.name,
      MEMBER_INDEX: String(member.ifIndex),
    });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): void {
  const { success, stderr } = new Deno.Command(program, {
    args: [...args],
    env: { ...env },
  }).outputSync();
  if (success) return;
  const why = new TextDecoder().decode(stderr).trim();
  throw new Error(`Cannot carry tags: ${program}: ${why}`);
}
