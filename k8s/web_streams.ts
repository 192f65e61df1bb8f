/**
 * Lets Node's streams see when a web stream has failed; to be imported before
 * any package that makes streams of one another.
 *
 * The client's `fetch` asks `node:stream` whether a body can still be read
 * before it gives the body an error. Deno's web streams don't have the symbol
 * that tells, so the answer is neither yes nor no, no error is given, and a
 * watch whose connection broke never ends: an informer goes deaf without a
 * word. Deno 2.9.6, undici 8 (read 2026-11-21). `watch_test.ts` fails without
 * this.
 *
 * @module
 */

/** Source: Node.js, lib/internal/streams/utils.js, `kIsReadable`. */
const READABLE = Symbol.for("nodejs.stream.readable");

if (!(READABLE in ReadableStream.prototype)) {
  Object.defineProperty(ReadableStream.prototype, READABLE, {
    configurable: true,
    get: () => true,
  });
}
