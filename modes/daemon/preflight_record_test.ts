import { assertEquals, assertRejects } from "@std/assert";
import {
  type HostChange,
  readRecord,
  type RecordPlace,
  writeRecord,
} from "./preflight_record.ts";

const CHANGES: readonly HostChange[] = [
  {
    mend: {
      kind: "setting",
      key: "net/ipv4/ip_forward",
      was: "0",
      value: "1",
    },
    sides: { "net/ipv4/conf/eth0/forwarding": "0" },
    atMs: 1,
  },
  {
    mend: {
      kind: "chain",
      chain: {
        family: "ip",
        table: "filter",
        name: "FORWARD",
        type: "filter",
        prio: -1,
        policy: "drop",
      },
      tool: "iptables",
    },
    sides: {},
    atMs: 2,
  },
  {
    mend: { kind: "legacy", program: "iptables-legacy" },
    sides: {},
    atMs: 3,
  },
];

/** A file in a folder of its own. */
async function withPlace(
  work: (place: RecordPlace, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work({ path: `${folder}/host.json`, boot: "b1" }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a record is read as it was written, and goes with its last change", () =>
  withPlace(async (place, folder) => {
    assertEquals(await readRecord(place), []);
    await writeRecord(place, CHANGES);
    assertEquals(await readRecord(place), CHANGES);
    await writeRecord(place, CHANGES.slice(1));
    assertEquals(await readRecord(place), CHANGES.slice(1));
    await writeRecord(place, []);
    await writeRecord(place, []);
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

Deno.test("a record of before a reboot is of no use: the host has forgotten", () =>
  withPlace(async (place) => {
    await writeRecord(place, CHANGES);
    assertEquals(await readRecord({ ...place, boot: "b2" }), []);
  }));

Deno.test("what a killed process left half written is passed over", () =>
  withPlace(async (place) => {
    await writeRecord(place, CHANGES);
    await Deno.writeTextFile(`${place.path}.new`, '{"schema":1,"chan');
    assertEquals(await readRecord(place), CHANGES);
    await writeRecord(place, CHANGES.slice(0, 1));
    assertEquals(await readRecord(place), CHANGES.slice(0, 1));
  }));

Deno.test("a file that is no record is named, with what to do", () =>
  withPlace(async (place) => {
    for (const text of ["{", "{}", '{"schema":2,"changes":[]}']) {
      await Deno.writeTextFile(place.path, text);
      await assertRejects(
        () => readRecord(place),
        Error,
        `as ${place.path} isn't`,
      );
    }
  }));
