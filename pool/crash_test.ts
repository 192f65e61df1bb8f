import { assert, assertEquals } from "@std/assert";
import { serveAlibaba } from "../tests/emulators/alibaba/serve.ts";
import { buildStand } from "../tests/emulators/alibaba/stand.ts";
import { type Place, poolAt } from "./testing/doomed.ts";

const DOOMED = new URL("./testing/doomed.ts", import.meta.url).href;

/** Runs a process until it has said so many lines, and kills it. */
async function runUntil(place: Place, lineCount: number): Promise<string[]> {
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", DOOMED, ...Object.values(place)],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let isKilled = false;
  const kill = () => {
    if (!isKilled) child.kill("SIGKILL");
    isKilled = true;
  };
  for await (
    const part of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    text += part;
    // What it says after this is read too: it may release before it dies.
    if (text.split("\n").length > lineCount) kill();
  }
  await child.status;
  return text.split("\n").slice(0, -1);
}

/** Leases that a process told of and didn't begin to end. */
function heldBy(lines: readonly string[]): Map<string, string> {
  const held = new Map<string, string>();
  for (
    const [word, owner = "", ip = ""] of lines.map((one) => one.split(" "))
  ) {
    if (word === "leased") held.set(owner, ip);
    else held.delete(owner);
  }
  return held;
}

Deno.test("a process killed by the kernel leaves its leases to the next one", async () => {
  const stand = buildStand({ attachMs: 20, detachMs: 20 });
  const { model, keys } = stand.cloud;
  const front = serveAlibaba(stand.cloud);
  const folder = await Deno.makeTempDir();
  const key = keys.add();
  const instance = model.instances.get(stand.instanceId);
  const place: Place = {
    path: `${folder}/journal.db`,
    endpoint: front.endpoint,
    keyId: key.id,
    keySecret: String(key.secret),
    instanceId: stand.instanceId,
    securityGroupId: stand.securityGroupId,
    vSwitchId: stand.vSwitchId,
    primaryMac: model.enis.get(instance?.primaryEniId ?? "")?.mac ?? "",
  };
  try {
    const held = heldBy(await runUntil(place, 4));
    assert(held.size >= 3, `${held.size}`);
    const { keeper, journal } = poolAt(place);
    await keeper.start(AbortSignal.timeout(10_000));
    for (const [owner, ip] of held) assertEquals(keeper.lease(owner)?.ip, ip);
    for (const { ownerKey } of keeper.leases()) await keeper.release(ownerKey);
    await keeper.drain(AbortSignal.timeout(30_000));
    assertEquals(model.enis.size, 1, "only the primary card is left");
    await keeper.stop();
    journal[Symbol.dispose]();
  } finally {
    await front.close();
    await stand.cloud.close();
    await Deno.remove(folder, { recursive: true });
  }
});
