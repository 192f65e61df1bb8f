import {
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { CloudError } from "../cloud.ts";
import { Metadata } from "./instance.ts";

/** A service that answers by a script, one entry a request. */
function scripted(
  answers: readonly (() => Response | Promise<Response>)[],
): { metadata: Metadata; asked: string[]; waitsMs: number[] } {
  const asked: string[] = [];
  const waitsMs: number[] = [];
  const rest = [...answers];
  const metadata = new Metadata({
    fetch: (input, init) => {
      asked.push(`${init?.method ?? "GET"} ${new URL(String(input)).pathname}`);
      const answer = rest.shift() ??
        (() => new Response(null, { status: 500 }));
      return Promise.resolve(answer());
    },
    sleep: (ms) => {
      waitsMs.push(ms);
      return Promise.resolve();
    },
  });
  return { metadata, asked, waitsMs };
}

function soon(): AbortSignal {
  return AbortSignal.timeout(1_000);
}

const ok = (text: string) => (): Response => new Response(text);
const status = (code: number) => (): Response =>
  new Response(null, { status: code });

Deno.test("Metadata takes a token once and reads with it", async () => {
  const { metadata, asked } = scripted([ok("token"), ok("a"), ok("b")]);
  assertEquals(await metadata.read("one", soon()), "a");
  assertEquals(await metadata.read("two", soon()), "b");
  assertEquals(asked, [
    "PUT /latest/api/token",
    "GET /latest/meta-data/one",
    "GET /latest/meta-data/two",
  ]);
});

Deno.test("Metadata reads plainly where there are no tokens", async () => {
  const { metadata, asked } = scripted([status(404), ok("a"), ok("b")]);
  assertEquals(await metadata.read("one", soon()), "a");
  assertEquals(await metadata.read("two", soon()), "b");
  assertEquals(asked.length, 3);
});

Deno.test("Metadata says nothing of what isn't there", async () => {
  const { metadata } = scripted([status(404), status(404)]);
  assertEquals(await metadata.read("ipv6s", soon()), undefined);
});

Deno.test("Metadata tries again three times, and waits between", async () => {
  const { metadata, waitsMs } = scripted([ok("token"), status(503), ok("a")]);
  assertEquals(await metadata.read("one", soon()), "a");
  assertEquals(waitsMs, [500]);
  const broken = scripted([]);
  const error = await assertRejects(() => broken.metadata.read("one", soon()));
  assertInstanceOf(error, CloudError);
  assertEquals([error.kind, error.httpStatus], ["transient", 500]);
  assertEquals(broken.waitsMs, [500, 600, 720]);
});

Deno.test("Metadata ends with its signal", async () => {
  const metadata = new Metadata({
    fetch: (_input, init) =>
      new Promise((_, reject) =>
        init?.signal?.addEventListener(
          "abort",
          () => reject(init.signal?.reason),
        )
      ),
  });
  const error = await assertRejects(() =>
    metadata.read("one", AbortSignal.timeout(20))
  );
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
});

Deno.test("Metadata shows nothing of a session that it can't read", async () => {
  const { metadata } = scripted([
    status(404),
    ok("terway"),
    ok('{"Code":"Success","AccessKeySecret":"topmost"}'),
  ]);
  const error = await assertRejects(() => metadata.roleSession(soon()));
  assertInstanceOf(error, CloudError);
  assertFalse(Deno.inspect(error).includes("topmost"));
});
