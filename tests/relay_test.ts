/**
 * One suite for every relay: what a runtime sees of it, and what a daemon sees.
 *
 * Each test runs the relay as a process, against a real socket or none.
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertStringIncludes,
} from "@std/assert";
import {
  callerGone,
  decodeBody,
  MAX_BODY_BYTES,
  writeReply,
} from "../modes/wire.ts";
import {
  assertFailure,
  configOf,
  inPlace,
  readTombstones,
  run,
  start,
  withDaemon,
} from "./relay/harness.ts";
import {
  type Implementation,
  implementations,
  type Place,
} from "./relay/implementations.ts";

type Case = (relay: Implementation, place: Place) => Promise<void>;

const ENV = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/x",
  CNI_IFNAME: "eth0",
  OTHER: "stays here",
};

const OK = { status: 0, document: "" };

const CASES: Readonly<Record<string, Case>> = {
  "answers VERSION by itself": async (relay, place) => {
    for (const stdin of [new Uint8Array(), configOf(place)]) {
      const outcome = await run(relay, place, { verb: "VERSION", stdin });
      assertEquals(outcome.status, 0);
      assertEquals(outcome.stderr, "");
      assertEquals(outcome.stdout.indexOf("\n"), outcome.stdout.length - 1);
      const { cniVersion, supportedVersions } = JSON.parse(outcome.stdout);
      assertEquals(
        supportedVersions,
        ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
      );
      assert(supportedVersions.includes(cniVersion));
    }
  },

  "refuses a verb that isn't one": async (relay, place) => {
    for (const verb of ["", "add", 'A"\n']) {
      assertFailure(await run(relay, place, { verb }), 4);
    }
  },

  "lets the runtime try again when no daemon is there": async (
    relay,
    place,
  ) => {
    const codes = { ADD: 11, CHECK: 11, STATUS: 50 };
    await Promise.all(
      Object.entries(codes).map(async ([verb, code]) => {
        // Two of a relay at a time would be written over each other.
        const own = {
          ...place,
          folder: await Deno.makeTempDir({ dir: place.folder }),
        };
        const outcome = await run(relay, own, { verb });
        const document = assertFailure(outcome, code);
        assertStringIncludes(String(document.details), place.socket);
        assertGreater(outcome.tookMs, 1_900, "a rolling update takes 2 s");
        assertLess(outcome.tookMs, 8_000);
      }),
    );
  },

  "writes DEL and GC down when no daemon is there": async (relay, place) => {
    for (const verb of ["DEL", "GC"]) {
      const outcome = await run(relay, place, { verb, env: ENV });
      assertEquals([outcome.status, outcome.stdout, outcome.stderr], [
        0,
        "",
        "",
      ]);
    }
    const bodies = await readTombstones(place, 2);
    for (const [at, verb] of ["DEL", "GC"].entries()) {
      const { variables, stdin } = decodeBody(bodies[at] ?? new Uint8Array());
      assertEquals(stdin, configOf(place));
      const { OTHER: _, ...expected } = { CNI_COMMAND: verb, ...ENV };
      assertEquals(Object.fromEntries(variables), expected);
    }
  },

  "says what to do when DEL can't be written down": async (relay, place) => {
    const file = `${place.folder}/file`;
    await Deno.writeTextFile(file, "");
    const full = { ...place, tombstones: `${file}/tombstones` };
    const document = assertFailure(await run(relay, full, { verb: "DEL" }), 5);
    assertStringIncludes(String(document.details), full.tombstones);
    assertEquals(await Deno.readTextFile(file), "");
  },

  "waits for a daemon that is being replaced": async (relay, place) => {
    const running = run(relay, place, { verb: "ADD" });
    await new Promise((done) => setTimeout(done, 1_000));
    const document = '{"cniVersion":"0.4.0"}\n';
    await withDaemon(
      place,
      ({ conn }) => writeReply(conn, { status: 0, document }),
      async () => {
        const { status, stdout } = await running;
        assertEquals([status, stdout], [0, document]);
      },
    );
  },

  "gives up on a daemon that doesn't answer": async (relay, place) => {
    const brief = { ...place, replyTimeoutMs: 300 };
    await withDaemon(brief, ({ conn }) => callerGone(conn), async () => {
      for (const [verb, code] of [["ADD", 11], ["STATUS", 50]] as const) {
        const outcome = await run(relay, brief, { verb });
        assertFailure(outcome, code);
        assertGreater(outcome.tookMs, 290);
      }
      assertEquals((await run(relay, brief, { verb: "DEL" })).status, 0);
    });
    await readTombstones(place, 1);
  },

  "doesn't believe a reply that was cut short": async (relay, place) => {
    const text = (value: string) => [...new TextEncoder().encode(value)];
    const cuts = [
      { verb: "ADD", bytes: [], code: 11 },
      { verb: "ADD", bytes: [0], code: 11 },
      { verb: "ADD", bytes: [0, ...text('{"ips":[{"addr')], code: 11 },
      { verb: "CHECK", bytes: [1], code: 11 },
      { verb: "STATUS", bytes: [1, ...text('{"code":11}')], code: 50 },
      { verb: "DEL", bytes: [], code: 0 },
      { verb: "DEL", bytes: [1, ...text("{")], code: 0 },
    ];
    for (const { verb, bytes, code } of cuts) {
      await withDaemon(
        place,
        ({ conn }) => conn.write(new Uint8Array(bytes)).then(() => {}),
        async () => {
          const outcome = await run(relay, place, { verb });
          if (code !== 0) assertFailure(outcome, code);
          else assertEquals([outcome.status, outcome.stdout], [0, ""]);
        },
      );
      await Deno.remove(place.socket).catch(() => {});
    }
    await readTombstones(place, 2);
  },

  "passes status and document on": async (relay, place) => {
    const replies = [
      OK,
      { status: 1, document: '{"code":7,"msg":"ä€😀"}\n' },
      { status: 255, document: `{"long":"${"x".repeat(300_000)}"}\n` },
    ];
    for (const reply of replies) {
      await withDaemon(
        place,
        ({ conn }) => writeReply(conn, reply),
        async () => {
          const { status, stdout, stderr } = await run(relay, place, {
            verb: "CHECK",
          });
          assertEquals({ status, document: stdout }, reply);
          assertEquals(stderr, "");
        },
      );
      await Deno.remove(place.socket).catch(() => {});
    }
  },

  "hands a megabyte over byte by byte": async (relay, place) => {
    const stdin = new Uint8Array(
      [...configOf(place), ...new Uint8Array(1_200_000).fill(32)],
    );
    await withDaemon(place, async ({ conn, request }) => {
      assertEquals(request.stdin.length, stdin.length);
      assert(request.stdin.every((byte, at) => byte === stdin[at]));
      await writeReply(conn, OK);
    }, async () => {
      const outcome = await run(relay, place, { verb: "DEL", stdin });
      assertEquals(outcome.status, 0);
    });
  },

  "refuses what is beyond the limit, DEL too": async (relay, place) => {
    const stdin = new Uint8Array(MAX_BODY_BYTES);
    assertFailure(await run(relay, place, { verb: "DEL", stdin }), 7);
  },

  "hands variables over byte by byte": async (relay, place) => {
    // Deno can't set them: a shell can. The plugin is its last command.
    const [program, ...args] = await relay.command(place);
    const shell: Implementation = {
      name: "sh",
      command: () =>
        Promise.resolve([
          "/bin/sh",
          "-c",
          'export CNI_ARGS="$(printf "A=\\377\\001\\n=B")"; exec "$@"',
          "sh",
          program,
          ...args,
        ]),
    };
    await run(shell, place, { verb: "DEL" });
    const [body = new Uint8Array()] = await readTombstones(place, 1);
    const text = [...body].map((byte) => String.fromCharCode(byte)).join("");
    assertStringIncludes(text, "CNI_ARGS=A=\xff\x01\n=B\0");
    assertStringIncludes(text, "CNI_COMMAND=DEL\0");
  },

  "reaches a socket at the longest path there is": async (relay, place) => {
    const name = "s".repeat(107 - place.folder.length - 1);
    const far = { ...place, socket: `${place.folder}/${name}` };
    await withDaemon(far, ({ conn }) => writeReply(conn, OK), async () => {
      assertEquals((await run(relay, far, { verb: "CHECK" })).status, 0);
    });
  },

  "lets the daemon see that it was killed": async (relay, place) => {
    const arrived = Promise.withResolvers<void>();
    let goneAtMs = 0;
    await withDaemon(place, async ({ conn }) => {
      arrived.resolve();
      await callerGone(conn);
      goneAtMs = performance.now();
    }, async () => {
      const child = await start(relay, place, { verb: "ADD" });
      await arrived.promise;
      const killedAtMs = performance.now();
      child.kill("SIGKILL");
      await child.output();
      while (goneAtMs === 0) await new Promise((done) => setTimeout(done, 5));
      assertLess(goneAtMs - killedAtMs, 1_000);
    });
  },
};

for (const relay of await implementations()) {
  for (const [name, test] of Object.entries(CASES)) {
    const why = relay.missing === undefined ? "" : ` (${relay.missing})`;
    Deno.test({
      name: `relay ${relay.name} ${name}${why}`,
      ignore: relay.missing !== undefined,
      fn: () => inPlace((place) => test(relay, place)),
    });
  }
}
