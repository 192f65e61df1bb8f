import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ask,
  callerGone,
  decodeBody,
  encodeBody,
  encodeRequest,
  MAX_BODY_BYTES,
  readRequest,
  type Reply,
  WireError,
  type WireErrorKind,
  writeReply,
} from "./wire.ts";

const REQUEST = {
  variables: new Map([["CNI_COMMAND", "ADD"], ["CNI_ARGS", ""]]),
  stdin: new TextEncoder().encode('{"name":"x"}\n'),
};

/** Serves one connection with `answer` and asks through it. */
async function exchange(
  answer: (conn: Deno.Conn) => Promise<void>,
  signal: AbortSignal = AbortSignal.timeout(5_000),
): Promise<Reply> {
  const folder = await Deno.makeTempDir({ prefix: "terway-wire-" });
  const path = `${folder}/s`;
  const listener = Deno.listen({ transport: "unix", path });
  const served = listener.accept().then(async (conn) => {
    await answer(conn).finally(() => conn.close());
  });
  try {
    const reply = await ask(path, REQUEST, signal);
    await served;
    return reply;
  } finally {
    await served.catch(() => {});
    listener.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function kindOf(run: () => Promise<unknown>): Promise<WireErrorKind> {
  return (await assertRejects(run, WireError)).kind;
}

/** Reads the request, then writes bytes as a dying daemon might. */
function writes(bytes: readonly number[]): (conn: Deno.Conn) => Promise<void> {
  return async (conn) => {
    await readRequest(conn, AbortSignal.timeout(5_000));
    await conn.write(new Uint8Array(bytes));
  };
}

/** Gives what a server reads of bytes that are sent in pieces. */
async function received(
  bytes: Uint8Array,
  pieceLength: number = 5,
): Promise<unknown> {
  const folder = await Deno.makeTempDir({ prefix: "terway-wire-" });
  const path = `${folder}/s`;
  const listener = Deno.listen({ transport: "unix", path });
  const client = await Deno.connect({ transport: "unix", path });
  const conn = await listener.accept();
  const sent = (async () => {
    for (let at = 0; at < bytes.length;) {
      at += await client.write(bytes.subarray(at, at + pieceLength));
    }
    client.close();
  })();
  try {
    return await readRequest(conn, AbortSignal.timeout(5_000));
  } finally {
    conn.close();
    listener.close();
    await sent.catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a request goes there and its reply comes back", async () => {
  const reply = await exchange(async (conn) => {
    const request = await readRequest(conn, AbortSignal.timeout(5_000));
    assertEquals(request, REQUEST);
    await writeReply(conn, { status: 7, document: '{"a":"ä"}\n' });
  });
  assertEquals(reply, { status: 7, document: '{"a":"ä"}\n' });
});

Deno.test("a request in many small pieces is one request", async () => {
  assertEquals(await received(encodeRequest(REQUEST)), REQUEST);
});

Deno.test("a request of any length is read whole, and what follows isn't", async () => {
  for (const length of [0, 4_000, 4_084, 4_085, 20_000]) {
    const stdin = crypto.getRandomValues(new Uint8Array(length));
    const request = { ...REQUEST, stdin };
    assertEquals(await received(encodeRequest(request)), request);
    const more = new Uint8Array([...encodeRequest(request), 1, 2, 3]);
    assertEquals(await received(more, more.length), request);
  }
});

Deno.test("a reply that was cut short is broken, a whole one is not", async () => {
  const cases: readonly (readonly [number[], Reply | WireErrorKind])[] = [
    [[], "broken"],
    [[0], { status: 0, document: "" }],
    [[1], "broken"],
    [[0, 123], "broken"],
    [[1, 123, 125], "broken"],
    [[1, 123, 125, 10], { status: 1, document: "{}\n" }],
  ];
  for (const [bytes, expected] of cases) {
    const run = () => exchange(writes(bytes));
    const seen = typeof expected === "string" ? await kindOf(run) : await run();
    assertEquals(seen, expected, `after [${bytes}]`);
  }
});

Deno.test("a reply that could be taken for a broken one isn't written", async () => {
  const wrong: readonly Reply[] = [
    { status: 1, document: "" },
    { status: 0, document: "{}" },
    { status: 0, document: "{}\n{}\n" },
    { status: 256, document: "{}\n" },
  ];
  for (const reply of wrong) {
    let kind: WireErrorKind | undefined;
    await exchange(async (conn) => {
      await readRequest(conn, AbortSignal.timeout(5_000));
      kind = await kindOf(() => writeReply(conn, reply));
      await writeReply(conn, { status: 0, document: "" });
    });
    assertEquals(kind, "malformed", Deno.inspect(reply));
  }
});

Deno.test("what isn't a request is told apart", async () => {
  const header = (length: number) =>
    new Uint8Array([
      ...new TextEncoder().encode("TERWAY1\n"),
      ...new Uint8Array(new Uint32Array([length]).buffer),
    ]);
  const cases: readonly (readonly [Uint8Array, WireErrorKind])[] = [
    [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), "malformed"],
    [new Uint8Array(0), "closed"],
    [encodeRequest(REQUEST).subarray(0, 30), "closed"],
    [header(MAX_BODY_BYTES + 1), "large"],
    [header(0), "malformed"],
    [new Uint8Array([...header(3), 65, 61, 66]), "malformed"],
  ];
  for (const [bytes, kind] of cases) {
    assertEquals(await kindOf(() => received(bytes)), kind);
  }
});

Deno.test("a deadline ends both sides", async () => {
  const silent = async (conn: Deno.Conn): Promise<void> => {
    await readRequest(conn, AbortSignal.timeout(5_000));
    await callerGone(conn);
  };
  const begun = performance.now();
  assertEquals(
    await kindOf(() => exchange(silent, AbortSignal.timeout(50))),
    "late",
  );
  assert(performance.now() - begun < 2_000, "the pending read has to end");
  assertEquals(
    await kindOf(() => exchange(silent, AbortSignal.abort())),
    "late",
  );
});

Deno.test("nobody there is absent, a path that can't be is refused", async () => {
  const signal = AbortSignal.timeout(5_000);
  const missing = `${await Deno.makeTempDir()}/s`;
  assertEquals(await kindOf(() => ask(missing, REQUEST, signal)), "absent");
  const long = `/${"x".repeat(200)}`;
  assertEquals(await kindOf(() => ask(long, REQUEST, signal)), "refused");
});

Deno.test("a body keeps values whole, and the first of equal names", () => {
  const bytes = new TextEncoder().encode("A=1=2\0A=3\0B=\0\0\0x");
  assertEquals(decodeBody(bytes), {
    variables: new Map([["A", "1=2"], ["B", ""]]),
    stdin: new Uint8Array([0, 120]),
  });
  const odd = new Uint8Array([65, 61, 0xff, 0, 0]);
  assertEquals(decodeBody(odd).variables.get("A"), "\uFFFD");
});

Deno.test("a body that couldn't be read back isn't written", () => {
  for (const [name, value] of [["", "x"], ["A=B", "x"], ["A", "x\0y"]]) {
    const variables = new Map([[name ?? "", value ?? ""]]);
    const stdin = new Uint8Array();
    assertThrows(() => encodeBody({ variables, stdin }), WireError);
  }
  assertThrows(
    () => encodeRequest(new Uint8Array(MAX_BODY_BYTES + 1)),
    WireError,
  );
});
