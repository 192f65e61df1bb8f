/**
 * What the daemon takes of memory: idle, and with 100 pods.
 *
 * @module
 */
import type { Part, PartOptions } from "./part.ts";
import { Rig, RIG_NEEDS } from "./rig.ts";

const POD_COUNT = 100;

/** The daemon's resident memory. */
export const memory: Part = {
  name: "memoryMb",
  title: "the daemon's resident memory",
  needs: RIG_NEEDS,
  measure,
};

async function measure(
  { say }: PartOptions,
): Promise<Record<string, unknown>> {
  await using rig = await Rig.open();
  const idle = await rig.memoryMb();
  await using launcher = rig.launcher();
  using sandboxes = rig.sandboxes("memory", POD_COUNT);
  await launcher.call("ADD", sandboxes);
  const pods100 = await rig.memoryMb();
  await launcher.call("DEL", sandboxes);
  say(`idle ${idle} MiB, with ${POD_COUNT} pods ${pods100} MiB`);
  return { memoryMb: { idle, pods100 } };
}
