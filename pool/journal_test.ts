import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DatabaseSync } from "node:sqlite";
import { PoolError } from "./error.ts";
import { type Journal, openJournal } from "./journal.ts";
import { difference, restore, snapshotOf } from "./record.ts";
import { emptyState, type PoolState } from "./state.ts";
import { writeOldJournal } from "./testing/old_journals.ts";
import { eniWith, NOW_MS, poolOf, samples } from "./testing/states.ts";

const NODE = { instanceId: "i-1" };

/** Runs a case with a folder of its own. */
function inFolder(run: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(`${folder}/journal.db`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Columns and keys of a journal; one that isn't there is begun. */
function tablesOf(path: string): unknown[] {
  try {
    openJournal(path, NODE).close();
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
  }
  using database = new DatabaseSync(path, { readOnly: true });
  return ["eni", "slot", "lease"].map((table) => [
    database.prepare(
      `SELECT name, type, "notnull", dflt_value FROM pragma_table_info('${table}') ORDER BY name`,
    ).all(),
    database.prepare(
      `SELECT "table", "from", "to" FROM pragma_foreign_key_list('${table}') ORDER BY 2`,
    ).all(),
    database.prepare(
      `SELECT "unique", origin FROM pragma_index_list('${table}') ORDER BY 1, 2`,
    ).all(),
  ]);
}

function write(journal: Journal, before: PoolState, after: PoolState): void {
  const change = difference(before, after);
  if (change !== undefined) journal.commit(change);
}

function refusal(path: string, instanceId: string = "i-1"): string {
  const error = assertThrows(
    () => openJournal(path, { instanceId }),
    PoolError,
  );
  assertEquals(error.kind, "journal");
  return error.message.replace(path, "PATH");
}

const SMALL = poolOf([
  eniWith(1, ["leased", "idle", "cooling", "unassigning", "quarantined"]),
  eniWith(2, [], { phase: "creating" }),
]);

Deno.test("what was committed is there after opening again", () =>
  inFolder((path) => {
    using first = openJournal(path, NODE);
    write(first, emptyState(), SMALL);
    first.close();
    using again = openJournal(path, NODE);
    assertEquals(again.load(), snapshotOf(SMALL));
  }));

Deno.test("a journal may be read by its owner only", () =>
  inFolder((path) => {
    using _journal = openJournal(path, NODE);
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("a second daemon is refused while the first one runs, and not after", () =>
  inFolder((path) => {
    const first = openJournal(path, NODE);
    assertEquals(
      refusal(path),
      `Cannot open the journal PATH as process ${Deno.pid} has it: two daemons can't share a node; stop that one first`,
    );
    first.close();
    openJournal(path, NODE).close();
  }));

Deno.test("people may read it while the daemon runs", () =>
  inFolder((path) => {
    using journal = openJournal(path, NODE);
    write(journal, emptyState(), SMALL);
    using reader = new DatabaseSync(path, { readOnly: true });
    assertEquals(reader.prepare("SELECT ip FROM lease").all().length, 1);
  }));

Deno.test("what isn't a journal of this node and version is refused with the cause", () =>
  inFolder((path) => {
    Deno.writeTextFileSync(path, "eni-1 10.0.0.1\n".repeat(100));
    assertEquals(
      refusal(path),
      "Cannot open the journal PATH as it is no SQLite database: move it away, with its -wal and -shm, and the next daemon rebuilds it from cloud, kernel and pods",
    );
    Deno.removeSync(path);
    const other = new DatabaseSync(path);
    other.exec("CREATE TABLE notes (text)");
    other.close();
    assertEquals(
      refusal(path),
      "Cannot open the journal PATH as it is a database of another program",
    );
    Deno.removeSync(path);
    openJournal(path, NODE).close();
    assertEquals(
      refusal(path, "i-2"),
      "Cannot open the journal PATH as it is of instance i-1 and this is i-2: move it away if the disk was copied from there",
    );
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 9");
    newer.close();
    assert(refusal(path).includes("its schema is version 9"));
  }));

for (const version of [1, 2] as const) {
  Deno.test(`a journal of version ${version} is taken up, its tables like new ones`, () =>
    inFolder((path) => {
      writeOldJournal(path, version);
      using journal = openJournal(path, NODE);
      const { enis, slots, leases } = journal.load();
      assertEquals(enis.map(({ assign, isAdopted }) => [assign, isAdopted]), [
        [{ token: "token-1", count: 3, family: 4 }, false],
      ]);
      assertEquals(slots.map(({ ip }) => ip), ["10.0.0.1", "10.0.0.2"]);
      assertEquals(leases.map(({ ip, ip6 }) => [ip, ip6]), [
        ["10.0.0.1", undefined],
      ]);
      assertEquals(tablesOf(path), tablesOf(`${path}-new`));
    }));
}

Deno.test("a journal in a folder that isn't there is refused", () =>
  inFolder((path) => {
    const text = refusal(`${path}/no/journal.db`);
    assert(text.includes("its lock can't be made"), text);
  }));

Deno.test("a damaged journal is refused", () =>
  inFolder((path) => {
    const journal = openJournal(path, NODE);
    write(journal, emptyState(), SMALL);
    journal.close();
    using file = Deno.openSync(path, { write: true });
    file.seekSync(4096, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(16_384).fill(0x5a));
    const text = refusal(path);
    assert(text.startsWith("Cannot open the journal PATH as it is damaged"));
    assert(text.includes("move it away"), text);
    Deno.removeSync(`${path}.lock`);
  }));

Deno.test({
  name: "a full disk refuses a write whole, and what was there can be read",
  // Only root may mount a small disk.
  ignore: Deno.uid() !== 0,
  fn: () =>
    inFolder((path) => {
      const folder = path.slice(0, path.lastIndexOf("/"));
      mount("mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder);
      try {
        using journal = openJournal(path, NODE);
        let before = emptyState();
        const error = assertThrows(() => {
          for (let count = 1;; count++) {
            const enis = Array.from(
              { length: count },
              (_, i) => eniWith(i, Array<"idle">(20).fill("idle")),
            );
            write(journal, before, poolOf(enis));
            before = poolOf(enis);
          }
        }, PoolError);
        assert(error.message.includes("the disk is full"), error.message);
        assertEquals(sorted(journal), sortedOf(before));
      } finally {
        mount("umount", folder);
      }
    }),
});

function mount(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

Deno.test("a refused write changes nothing, and the next one works", () => {
  using journal = openJournal(":memory:", NODE);
  write(journal, emptyState(), SMALL);
  const [lease] = SMALL.leases.values();
  assert(lease !== undefined);
  const twice = { ...lease, ownerKey: "another" };
  const gone = { enis: ["key-2"], slots: [], leases: [] };
  const error = assertThrows(
    () =>
      journal.commit({ gone, put: { enis: [], slots: [], leases: [twice] } }),
    PoolError,
  );
  assertEquals(error.kind, "journal");
  assertEquals(journal.load(), snapshotOf(SMALL));
  write(journal, SMALL, emptyState());
  assertEquals(journal.load(), { enis: [], slots: [], leases: [] });
});

Deno.test("a card can't be forgotten while an address of it is leased", () => {
  using journal = openJournal(":memory:", NODE);
  write(journal, emptyState(), SMALL);
  const gone = { enis: ["key-1"], slots: [], leases: [] };
  const put = { enis: [], slots: [], leases: [] };
  assertThrows(() => journal.commit({ gone, put }), PoolError);
  assertEquals(journal.load(), snapshotOf(SMALL));
});

Deno.test("the journal tells any pool, whatever it told before", () => {
  fc.assert(
    fc.property(samples(), samples(), (one, two) => {
      using journal = openJournal(":memory:", NODE);
      write(journal, emptyState(), one.state);
      assertEquals(sorted(journal), sortedOf(one.state));
      write(journal, one.state, two.state);
      assertEquals(sorted(journal), sortedOf(two.state));
      assertEquals(difference(two.state, two.state), undefined);
    }),
    { numRuns: 200 },
  );
});

Deno.test("a restored pool leases what it leased, and intends what it intended", () => {
  fc.assert(
    fc.property(samples(), ({ state }) => {
      const again = restore(snapshotOf(state), NOW_MS + 5_000);
      assertEquals(again.leases, state.leases);
      assertEquals([...again.enis.keys()], [...state.enis.keys()]);
      for (const [key, eni] of state.enis) {
        const back = again.enis.get(key);
        assertEquals(back?.assign?.token, eni.assign?.token);
        assertEquals(back?.card, eni.card);
        assertEquals([...back?.slots.keys() ?? []], [...eni.slots.keys()]);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("an address cools on after a restart, and never longer than it must", () => {
  const cooling = poolOf([eniWith(1, ["cooling"])]);
  const untilMs = (nowMs: number) => {
    const slot = [...restore(snapshotOf(cooling), nowMs).enis.values()]
      .flatMap((eni) => [...eni.slots.values()])[0];
    return slot?.kind === "cooling" ? slot.untilMs : undefined;
  };
  assertEquals(untilMs(NOW_MS + 1_000), NOW_MS + 10_000);
  const setBackMs = NOW_MS - 3_600_000;
  assertEquals(untilMs(setBackMs), setBackMs + 30_000);
});

Deno.test("records that contradict each other are not believed", () => {
  const { enis, slots, leases } = snapshotOf(SMALL);
  const error = assertThrows(
    () => restore({ enis, slots: slots.slice(1), leases }, NOW_MS),
    PoolError,
  );
  assertEquals(error.kind, "journal");
  assertThrows(() => restore({ enis, slots, leases: [] }, NOW_MS), PoolError);
});

function sorted(journal: Journal): unknown {
  return inOrder(journal.load());
}

function sortedOf(state: PoolState): unknown {
  return inOrder(snapshotOf(state));
}

function inOrder({ enis, slots, leases }: ReturnType<typeof snapshotOf>) {
  const by = <T>(key: (one: T) => string) => (a: T, b: T) =>
    key(a) < key(b) ? -1 : 1;
  return {
    enis: enis.toSorted(by(({ key }) => key)),
    slots: slots.toSorted(by(({ eniKey, ip }) => `${eniKey} ${ip}`)),
    leases: leases.toSorted(by(({ ownerKey }) => ownerKey)),
  };
}
