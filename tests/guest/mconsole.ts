/**
 * The management console of a User-Mode Linux: plugs network cards into the
 * running kernel and pulls them out.
 *
 * Run as a program of its own, since datagrams on Unix sockets need a flag that
 * the tests aren't run with: `mconsole.ts SOCKET COMMAND`.
 *
 * @module
 */

/** Source: arch/um/include/shared/mconsole.h. */
const MAGIC = 0xcafebabe;
const VERSION = 2;
const DATA_BYTES = 512;
const HEADER_BYTES = 12;

/** Messages are in the machine's order. */
const LITTLE_ENDIAN = true;

/** It answers in milliseconds. */
const DEADLINE_MS = 5_000;

/**
 * Gives a guest's kernel a command.
 *
 * @param socket The console's socket.
 * @param command Such as `config eth1=tuntap,tap1,00:16:3e:00:00:01`.
 * @throws {Error} What the kernel refused it with.
 */
export async function manage(socket: string, command: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--unstable-net", "-A"],
      ...[import.meta.url, socket, command],
    ],
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).output();
  if (success) return;
  const why = new TextDecoder().decode(stderr).trim();
  throw new Error(`Cannot ${command} by ${socket}: ${why}`);
}

async function main([socket = "", command = ""]: string[]): Promise<number> {
  const own = await Deno.makeTempFile({ prefix: "mconsole-" });
  await Deno.remove(own);
  const conn = Deno.listenDatagram({ transport: "unixpacket", path: own });
  try {
    const data = new TextEncoder().encode(command);
    const request = new Uint8Array(HEADER_BYTES + DATA_BYTES);
    const view = new DataView(request.buffer);
    view.setUint32(0, MAGIC, LITTLE_ENDIAN);
    view.setUint32(4, VERSION, LITTLE_ENDIAN);
    view.setUint32(8, data.length, LITTLE_ENDIAN);
    request.set(data, HEADER_BYTES);
    await conn.send(request, { transport: "unixpacket", path: socket });
    const [answer] = await conn.receive(new Uint8Array(4096));
    const errors = new DataView(answer.buffer, answer.byteOffset);
    if (errors.getUint32(0, LITTLE_ENDIAN) === 0) return 0;
    await Deno.stderr.write(answer.subarray(HEADER_BYTES));
    return 1;
  } finally {
    conn.close();
    await Deno.remove(own).catch(() => {}); // the kernel may have been faster
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
