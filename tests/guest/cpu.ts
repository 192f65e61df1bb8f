/**
 * What a group of processes has taken of this machine's processors.
 *
 * @module
 */

/** Source: proc(5) and sysconf(3), 100 ticks a second. */
const MS_PER_TICK = 10;

/**
 * Reads it.
 *
 * @param group The group's leader; none for a group that isn't there.
 * @returns Milliseconds since the processes began, system time included.
 */
export function cpuMsOfGroup(group: number | undefined): number {
  let ticks = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(name);
    // Fields of proc(5) from the third on: the group, user and system time.
    if (Number(fields[2]) !== group) continue;
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * MS_PER_TICK;
}

/** What a process tells; nothing for one that has just ended. */
function statOf(pid: string): readonly string[] {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
